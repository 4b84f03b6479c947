"""How a player reads his history (XEP-0313) and his conversations (XEP-0430)."""

from collections.abc import Sequence
from typing import Any
from xml.etree.ElementTree import Element

from tests.stage.player import C, Player, condition, is_error

MAM = "{urn:xmpp:mam:2}"
RSM = "{http://jabber.org/protocol/rsm}"
INBOX = "{urn:xmpp:inbox:1}"
STANZA_ID = "{urn:xmpp:sid:0}stanza-id"


class Page:
    """One page of a history as a client hears it.

    Attributes:
        results: the ``result`` elements, as they came.
        ids: their archive ids.
        messages: what they are around.
        bodies: of those.
        first, last, count, is_complete: what the answer says; None: nothing.
        error: the condition with which the query was refused; empty: it was not.
    """

    def __init__(self, results: Sequence[Element], answer: Element) -> None:
        self.results = results
        self.ids = [result.get("id") for result in results]
        self.messages = [inner for result in results if (inner := result.find(f".//{C}message")) is not None]
        self.bodies = [message.findtext(f"{C}body") for message in self.messages]
        self.error = condition(answer) if is_error(answer) else ""
        fin = answer.find(f"{MAM}fin")
        self.first, self.last, self.count = (
            None if fin is None else fin.findtext(f".//{RSM}{name}") for name in ("first", "last", "count")
        )
        self.is_complete = fin is not None and fin.get("complete") == "true"


async def read_page(player: Player, paging: str = "", *, is_flipped: bool = False, to: str = "", **fields: Any) -> Page:
    """One page. `fields`: of the form; ``with_`` is ``with`` and ``before_id`` is ``before-id``; a list has several values."""
    form = ""
    if fields:
        form = "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>urn:xmpp:mam:2</value></field>"
        for name, value in fields.items():
            values = "".join(f"<value>{each}</value>" for each in (value if isinstance(value, list) else [value]))
            form += f"<field var='{name.rstrip('_').replace('_', '-')}'>{values}</field>"
        form += "</x>"
    page = f"<set xmlns='http://jabber.org/protocol/rsm'>{paging}</set>" if paging else ""
    flip = "<flip-page/>" if is_flipped else ""
    query = f"<query xmlns='urn:xmpp:mam:2' queryid='q'>{form}{page}{flip}</query>"
    answer = await player.asks(query, kind="set", to=to)
    results = []
    for element in tuple(player.heard):
        result = element.find(f"{MAM}result[@queryid='q']")
        if result is not None:
            assert element.get("from") == player.bare
            results.append(result)
            player.heard.remove(element)
    return Page(results, answer)


async def read_all(player: Player, limit: int, *, is_backwards: bool = False, **fields: Any) -> list[str | None]:
    """The ids of a whole history, page by page, oldest first."""
    ids: list[str | None] = []
    place = "<before/>" if is_backwards else ""
    while True:
        page = await read_page(player, f"<max>{limit}</max>{place}", **fields)
        ids = [*page.ids, *ids] if is_backwards else [*ids, *page.ids]
        if page.is_complete:
            return ids
        place = f"<before>{page.first}</before>" if is_backwards else f"<after>{page.last}</after>"


async def read_inbox(
    player: Player, attributes: str = "", paging: str = ""
) -> tuple[list[tuple[str, str | None, int]], Element]:
    """With whom, the newest body and the unread messages of each conversation; and the sums."""
    page = f"<set xmlns='http://jabber.org/protocol/rsm'>{paging}</set>" if paging else ""
    answer = await player.asks(f"<inbox xmlns='urn:xmpp:inbox:1'{attributes}>{page}</inbox>")
    listed = []
    for element in tuple(player.heard):
        entry = element.find(f"{INBOX}entry")
        if entry is not None:
            body = element.findtext(f"{MAM}result//{C}body")
            listed.append((entry.get("jid", ""), body, int(entry.get("unread", ""))))
            player.heard.remove(element)
    fin = answer.find(f"{INBOX}fin")
    assert fin is not None
    return listed, fin


def live_id(message: Element) -> str:
    """The archive id that a live message has."""
    found = message.find(STANZA_ID)
    assert found is not None
    return found.get("id", "")
