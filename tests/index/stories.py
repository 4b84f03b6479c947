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


def ten_messages() -> list[Draft]:
    """Between a, b, c and d, who are also a team; the bodies are their numbers."""
    a, b, c, d, team = "a@x.org", "b@x.org", "c@x.org", "d@x.org", "team@x.org"
    return [
        says(f"{a}/desk", b, "0", origin="o"),
        says(b, f"{a}/desk", "1"),
        says(a, c, "2"),
        says(c, b, "3"),
        says_to_alias(a, team, f"{b} {c}", d, body="4"),
        says_to_alias(d, team, f"{a} {b}", body="5"),
        says(a, a, "6"),
        says(b, a, "7"),
        says(c, a, "8"),
        says(a, b, "9"),
    ]


def chat(sender: str, to: str, body: str = "hello", origin: str = "", **fields) -> Chat:
    text = f"<body>{body}</body>"
    jids = {"sender": Jid.parse(sender), "to": Jid.parse(to)}
    return Chat(**jids, body=body, payload=text, origin_id=origin, is_lasting=True, **fields)


def values(message: Chat) -> dict:
    """A chat for comparison; chats themselves are compared by identity."""
    return {name: getattr(message, name) for name in Chat.__struct_fields__}
