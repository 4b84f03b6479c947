"""The one vocabulary of every mailbox.

Frozen structs, serialisable, without references to actors: whoever is meant is an address, looked up in the directory.
Commands are imperative, events past tense. The words are those of chat, not of a protocol: XMPP and webmail translate.

An element of XMPP that the engine only passes on travels as `payload`: rendered, in the namespace ``jabber:client``, made by
the builder of `engine.xmpp.xml` and hence well-formed and bounded.
"""

from typing import Literal

import msgspec

from engine.contacts import Contact, PersonalContact, RemovedContact
from engine.errors import Condition, StreamCondition
from engine.jid import Jid
from engine.presence import Presence, PresenceChange, Status

ChatKind = Literal["chat", "normal", "headline", "groupchat", "error"]
SubscriptionKind = Literal["subscribe", "subscribed", "unsubscribe", "unsubscribed"]
IqKind = Literal["get", "set", "result", "error"]
StanzaKind = Literal["message", "presence", "iq"]


# -- what is said ------------------------------------------------------------------------------------------------------


class Chat(msgspec.Struct, frozen=True, eq=False, weakref=True, kw_only=True):
    """One message. Compared by identity: renderings are cached for as long as it lives.

    Attributes:
        sender: full JID of the session that sent it.
        to: as addressed: a person (bare or full JID) or an alias.
        kind: RFC 6121, 5.2.2.
        stanza_id: the sender's ``id`` attribute; empty when there was none.
        origin_id: XEP-0359; a resend with the same one is the same message. Empty when there was none.
        language: ``xml:lang``; empty when there was none.
        body: the text, for search and webmail; empty for a message without one.
        payload: all children that pass, the body included.
        is_lasting: has a body or changes what was said (a correction, retraction, reaction, receipt, marker): archived.
        via: the alias it was sent to, on its way to the members.
        id: archive id, microseconds since 1970 that never go back; 0 before it is on disk. The ``stanza-id`` is `id_text`.
        is_delayed: waited in the archive; shown with the time of `id` (XEP-0203).
    """

    sender: Jid
    to: Jid
    kind: ChatKind = "chat"
    stanza_id: str = ""
    origin_id: str = ""
    language: str = ""
    body: str = ""
    payload: str = ""
    is_lasting: bool = False
    via: Jid | None = None
    id: int = 0
    is_delayed: bool = False

    @property
    def id_text(self) -> str:
        """The archive id as it is written everywhere: 16 hexadecimal digits, which sort as the numbers do."""
        return f"{self.id:016x}"


class Iq(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """A request or an answer between two sessions, passed on as it is (RFC 6121, 8.5)."""

    sender: Jid
    to: Jid
    kind: IqKind
    stanza_id: str
    payload: str


class Request(msgspec.Struct, frozen=True):
    """What an answer needs to find back to its question.

    Attributes:
        session: full JID of the session that asks.
        id: the stanza's id.
        to: as addressed; empty when the request had none.
        name: ``{namespace}name`` of the request's child.
        kind: of the stanza; an answer to an IQ is a result or an error.
    """

    session: Jid
    id: str
    to: str = ""
    name: str = ""
    kind: StanzaKind = "iq"


# -- a session's life: gateway -> session -> user -----------------------------------------------------------------------


class OpenSession(msgspec.Struct, frozen=True):
    """A logged-in client wants to be a session of its account. `again`: it was one already and answers `ReopenSessions`."""

    session: Jid
    again: bool = False


class SessionOpened(msgspec.Struct, frozen=True):
    """The account took the session."""

    session: Jid


class SessionRefused(msgspec.Struct, frozen=True):
    """The account did not take the session."""

    session: Jid
    condition: Condition


class CloseSession(msgspec.Struct, frozen=True):
    """Ends a session from the server's side: its client is told why."""

    condition: StreamCondition | None = None
    text: str = ""


class Disconnect(msgspec.Struct, frozen=True):
    """The client is gone: it said goodbye, its socket broke or it fell silent."""


class SessionClosed(msgspec.Struct, frozen=True):
    """The session is no more."""

    session: Jid
    text: str = ""


class ReopenSessions(msgspec.Struct, frozen=True):
    """A user actor began anew with a clean state: its sessions say again who they are."""


class AnnounceSessions(msgspec.Struct, frozen=True):
    """A domain actor began anew with a clean state: its users say again who is there."""


# -- chat ---------------------------------------------------------------------------------------------------------------


class SendChat(msgspec.Struct, frozen=True):
    """session -> user of the sender."""

    chat: Chat


class ExpandAlias(msgspec.Struct, frozen=True):
    """user of the sender -> alias: who gets this message?"""

    chat: Chat


class AliasExpanded(msgspec.Struct, frozen=True):
    """alias -> user of the sender. `chat` is marked with the alias.

    Attributes:
        chat: the message.
        recipients: members that are online, or all when none is; the sender too if he is a member.
        absent: members that are offline while others are online.
    """

    chat: Chat
    recipients: tuple[str, ...]
    absent: tuple[str, ...] = ()


class ArchiveChat(msgspec.Struct, frozen=True):
    """user of the sender -> archiver: commit, then deliver.

    Attributes:
        chat: what was said; without `is_lasting` it is only kept in order behind what the archiver still holds.
        recipients: bare addresses of those who get it.
        absent: bare addresses of an alias's members that were offline while others were online: one delivery row each.
    """

    chat: Chat
    recipients: tuple[str, ...]
    absent: tuple[str, ...] = ()


class Relay(msgspec.Struct, frozen=True):
    """user -> archiver: tell this to that address, but not before what the archiver still holds (RFC 6120, 10.1).

    `sender`: the account, which is told `Relayed`: until then what follows takes the same way.
    """

    address: str
    message: msgspec.Struct
    sender: str


class Relayed(msgspec.Struct, frozen=True):
    """archiver -> user: what was to be relayed is on its way."""


class DeliverChat(msgspec.Struct, frozen=True):
    """archiver -> user of each recipient -> session. The chat has its id."""

    chat: Chat


class ChatArchived(msgspec.Struct, frozen=True):
    """archiver -> user of the sender: on disk in every archive it belongs to, and on its way.

    `duplicate`: a resend; the chat carries the id of the first and was not delivered again.
    """

    chat: Chat
    duplicate: bool = False


class ChatRefused(msgspec.Struct, frozen=True):
    """archiver -> user of the sender: neither on disk nor delivered."""

    chat: Chat
    condition: Condition
    text: str = ""


class FetchWaiting(msgspec.Struct, frozen=True):
    """user -> archiver -> historian: what came while no session took chats.

    Attributes:
        owner: the recipient's bare address.
        after: only what has a greater archive id; and only what is after the cursor.
        up_to: the newest id on disk; the archiver fills it in.
    """

    owner: str
    after: int = 0
    up_to: int = 0


class WaitingFetched(msgspec.Struct, frozen=True):
    """historian -> user. `up_to`: every message to `owner` up to this id is among these or was told before.

    `is_last`: there is no further page.
    """

    owner: str
    chats: tuple[Chat, ...]
    up_to: int
    is_last: bool


class MoveCursor(msgspec.Struct, frozen=True):
    """user -> archiver: everything to `owner` up to `delivered` has reached a session."""

    owner: str
    delivered: int


# -- presence -----------------------------------------------------------------------------------------------------------


class SetPresence(msgspec.Struct, frozen=True):
    """session -> user: presence without an address (RFC 6121, 4.2, 4.4, 4.5)."""

    session: Jid
    presence: Presence | None
    text: str = ""


class SendPresence(msgspec.Struct, frozen=True):
    """session -> user: directed presence (RFC 6121, 4.6)."""

    session: Jid
    to: Jid
    presence: Presence | None
    text: str = ""


class ProbePresence(msgspec.Struct, frozen=True):
    """session -> user -> domain (RFC 6121, 4.3)."""

    session: Jid
    to: Jid


class Subscribe(msgspec.Struct, frozen=True):
    """session -> user -> domain: a subscription stanza (RFC 6121, 3); the domain answers at once."""

    session: Jid
    to: Jid
    kind: SubscriptionKind


class FlushPresence(msgspec.Struct, frozen=True):
    """domain -> itself: the window of a burst is over."""


class PresenceChanged(msgspec.Struct, frozen=True):
    """user or alias -> domain. `status`: the merged one, after the change."""

    change: PresenceChange
    status: Status


class PresenceSeen(msgspec.Struct, frozen=True, eq=False, weakref=True):
    """domain -> every session that sees others: the changes of one tick; the same object for all of them.

    Also one session's first look at the domain, an answer to a probe, and directed presence.
    """

    changes: tuple[PresenceChange, ...]


class SubscriptionAnswered(msgspec.Struct, frozen=True):
    """domain -> session: from whom, and what."""

    sender: Jid
    kind: SubscriptionKind


class MemberStatusChanged(msgspec.Struct, frozen=True):
    """domain -> alias: a member's merged status."""

    address: str
    status: Status


class CloseDomain(msgspec.Struct, frozen=True):
    """supervisor -> domain: it is served no more. It has no members by now."""


class FetchMembers(msgspec.Struct, frozen=True):
    """alias -> domain: an alias that began anew asks for its `SetMembers`."""

    address: str


class StopAlias(msgspec.Struct, frozen=True):
    """domain -> alias: it was removed."""


class SetMembers(msgspec.Struct, frozen=True):
    """domain -> alias: the people it expands to, and the status of each who is not Offline."""

    people: tuple[str, ...]
    statuses: dict[str, Status]


# -- contacts -----------------------------------------------------------------------------------------------------------


class FetchRoster(msgspec.Struct, frozen=True):
    """session -> user -> domain. `version`: what the client has; None: it does not speak roster versioning.

    The user fills in `personal`.
    """

    request: Request
    version: str | None = None
    personal: tuple[PersonalContact, ...] = ()


class WatchRoster(msgspec.Struct, frozen=True):
    """user -> domain: this session fetched the roster before the domain began anew."""

    session: Jid
    personal: tuple[PersonalContact, ...]


class RosterFetched(msgspec.Struct, frozen=True):
    """domain -> session.

    Attributes:
        request: the question.
        version: of the roster after this.
        contacts: the whole list (the asking user among them; he is left out when it is shown), or None: the client's
            version is good, up to `changes`.
        changes: what changed since the client's version.
        personal: the user's own additions: all of them with `contacts`, else those that changed.
    """

    request: Request
    version: str
    contacts: tuple[Contact, ...] | None
    changes: tuple[Contact | RemovedContact, ...] = ()
    personal: tuple[PersonalContact, ...] = ()


class SetPersonalContact(msgspec.Struct, frozen=True):
    """session -> user -> registrar: own name and groups for a contact (a roster set); both None: drop them (a remove)."""

    request: Request
    address: str
    name: str | None = None
    groups: tuple[str, ...] | None = None


class PersonalContactChanged(msgspec.Struct, frozen=True):
    """registrar -> user -> domain, which pushes it to the user's sessions."""

    owner: str
    personal: PersonalContact


class FetchPersonal(msgspec.Struct, frozen=True):
    """user -> registrar."""

    owner: str


class PersonalFetched(msgspec.Struct, frozen=True):
    """registrar -> user."""

    owner: str
    personal: tuple[PersonalContact, ...]


class ContactsChanged(msgspec.Struct, frozen=True):
    """registrar -> domain, indexer: added, changed or removed, in the order of their versions."""

    domain: str
    changes: tuple[Contact | RemovedContact, ...]


class RosterChanged(msgspec.Struct, frozen=True, eq=False, weakref=True):
    """domain -> sessions that fetched the roster. `personal`: the user's own additions to the changed contacts."""

    version: str
    changes: tuple[Contact | RemovedContact, ...]
    personal: tuple[PersonalContact, ...] = ()


class FetchContact(msgspec.Struct, frozen=True):
    """session -> user: who is at this address of one's own domain?"""

    request: Request
    address: str


class ContactFetched(msgspec.Struct, frozen=True):
    """user -> session. `contact`: None: nobody."""

    request: Request
    contact: Contact | None


class FetchCard(msgspec.Struct, frozen=True):
    """session -> user -> registrar: a contact's details and photo."""

    request: Request
    address: str


class CardFetched(msgspec.Struct, frozen=True):
    """registrar -> session."""

    request: Request
    contact: Contact
    photo: "Photo | None"


class Photo(msgspec.Struct, frozen=True):
    """A user's own picture. `media_type`: such as ``image/png``."""

    media_type: str
    data: bytes


class SetPhoto(msgspec.Struct, frozen=True):
    """session -> user -> registrar. None: no photo any more."""

    request: Request
    photo: Photo | None


class SearchContacts(msgspec.Struct, frozen=True):
    """session -> user -> indexer: words anywhere (`text`), and in the fields of `engine.ports.ContactSearch`."""

    request: Request
    text: str
    fields: dict[str, str] = {}
    limit: int = 100


class ContactsFound(msgspec.Struct, frozen=True):
    """indexer -> session."""

    request: Request
    contacts: tuple[Contact, ...]
    is_complete: bool


# -- passing on, answers ------------------------------------------------------------------------------------------------


class SendIq(msgspec.Struct, frozen=True):
    """session -> user -> session."""

    iq: Iq


class DeliverIq(msgspec.Struct, frozen=True):
    """user -> session."""

    iq: Iq


class RequestDone(msgspec.Struct, frozen=True):
    """The request was carried out and has nothing to return."""

    request: Request


class RequestRefused(msgspec.Struct, frozen=True):
    """The request, message or presence was refused; its sender is told."""

    request: Request
    condition: Condition
    text: str = ""

    @classmethod
    def of_chat(cls, chat: Chat, condition: Condition, text: str = "") -> "RequestRefused":
        """The refusal of a message, for the session that sent it."""
        return cls(Request(chat.sender, chat.stanza_id, chat.to.full, kind="message"), condition, text)

    @classmethod
    def of_iq(cls, iq: Iq, condition: Condition) -> "RequestRefused":
        """The refusal of a request to another session."""
        return cls(Request(iq.sender, iq.stanza_id, iq.to.full), condition)
