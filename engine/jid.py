"""JIDs: who and where, in one spelling.

Owns the parsing and preparation of addresses (RFC 7622 as slixmpp's compiled JID implements it: stringprep of RFC 6122).
The rule: one account is never reachable under two spellings, nor two accounts under one. So a `Jid` exists only in its
prepared form: the localpart case-folded by nodeprep, the domain lower-case and as Unicode (``xn--mnchen-3ya.de`` and
``münchen.de`` are the same), the resource by resourceprep. Every other module compares and stores the prepared strings.

This is the only module that uses slixmpp's JID. Parsing is cached: an address of a busy domain is prepared once.
"""

from functools import lru_cache
from typing import Self

import msgspec
from slixmpp.jid import JID, InvalidJID

from engine.limits import JID_PART_BYTES


class JidError(ValueError):
    """The text is no JID; stanza condition ``jid-malformed``."""


class Jid(msgspec.Struct, frozen=True, order=True):
    """A prepared JID.

    Attributes:
        bare: ``local@domain`` of an account or alias, or ``domain`` of the server itself.
        resource: names one session of the account; empty for a bare JID.
    """

    bare: str
    resource: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Prepare an address as it came from outside.

        Raises:
            JidError: a part is empty, too long (1,023 bytes, RFC 7622 section 3.1) or has a character that may not be there.
        """
        return cls(*_prepare(text))

    @property
    def local(self) -> str:
        """The localpart; empty for a domain."""
        local, at, _ = self.bare.partition("@")
        return local if at else ""

    @property
    def domain(self) -> str:
        """The domainpart."""
        return self.bare.rpartition("@")[2]

    @property
    def full(self) -> str:
        """``bare/resource``, or the bare JID when there is no resource."""
        return f"{self.bare}/{self.resource}" if self.resource else self.bare

    @property
    def is_bare(self) -> bool:
        """No resource."""
        return not self.resource

    def with_resource(self, resource: str) -> "Jid":
        """The full JID of a session of this account; `resource` is prepared already."""
        return Jid(self.bare, resource)

    def to_bare(self) -> "Jid":
        """The account of this session."""
        return Jid(self.bare) if self.resource else self

    def __str__(self) -> str:
        return self.full


@lru_cache(maxsize=65_536)
def _prepare(text: str) -> tuple[str, str]:
    # slixmpp takes a missing localpart or resource after its separator as absent; RFC 7622 (3.1) forbids both.
    address, slash, resource = text.partition("/")
    local, at, domain = address.rpartition("@")
    if not domain or (at and not local) or (slash and not resource):
        raise JidError(f"not a JID: {text!r}")
    domain = domain.removesuffix(".")  # the root dot is no part of the name (RFC 7622, 3.2)
    try:
        prepared = JID(f"{local}@{_unicode_domain(domain)}" if at else _unicode_domain(domain))
        tail = JID(f"x/{resource}").resource if slash else ""
    except (InvalidJID, UnicodeError, ValueError) as error:
        raise JidError(f"not a JID: {text!r}") from error
    if "" in prepared.domain.split(".") or not _is_stable(prepared.bare, tail):
        raise JidError(f"not a JID: {text!r}")
    if any(len(part.encode()) > JID_PART_BYTES for part in (prepared.local, prepared.domain, tail)):
        raise JidError("a part of the JID is longer than 1,023 bytes")
    if not prepared.domain or (at and not prepared.local) or (slash and not tail):
        raise JidError(f"not a JID: {text!r}")
    return prepared.bare, tail


def _is_stable(bare: str, resource: str) -> bool:
    """Whether what was prepared stays as it is when it is prepared again.

    Characters that are younger than stringprep (Unicode 3.2) are mapped to others that would have to be mapped in turn: of
    such an address there would be two, and the account would be its who types the second.
    """
    try:
        again = JID(f"{bare}/{resource}" if resource else bare)
    except (InvalidJID, UnicodeError, ValueError):
        return False
    return bool(again.bare == bare and again.resource == resource)


def _unicode_domain(domain: str) -> str:
    """One spelling for both forms of an internationalised domain; slixmpp leaves A-labels as they are."""
    lowered = domain.lower()
    if "xn--" not in lowered:
        return lowered
    decoded = lowered.encode("ascii").decode("idna")
    if decoded.encode("idna") != lowered.encode("ascii"):
        raise JidError(f"not the canonical form of a domain: {domain!r}")
    return decoded
