"""What the tests of this folder have in common: a clock that they set, and short words for drafts and outcomes."""

from engine.jid import Jid
from engine.messages import Chat
from engine.ports import Draft

NOON = 1_700_000_000.0


class Clock:
    """Seconds since 1970; stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


def says(sender: str, to: str, body: str = "hello", origin: str = "", **fields) -> Draft:
    """A draft from a person to a person."""
    return Draft(chat(sender, to, body, origin, **fields), (to.partition("/")[0],))


def says_to_alias(sender: str, alias: str, recipients: str, absent: str = "", **fields) -> Draft:
    """A draft to an alias; recipients and absent members separated by spaces."""
    message = chat(sender, alias, via=Jid.parse(alias), **fields)
    return Draft(message, tuple(recipients.split()), tuple(absent.split()))


def chat(sender: str, to: str, body: str = "hello", origin: str = "", **fields) -> Chat:
    text = f"<body>{body}</body>"
    jids = {"sender": Jid.parse(sender), "to": Jid.parse(to)}
    return Chat(**jids, body=body, payload=text, origin_id=origin, is_lasting=True, **fields)


def values(message: Chat) -> dict:
    """A chat for comparison; chats themselves are compared by identity."""
    return {name: getattr(message, name) for name in Chat.__struct_fields__}
