"""A look at raw bytes, where expat tells too late: what an unfinished token will be, and where it ends.

expat reports a token when it has all of it. The parser must know earlier: a comment is refused where it starts, and the rest
of a long tag is kept back until its end, so that expat does not read its beginning again and again. A tag ends at the first
``>`` outside quotes; no byte is looked at twice for that.
"""

import re
from typing import Final

_CDATA: Final = b"<![CDATA["
_QUOTE_OR_END = re.compile(rb"['\"<>]")


def find_tag_end(data: bytes | bytearray, at: int, quote: int) -> tuple[int, int]:
    """Search an unfinished tag's end.

    Args:
        data: what comes after the part of the tag that was searched already.
        at: where in `data` to begin.
        quote: the quotation mark inside which the tag stands there; 0 outside quotes.

    Returns:
        Where in `data` the tag ends (0: not there), and the quotation mark at the end of `data`. A ``<`` outside quotes ends
        it too: it is wrong, and expat shall say so.
    """
    while at < len(data):
        if quote:
            found = data.find(quote, at)
            if found < 0:
                break
            at, quote = found + 1, 0
        elif (match := _QUOTE_OR_END.search(data, at)) is None:
            break
        elif match.group() in b"<>":
            return match.end(), 0
        else:
            at, quote = match.end(), match.group()[0]
    return 0, quote


def until_opener(tail: bytes, piece: bytes) -> bytes:
    """Up to where one can see that something other than a tag begins, before expat says what is wrong inside of it."""
    is_within = tail[:1] == b"<" and len(tail) < 6
    seen = tail + piece if is_within else piece
    if b"<!" not in seen and b"<?" not in seen:
        return piece
    ends = [seen.find(opener) + size for opener, size in ((b"<!", 3), (b"<?", 6)) if opener in seen]
    return seen[: min(ends)][len(seen) - len(piece) :] or piece


def is_restricted(construct: bytes) -> bool:
    """Whether this begins something other than a tag, text or the XML declaration."""
    if construct.startswith(b"<!"):
        return len(construct) > 2 and not _CDATA.startswith(construct[:9])
    return (
        construct.startswith(b"<?")
        and len(construct) > 5
        and not (construct[:5] == b"<?xml" and construct[5] in b" \t\r\n")
    )


def open_quote(tag: bytes) -> int:
    """The quote inside which an unfinished tag ends; 0 outside quotes."""
    quote = 0
    for match in re.finditer(rb"['\"]", tag):
        byte = match.group()[0]
        if not quote:
            quote = byte
        elif byte == quote:
            quote = 0
    return quote
