"""What people say and hear about blocking (XEP-0191)."""

from tests.stage.player import C, Player, condition, is_error
from tests.stage.stage import Stage

NS = "urn:xmpp:blocking"
BLOCKED = "{urn:xmpp:blocking:errors}blocked"
SALES = "salesteam@example.com"
LIST = f"<blocklist xmlns='{NS}'/>"
PING = "<ping xmlns='urn:xmpp:ping'/>"
CARD = "<vCard xmlns='vcard-temp'/>"
INFO = "<query xmlns='http://jabber.org/protocol/disco#info'/>"


def command(kind: str, *addresses: str) -> str:
    items = "".join(f"<item jid='{address}'/>" for address in addresses)
    return f"<{kind} xmlns='{NS}'>{items}</{kind}>"


async def tries(player: Player, kind: str, *addresses: str) -> str:
    """The condition with which a command is refused; empty when it is not."""
    answer = await player.asks(command(kind, *addresses), "set")
    return condition(answer) if is_error(answer) else ""


async def blocks(player: Player, *addresses: str) -> None:
    assert await tries(player, "block", *addresses) == ""


async def unblocks(player: Player, *addresses: str) -> None:
    assert await tries(player, "unblock", *addresses) == ""


async def blocked(player: Player) -> list[str]:
    answer = await player.asks(LIST)
    return [item.get("jid", "") for item in answer.iter(f"{{{NS}}}item")]


async def hears_push(player: Player) -> tuple[str, list[str]]:
    push = await player.hears(lambda e: e.tag == f"{C}iq" and e.get("type") == "set", "a push")
    assert push.get("from") is None
    return push[0].tag.rpartition("}")[2], [item.get("jid", "") for item in push[0]]


async def hears_refusal(player: Player) -> tuple[str, str, bool]:
    """Of the next stanza that is refused: its id, the condition, and whether it says that the sender blocks."""
    error = await player.hears(is_error, "a refusal")
    return error.get("id", ""), condition(error), next(error.iter(BLOCKED), None) is not None


async def settled(stage: Stage, *players: Player) -> None:
    for player in players:
        await stage.settle(player)
    for player in players:
        player.forget()
