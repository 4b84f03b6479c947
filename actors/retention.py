"""Taking messages out of the archive for good: one truth for the running server and for the command line beside a stopped one.

The rules are in `engine.retention`. What is begun is written down by the archive and the accounts, so whatever ends the
process, the next one finishes it. Between two steps others have the disk for longer than the last step had it (`PACE`).

**The search index** has the words of what was removed until it is made anew. A purge does that at once; after departures
`renew` does it for all of them together: it costs as much as reading the whole archive.
"""

from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import msgspec
import trio

from engine import administration as a
from engine.errors import Refusal
from engine.ports import Accounts, StorageUnavailable
from engine.retention import Retention, Step, check_purge


class WordIndex(Protocol):
    """The history search, as far as it is made from the archive. Both methods raise `StorageUnavailable`."""

    async def catch_up(self) -> None:
        """Know all that the archive has by now."""

    async def renew(self) -> None:
        """Be made anew of what the archive has; nothing of the old index is left on the disk."""


PACE: Final = 2.0
"""Pause after a step of a running server, in times that the step took: the disk is free for chat for two thirds of the time."""


async def purge(
    command: a.PurgeHistory, retention: Retention, index: WordIndex, *, now: int, pace: float = PACE
) -> a.Purged | a.Refused:
    """Remove what is too old, from the archive, its log and the search index; or say what that would be.

    Args:
        command: from before when.
        retention: of the archive.
        index: made anew if anything was removed since it was the last time.
        now: microseconds since 1970.
        pace: see `PACE`; 0 beside a stopped server.
    """
    try:
        check_purge(command.before, now)
        extent = await retention.extent(command.before)
        if not command.is_rehearsal:
            await index.catch_up()  # or a page that was read before the purge would come into the index after it
            await _repeat(retention.purge, command.before, pace)
            await renew(retention, index)
            if not await retention.empty_log():
                return a.Refused(f"{extent.messages} messages removed, but {_LOG_IN_USE}; run this again later")
    except Refusal as refusal:
        return a.Refused(refusal.text)
    except StorageUnavailable as error:
        return a.Refused(f"the archive cannot be read or written just now: {error}")
    return a.Purged(extent)


async def take_leave(address: str, accounts: Accounts, retention: Retention, *, pace: float = PACE) -> int:
    """Remove the history of a member who was removed; from then on the address may be given again.

    Returns:
        How many messages were in it.

    Raises:
        StorageUnavailable: not all of it is gone; the address stays among those that are `departing`.
    """
    removed = await _repeat(retention.depart, address, pace)
    await accounts.departed(address)
    return removed


def with_history(result: a.Done, messages: int | None) -> a.Done:
    """The answer to an operator who removed a member. `messages`: see `take_leave`; None: they go later."""
    if messages == 0:
        return result
    if messages is None:
        note = "its history is removed as soon as the archive can be written; until then the address is not given again"
    else:
        note = f"its history removed: {messages} message{'' if messages == 1 else 's'}; the others keep theirs"
    return msgspec.structs.replace(result, notes=(*result.notes, note))


async def renew(retention: Retention, index: WordIndex) -> None:
    """Make the search index anew if anything was removed since it was the last time.

    Raises:
        StorageUnavailable: it is to be tried again.
    """
    erased, is_stale = await retention.erased()
    if is_stale:
        await index.renew()
        await retention.renewed(erased)


async def finish(retention: Retention, index: WordIndex, *, pace: float = PACE) -> None:
    """Do what is left of a purge that was cut short, and what departures leave to be done for all of them together.

    Raises:
        StorageUnavailable: it is to be tried again.
    """
    before = await retention.unfinished()
    if before is not None:
        await _repeat(retention.purge, before, pace)
    if (await retention.erased())[1]:
        await renew(retention, index)
        await retention.empty_log()


async def _repeat(step: Callable[..., Awaitable[Step]], argument: str | int, pace: float) -> int:
    removed = 0
    while True:
        begun = trio.current_time()
        done = await step(argument)
        removed += done.removed
        if done.is_done:
            return removed
        await trio.sleep(pace * (trio.current_time() - begun))


_LOG_IN_USE: Final = "the archive's log still has them, because another program reads the archive"
