"""Side doors of the engine: what others keep or find for it.

Each port is a Protocol with two implementations that pass the same tests: one on disk (package index) and one in memory
(`index.memory_archive` and its like). The methods are coroutines; only workers await them, never a handler.

============  =====================================================================
`storage`     what every port that reaches a disk may raise
`archive`     what is written, and what each client has got of it
`histories`   reading the archive, one owner at a time, and searching it
`accounts`    domains, members, aliases, credentials, and how a contact is found
`wire`        a client's end
============  =====================================================================
"""

from engine.ports.accounts import *
from engine.ports.archive import *
from engine.ports.histories import *
from engine.ports.storage import *
from engine.ports.wire import *
