"""What is said on the webmail's socket: one JSON object in each message, told apart by ``t``.

`VERSION` is said by both sides when they greet; a page that was loaded before an update hears another number and loads itself
again. A frame has further keys only when they say something: what is absent is empty, false or zero.

**Numbers.** Events, which every tab of a browser session is told, carry ``n``: 1, 2, 3, ... within one `epoch`. A tab that
comes back says the last number that it has got. Answers go to the tab that asked and carry its ``q``; what has neither is the
socket's own.

Addresses are bare; ids are those of the archive, 16 hexadecimal digits that sort as time does, in microseconds since 1970.

**Files** go beside the socket, with the login's cookie. ``POST /files/?name=NAME`` uploads one: its bytes are the body, the
type is ``application/octet-stream``, the name is percent-encoded UTF-8. The answer is `Uploaded`; its `file` is what `Say.file`
says, in a message of its own. A message that carries a file has it in `Chat.file`: ``GET`` of its `path` serves it, also in
parts, to those who have the message and to whoever uploaded it; for others it does not exist (404). Images may be shown in
their place, everything else comes as something to be saved. The files of a conversation are its `AskHistory.files`.
"""

from typing import Final

import msgspec

from engine.presence import Status
from engine.webmail.attachments import File

VERSION: Final = 1


class Frame(msgspec.Struct, frozen=True, tag_field="t", omit_defaults=True):
    """What all frames have in common."""


# -- from the browser --------------------------------------------------------------------------------------------------


class Hello(Frame, frozen=True, tag="hello"):
    """The first frame of a tab.

    Attributes:
        v: the version that the page speaks.
        epoch: of the browser session that it was attached to; empty: it comes anew.
        last: the number of the last event that it got in that epoch.
        status: to begin with, if the browser session begins with this tab.
        text: the person's own words for it.
    """

    v: int
    epoch: str = ""
    last: int = 0
    status: Status = Status.AVAILABLE
    text: str = ""


class Say(Frame, frozen=True, tag="say"):
    """A message. Said again with the same `id`, it is the same message.

    Attributes:
        id: made by the page (XEP-0359, origin-id).
        to: a person or an alias.
        body: the text.
        reply: the message that this answers, by the name in its `Chat.name`. `replyTo`: who said that one.
        replaces: the own message that this corrects, by its `id` as said.
        retracts: the own message that is taken back, by its `Chat.name`; there is no body then.
        file: the file that this carries, by what the upload was answered with; there is no body then.
    """

    id: str
    to: str
    body: str = ""
    reply: str = ""
    reply_to: str = msgspec.field(default="", name="replyTo")
    replaces: str = ""
    retracts: str = ""
    file: str = ""


class Typing(Frame, frozen=True, tag="typing"):
    """Both ways: somebody types, or stopped. `peer`: to whom, or who."""

    peer: str
    on: bool = False


class Read(Frame, frozen=True, tag="read"):
    """The person has seen this message, and what came before it in that conversation.

    `name`: what the message's sender is told was seen; empty: he is not told.
    """

    peer: str
    id: str
    name: str = ""


class SetStatus(Frame, frozen=True, tag="status"):
    """The status, chosen from the menu."""

    status: Status
    text: str = ""


class AskHistory(Frame, frozen=True, tag="history"):
    """Messages of one conversation, or of all: a page before or after an id, the newest without one; or those with words.

    `start`: from this time on, the oldest first; written as an id is, though it need not be that of a message.
    `files`: only those that carry a file.
    """

    q: int
    peer: str = ""
    before: str = ""
    after: str = ""
    start: str = ""
    text: str = ""
    files: bool = False
    limit: int = 50


class AskConversations(Frame, frozen=True, tag="conversations"):
    """The most recent conversations; `before`: only those whose newest message is older than this id."""

    q: int
    before: str = ""
    limit: int = 50


class Find(Frame, frozen=True, tag="find"):
    """Contacts by words."""

    q: int
    text: str


class AskCard(Frame, frozen=True, tag="card"):
    """A contact's photo."""

    q: int
    address: str


class SetPhoto(Frame, frozen=True, tag="photo"):
    """The person's own photo from now on, in base64: what `engine.photos` takes; empty: none. The answer is `Done`."""

    q: int
    photo: str = ""


class AskSince(Frame, frozen=True, tag="since"):
    """How long a contact has had the status that it has."""

    q: int
    address: str


class Ping(Frame, frozen=True, tag="ping"):
    """Is anybody there?"""


Asked = (
    Hello
    | Say
    | Typing
    | Read
    | SetStatus
    | AskHistory
    | AskConversations
    | Find
    | AskCard
    | SetPhoto
    | AskSince
    | Ping
)


# -- to the browser ----------------------------------------------------------------------------------------------------


class You(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whose session this is. `resource`: its own, among the person's devices."""

    address: str
    resource: str


class Welcome(Frame, frozen=True, tag="welcome"):
    """The answer to `Hello`.

    Attributes:
        v: the version that the server speaks.
        epoch: of the browser session.
        n: the number of the last event so far.
        you: whose session.
        status: the status of this session, and the words for it.
        text: see `status`.
        fresh: forget everything, a snapshot follows; otherwise the events after the last one that the tab has got follow.
        fileBytes: the largest file that may be shared; 0: there is no limit.
    """

    v: int
    epoch: str
    n: int
    you: You
    status: Status
    text: str = ""
    fresh: bool = False
    file_bytes: int = msgspec.field(default=0, name="fileBytes")


class Person(msgspec.Struct, frozen=True, omit_defaults=True):
    """A contact: a person, or an alias with `members`."""

    address: str
    name: str
    is_alias: bool = msgspec.field(default=False, name="alias")
    title: str = ""
    department: str = ""
    phone: str = ""
    members: tuple[str, ...] = ()


class Contacts(Frame, frozen=True, tag="contacts"):
    """The whole contact list, the person himself among it; or, without `all`, what changed of it."""

    contacts: tuple[Person, ...] = ()
    removed: tuple[str, ...] = ()
    all: bool = False


class Seen(msgspec.Struct, frozen=True, array_like=True):
    """``[address, resource, status, text]``: the presence of one device; ``Offline``: it is gone."""

    address: str
    resource: str
    status: Status
    text: str


class Presences(Frame, frozen=True, tag="presences"):
    """Presence of devices; with `all`, every one there is."""

    devices: tuple[Seen, ...] = ()
    all: bool = False


class OwnStatus(Frame, frozen=True, tag="own-status"):
    """The status of this browser session changed; with Offline everybody is Unavailable here."""

    status: Status
    text: str = ""


class Chat(Frame, frozen=True, tag="chat"):
    """A message, as it is in the archive.

    Attributes:
        id: in the archive.
        sender: who said it.
        to: a person or an alias.
        via: the alias that brought it here.
        body: the text.
        origin: what its sender calls it, to know his own again.
        name: what replies, corrections and marks call it.
        reply: it answers the message of this name.
        replaces: it corrects the message of this name.
        retracts: it takes the message of this name back.
        file: it carries this file; the body is empty if it said no more than where that lies.
    """

    id: str
    sender: str = msgspec.field(name="from")
    to: str
    via: str = ""
    body: str = ""
    origin: str = ""
    name: str = ""
    reply: str = ""
    replaces: str = ""
    retracts: str = ""
    file: File | None = None


class Displayed(Frame, frozen=True, tag="displayed"):
    """`sender` has seen the message of this name, and all before it, in the conversation with `to`."""

    id: str
    sender: str = msgspec.field(name="from")
    to: str
    name: str = ""


class Failed(Frame, frozen=True, tag="failed"):
    """A message that was said here was refused: it is in no archive and reached nobody."""

    origin: str
    condition: str
    text: str = ""


class Recent(msgspec.Struct, frozen=True, omit_defaults=True):
    """One conversation in the list of recent ones; see `engine.messages.Conversation`."""

    peer: str
    newest: Chat | Displayed
    unread: int = 0
    read: str = ""


class Conversations(Frame, frozen=True, tag="conversations"):
    """The answer to `AskConversations`, or a part of the snapshot: the newest first."""

    conversations: tuple[Recent, ...] = ()
    complete: bool = False
    q: int = 0


class History(Frame, frozen=True, tag="history"):
    """The answer to `AskHistory`: oldest first. `complete`: there is nothing beyond, in the direction asked for."""

    q: int
    items: tuple[Chat | Displayed, ...] = ()
    complete: bool = False


class Found(Frame, frozen=True, tag="found"):
    """The answer to `Find`: best first."""

    q: int
    addresses: tuple[str, ...] = ()
    complete: bool = False


class Card(Frame, frozen=True, tag="card"):
    """The answer to `AskCard`. `photo`: as a data URL; empty: there is none."""

    q: int
    address: str
    photo: str = ""


class Since(Frame, frozen=True, tag="since"):
    """The answer to `AskSince`: since how many seconds; absent: it is not known."""

    q: int
    address: str
    seconds: int | None = None


class Done(Frame, frozen=True, tag="done"):
    """What was asked for is done, and kept."""

    q: int


class Refused(Frame, frozen=True, tag="refused"):
    """A question was refused."""

    q: int
    condition: str
    text: str = ""


class Pong(Frame, frozen=True, tag="pong"):
    """The answer to `Ping`."""


class Bye(Frame, frozen=True, tag="bye"):
    """The socket closes. `reason`: ``signed-out``: show the login; ``reload``: load the page again; otherwise come back."""

    reason: str


decode: Final = msgspec.json.Decoder(Asked).decode
"""Raises `msgspec.ValidationError` or `msgspec.DecodeError`."""

encode: Final = msgspec.json.Encoder().encode


def numbered(number: int, body: bytes) -> str:
    """The text of an event: `body` is an encoded frame, shared by all who are told of it."""
    return f'{{"n":{number},{body[1:].decode()}'
