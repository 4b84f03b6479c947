"""Clients: what the sessions of one program on one device have in common, from one login to the next.

A client without a history of its own (Pidgin, Adium and their like) is given what it missed since it was here last. Who "it"
is, is not said by XMPP: a resource may be new at each login. A *family* is what stays:

- the resource that the client chose, without a random ending (``mcabber.7f3a9c01`` and ``mcabber.11d0c2aa`` are one);
- for a client that left the choice to the server: the software that its presence names (XEP-0115), such as
  ``http://pidgin.im/``; before it did, or without that, the empty family.

Two devices that say the same of themselves share a family: what one of them was given counts for both.
"""

import re
from typing import Final

FAMILY_CHARACTERS: Final = 128
"""Of a family that is remembered; real resources and nodes are far shorter. What is beyond is cut off."""

_RANDOM_ENDING: Final = re.compile(r"[./_\- ]?(?=[0-9A-Za-z]*[0-9])[0-9A-Za-z]{6,}$|[./_\-](?=\w*[0-9A-Z])\w{4,5}$")
"""Six or more letters and digits with a digit among them; or, behind a separator, four or five with a digit or a capital."""


def family_of(resource: str, software: str, *, is_generated: bool) -> str:
    """The family of a session.

    Args:
        resource: of its JID.
        software: what its presence names; empty: nothing.
        is_generated: the server chose the resource.
    """
    name = software if is_generated else _RANDOM_ENDING.sub("", resource) or software
    return name[:FAMILY_CHARACTERS]
