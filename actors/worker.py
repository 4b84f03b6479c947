"""An actor that must wait: its messages are handled by its own trio task, as many at a time as are there.

Same reference, inbox and life as every `TrioActor`; instead of `on_receive` there is one coroutine, `handle`, that gets
everything that came while the last batch was being handled, up to `batch_limit`. That is what makes one commit, and one fsync,
of a hundred messages.

**Failure.** A supervised worker is restarted in place, and the messages of the failed batch are handled again, now one by one,
so that one bad message does not take the others along; one that fails alone is set aside. `handle` may thus see a message
twice and must bear that. A message that was asked gets its error as the answer; otherwise None once it was handled.

Pykka's own messages (stop, proxy calls) are handled between batches, in order, and do not await.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import trio
from pykka import ActorDeadError
from pykka._envelope import Envelope

from actors.doze import Doze
from actors.mailbox import WORKER_MAILBOX_LIMIT, Policy
from actors.seat import PYKKA_MESSAGES, Seat, TrioActor
from actors.supervision import Supervision, message_of

if TYPE_CHECKING:
    from actors.dispatcher import Dispatcher


class Worker(TrioActor):
    """Base of the actors that await.

    Attributes:
        batch_limit: messages that `handle` gets at most.
        busy_since: when the batch was begun that is being handled (`trio.current_time`); None: none is.
    """

    mailbox_limit: ClassVar[int] = WORKER_MAILBOX_LIMIT
    mailbox_policy: ClassVar[Policy] = Policy.REFUSE
    batch_limit: ClassVar[int] = 256
    busy_since: float | None = None

    async def linger(self) -> None:
        """Wait a moment before the next batch is taken, if more is worth waiting for."""

    async def handle(self, batch: Sequence[Any]) -> None:
        """Handle messages, in the order in which they came.

        Args:
            batch: 1 to `batch_limit` of them.
        """
        raise NotImplementedError


async def work(supervision: Supervision, dispatcher: "Dispatcher", release: Callable[[Seat], None], seat: Seat) -> None:
    """The task of one worker: works until the actor stops."""
    doze = Doze()

    def wake() -> None:
        dispatcher.worker_is_busy()
        doze.wake()

    seat.wake = wake
    try:
        supervision.begin(seat)
        while not seat.stopped.value:
            if seat.items:
                await seat.actor.linger()  # type: ignore[attr-defined]
            batch = _take_batch(seat)
            if batch:
                await _work_off(supervision, seat, batch)
            elif seat.items:
                _receive(supervision, seat, seat.items.popleft())
            else:
                seat.items = None
                seat.is_scheduled = False
                dispatcher.worker_is_idle()
                await doze.wait()
    finally:
        seat.stopped.set()
        release(seat)
        if seat.is_scheduled:
            dispatcher.worker_is_idle()


def _take_batch(seat: Seat) -> list[Any]:
    """What waits, up to the next one of Pykka's own messages."""
    batch: list[Any] = []
    items = seat.items
    limit = seat.actor.batch_limit  # type: ignore[attr-defined]
    while items and len(batch) < limit and type(message_of(items[0])) not in PYKKA_MESSAGES:
        batch.append(items.popleft())
    return batch


def _receive(supervision: Supervision, seat: Seat, item: Any) -> None:
    try:
        seat.receive(item)
    except Exception as error:  # noqa: BLE001 - decided by its owner
        supervision.recover(seat, item, error)


async def _work_off(supervision: Supervision, seat: Seat, batch: list[Any]) -> None:
    try:
        await _handle(seat, batch)
    except Exception as error:  # noqa: BLE001 - decided by its owner
        if len(batch) == 1 and _answer_error(batch[0], error):
            return
        messages = tuple(message_of(item) for item in batch)
        is_going_on = supervision.recover_worker(seat, messages, error)
    else:
        return
    for item in batch:
        if not is_going_on or seat.stopped.value:
            _answer_error(item, ActorDeadError(f"{seat.title} stopped before handling the message"))
            continue
        try:
            await _handle(seat, [item])
        except Exception as again:  # noqa: BLE001 - decided by its owner
            if not _answer_error(item, again):
                supervision.put_aside(seat, message_of(item), again)


async def _handle(seat: Seat, batch: list[Any]) -> None:
    worker = seat.actor
    worker.busy_since = trio.current_time()  # type: ignore[attr-defined]
    try:
        await worker.handle([message_of(item) for item in batch])  # type: ignore[attr-defined]
    finally:
        worker.busy_since = None  # type: ignore[attr-defined]
    for item in batch:
        if type(item) is Envelope and item.reply_to is not None:
            item.reply_to.set(None)


def _answer_error(item: Any, error: Exception) -> bool:
    """Answer an ask with its error; False if it was a tell."""
    if type(item) is not Envelope or item.reply_to is None:
        return False
    item.reply_to.set_exception((type(error), error, error.__traceback__))
    return True
