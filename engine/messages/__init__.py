"""The one vocabulary of every mailbox; used as ``from engine import messages as m``.

Frozen structs, serialisable, without references to actors: whoever is meant is an address, looked up in the directory.
Commands are imperative, events past tense. The words are those of chat, not of a protocol: XMPP and webmail translate.

An element of XMPP that the engine only passes on travels as `payload`: rendered, in the namespace ``jabber:client``, made by
the builder of `engine.xmpp.xml` and hence well-formed and bounded.

=============  =========================================================
`values`       what is said: a chat, a request, a photo
`sessions`     a session's life
`chats`        the way of a chat, from the sender to the recipients
`presences`    presence, subscriptions, the members of an alias
`contacts`     the contact list, cards, the search for contacts
`history`      questions to the history
`blocking`     whom an account shuts out
`files`        places for files that are to be shared
`answers`      what is passed on, and plain answers
=============  =========================================================
"""

# A message is named once, in its file; the stars make the package the one vocabulary.
from engine.messages.answers import *
from engine.messages.blocking import *
from engine.messages.chats import *
from engine.messages.contacts import *
from engine.messages.files import *
from engine.messages.history import *
from engine.messages.presences import *
from engine.messages.sessions import *
from engine.messages.values import *
