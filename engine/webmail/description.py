"""The page about the frames, made of themselves: ``python -m engine.webmail.description > docs/webmail-protocol.md``."""

import inspect
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final, get_args

import msgspec

from engine.webmail import frames as f
from engine.webmail.attachments import File, Uploaded

_FROM_BROWSER: Final[Sequence[Any]] = get_args(f.Asked)
_TO_BROWSER: Final[Sequence[Any]] = (
    f.Welcome,
    f.Contacts,
    f.Presences,
    f.OwnStatus,
    f.Chat,
    f.Displayed,
    f.Typing,
    f.Failed,
    f.Conversations,
    f.History,
    f.Found,
    f.Card,
    f.Refused,
    f.Pong,
    f.Bye,
)
_ATTRIBUTE: Final = re.compile(r"^ {4}(\w+):")
_PARTS: Final[Sequence[Any]] = (f.You, f.Person, f.Seen, File, Uploaded, f.Recent)


def lines() -> Iterable[str]:
    """The page, in Markdown, line by line."""
    yield f"# The webmail's socket, version {f.VERSION}"
    yield ""
    yield "Made of `engine/webmail/frames.py`; do not edit."
    yield ""
    yield from inspect.cleandoc(f.__doc__ or "").splitlines()
    for title, structs in (("From the browser", _FROM_BROWSER), ("To the browser", _TO_BROWSER), ("Parts", _PARTS)):
        yield ""
        yield f"## {title}"
        for struct in structs:
            yield ""
            yield from _describe(struct)


def _describe(struct: Any) -> Iterable[str]:
    tag = struct.__struct_config__.tag
    yield f"### `{tag or struct.__name__}`"
    yield ""
    text = inspect.cleandoc(struct.__doc__ or "").replace("\n\nAttributes:\n", "\n\n")
    yield from (_ATTRIBUTE.sub(r"- `\1`:", line) for line in text.splitlines())
    fields = msgspec.structs.fields(struct)
    if fields:
        yield ""
        yield "| key | type | when absent |"
        yield "|---|---|---|"
        for field in fields:
            default = "it is always there" if field.required else f"`{msgspec.json.encode(field.default).decode()}`"
            yield f"| `{field.encode_name}` | `{_name(field.type)}` | {default} |"


def _name(kind: Any) -> str:
    text = kind.__name__ if isinstance(kind, type) and not get_args(kind) else str(kind)
    return (
        text.replace("engine.webmail.frames.", "")
        .replace("engine.webmail.attachments.", "")
        .replace("engine.presence.", "")
        .replace("|", "or")
    )


if __name__ == "__main__":
    print("\n".join(lines()))  # noqa: T201 -- the page itself
