"""What sources owe of the processor, and what that means for whose turn is next."""

import contextlib
import os
import selectors
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import trio
from trio.testing import MockClock

from gateways.dues import BULK_BYTES, BULK_SECONDS, FREE_SHARE, MOST_SECONDS, WRITTEN_SECONDS, Dues, Turn
from gateways.poller import BATCH_SECONDS, CALM_SECONDS, PASS_BYTES, PASS_SECONDS, READ, Poller
from gateways.socket_stream import READ_BYTES

HEAVY_SECONDS = 0.001
LIGHT_SECONDS = 0.0003


class Somebody:
    """A source, as the dues see it."""

    def __init__(self, pending: int = 0) -> None:
        self._pending = pending

    def pending(self) -> int:
        return self._pending


A = Somebody()


WRITTEN = READ_BYTES * WRITTEN_SECONDS


def took(source: Somebody, seconds: float, size: int = READ_BYTES) -> list[Turn]:
    return [Turn(source, seconds, size)]


def owing(seconds: float, now: float) -> Dues:
    dues = Dues()
    first = dues.wait(A, now)
    dues.charge(took(A, 0.0, 0), 1.0, now)
    dues.wait(A, now + first / FREE_SHARE)
    dues.charge(took(A, seconds - WRITTEN) if seconds else took(A, 0.0, 0), 1.0, now)
    return dues


def test_what_is_used_is_forgiven_with_time():
    dues = owing(0.004, 10.0)
    assert dues.wait(A, 10.1) == pytest.approx(0.004 - 0.1 * FREE_SHARE)
    assert dues.wait(A, 10.1) > dues.wait(Somebody(), 10.1) == BULK_SECONDS
    dues = owing(0.004, 10.0)
    assert dues.wait(A, 10.3) == 0.0


def test_nothing_is_forgiven_while_there_is_more_to_do():
    dues = owing(0.004, 10.0)
    dues.wait(A, 10.0)
    assert dues.wait(A, 20.0) == pytest.approx(0.004)
    dues.charge(took(A, 0.001), 2.0, 20.0)
    assert dues.wait(A, 20.05) == pytest.approx(0.004 + 0.002 + WRITTEN - 0.05 * FREE_SHARE)


def test_nobody_owes_more_than_the_most():
    dues = owing(0.0, 1.0)
    for _ in range(3):
        dues.charge(took(A, MOST_SECONDS, 1_000_000), 1.0, 1.0)
    assert dues.wait(A, 1.0) == MOST_SECONDS
    dues.forget(A)
    dues.forget(Somebody())
    dues.charge(took(A, 1.0), 1.0, 1.0)  # it ended in its turn
    assert len(dues) == 0


def test_who_is_met_with_much_to_say_comes_behind_who_has_little():
    dues = Dues()
    some, much, little = Somebody(2 * BULK_BYTES), Somebody(20 * BULK_BYTES), Somebody(200)
    assert dues.wait(little, 1.0) == BULK_SECONDS < dues.wait(some, 1.0) < dues.wait(much, 1.0)


def test_a_short_message_is_never_charged_a_long_time():
    dues = owing(0.0, 1.0)
    dues.charge(took(A, 0.2, 150), 1.0, 1.0)  # in its turn garbage was collected
    assert dues.wait(A, 1.0) < 3 * BULK_SECONDS
    dues = owing(0.0, 1.0)
    dues.charge(took(A, 0.03), 1.0, 1.0)  # what was read is full of short messages
    assert dues.wait(A, 1.0) == pytest.approx(0.03 + WRITTEN)


def test_what_was_read_quickly_is_written_all_the_same():
    dues = owing(0.0, 1.0)
    dues.charge(took(A, 0.0001), 1.0, 1.0)
    dues.charge(took(A, 0.0001), 1.0, 1.0)
    assert dues.wait(A, 1.0) > BULK_SECONDS


class Clock:
    """Goes on when somebody works, and when nobody can."""

    def __init__(self) -> None:
        self.now = 100.0
        self.worked = 0.0

    def __call__(self) -> float:
        return self.now

    def work(self, seconds: float) -> None:
        self.now += seconds
        self.worked += seconds


class Worker:
    """A source that has something to say, all the time or when it is told to, and takes its time for it."""

    def __init__(self, crowd: "Crowd", poller: Poller, seconds: float, *, is_heavy: bool) -> None:
        self._crowd = crowd
        self._poller = poller
        self._seconds = seconds
        self._is_heavy = is_heavy
        self.stands_still = 0.0  # once, so long
        self.collects = 0.0  # garbage, once, for so long
        self.turns = 0
        self.since: float | None = None
        self.longest = 0.0

    def fileno(self) -> int:
        return self._crowd.numbers[self]

    def pending(self) -> int:
        return 10 * READ_BYTES if self._is_heavy else 200

    def on_ready(self, _events: int) -> int:
        clock = self._crowd.clock
        clock.work(self._seconds + self.collects)
        clock.now += self.stands_still
        self.stands_still = self.collects = 0.0
        self.turns += 1
        if self._is_heavy:
            self._poller.hear_much()
        if self.since is not None:
            self.longest = max(self.longest, clock.now - self.since)
            self.since = None
            self._crowd.ready.discard(self)
        return READ_BYTES if self._is_heavy else 200

    def on_failure(self, error: Exception) -> None:
        raise error


class Crowd(selectors.DefaultSelector):
    """A selector in memory, of those who say that they are ready. Its own descriptor can always be read."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        self.looks = 0
        self.ready: set[Worker] = set()
        self.numbers: dict[Worker, int] = {}
        self._keys: dict[int, selectors.SelectorKey] = {}
        self._near, self._far = os.pipe()
        os.write(self._far, b"x")

    def add(self, poller: Poller, seconds: float, *, is_ready: bool, is_heavy: bool | None = None) -> Worker:
        is_heavy = seconds >= HEAVY_SECONDS if is_heavy is None else is_heavy
        worker = Worker(self, poller, seconds, is_heavy=is_heavy)
        self.numbers[worker] = len(self.numbers) + 1_000_000
        poller.watch(worker, worker, READ)  # type: ignore[arg-type]
        if is_ready:
            self.ready.add(worker)
        return worker

    def register(self, fileobj, events, data=None):
        key = selectors.SelectorKey(fileobj, fileobj, events, data)
        self._keys[fileobj] = key
        return key

    def get_map(self):
        return self._keys

    def select(self, timeout=None):
        self.looks += 1
        self.clock.work(1e-6 * len(self.ready))
        return [(self._keys[fd], READ) for worker, fd in self.numbers.items() if worker in self.ready]

    def fileno(self) -> int:
        return self._near

    def close(self) -> None:
        super().close()
        os.close(self._near)
        os.close(self._far)


@contextlib.asynccontextmanager
async def polling(
    monkeypatch: pytest.MonkeyPatch,
    is_behind: Callable[[], bool] = lambda: False,
    actors: Callable[[Clock], None] = lambda _: None,
) -> AsyncIterator[tuple[Poller, Crowd]]:
    clock = Clock()
    crowd = Crowd(clock)
    monkeypatch.setattr(selectors, "DefaultSelector", lambda: crowd)

    @contextlib.contextmanager
    def batch() -> Iterator[None]:
        yield
        actors(clock)

    poller = Poller(batch, is_behind, clock, lambda: clock.worked)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(poller.run)
        yield poller, crowd
        nursery.cancel_scope.cancel()
    poller.close()


def light_beside_a_thousand(crowd: Crowd, poller: Poller) -> Worker:
    """The one that says something now and then; the others always have more."""
    for _ in range(1_000):
        crowd.add(poller, HEAVY_SECONDS, is_ready=True)
    return crowd.add(poller, LIGHT_SECONDS, is_ready=False)


async def until(crowd: Crowd, seconds: float) -> None:
    """So much work was done."""
    end = crowd.clock.now + seconds
    while crowd.clock.now < end:
        await trio.lowlevel.checkpoint()


async def turns_of_others() -> None:
    for _ in range(10):
        await trio.lowlevel.checkpoint()


async def speaks(crowd: Crowd, light: Worker, times: int) -> None:
    """Says something each 20 ms, when the last one was heard."""
    for _ in range(times):
        light.since = crowd.clock.now
        crowd.ready.add(light)
        while light.since is not None:
            await trio.lowlevel.checkpoint()
        await until(crowd, 0.02)


async def test_a_light_one_is_served_at_once_beside_a_thousand_heavy_ones(monkeypatch: pytest.MonkeyPatch):
    async with polling(monkeypatch) as (poller, crowd):
        heavy = [crowd.add(poller, HEAVY_SECONDS, is_ready=True) for _ in range(1_000)]
        light = crowd.add(poller, LIGHT_SECONDS, is_ready=False)
        await until(crowd, 2.0)  # all had a first turn: until then nobody knows who is heavy
        began, turns = crowd.clock.now, sum(worker.turns for worker in heavy)
        await speaks(crowd, light, 50)
        elapsed, turns = crowd.clock.now - began, sum(worker.turns for worker in heavy) - turns
        assert light.longest < 0.015  # one pass: 8 ms for 1,000, and its own
        assert turns * HEAVY_SECONDS > 0.8 * elapsed  # and the others have what is left
        assert max(worker.turns for worker in heavy) - min(worker.turns for worker in heavy) <= 2


async def test_a_light_one_is_served_at_once_when_a_thousand_begin(monkeypatch: pytest.MonkeyPatch):
    async with polling(monkeypatch) as (poller, crowd):
        light = light_beside_a_thousand(crowd, poller)
        await speaks(crowd, light, 50)
        assert light.longest < 0.03  # until it is seen that others wait, and one pass


async def test_a_light_one_does_not_pay_for_garbage_of_all(monkeypatch: pytest.MonkeyPatch):
    """Beside a thousand others, one message of two people waited for 14 s: its sender was charged a turn of 20 ms."""
    async with polling(monkeypatch) as (poller, crowd):
        light = light_beside_a_thousand(crowd, poller)
        await speaks(crowd, light, 10)
        light.collects = 0.2
        await speaks(crowd, light, 1)
        light.longest = 0.0
        await speaks(crowd, light, 10)
        assert light.longest < 0.015


async def test_nor_for_the_time_in_which_others_had_the_processor(monkeypatch: pytest.MonkeyPatch):
    is_behind = False
    async with polling(monkeypatch, lambda: is_behind) as (poller, crowd):
        light = light_beside_a_thousand(crowd, poller)
        await speaks(crowd, light, 10)
        light.stands_still = 0.2
        await speaks(crowd, light, 1)
        is_behind, light.longest, light.since = True, 0.0, crowd.clock.now
        crowd.ready.add(light)
        await turns_of_others()
        assert light.longest > 0.0  # he was heard, though those inside are behind


async def test_nor_for_what_the_actors_had_to_do_before(monkeypatch: pytest.MonkeyPatch):
    is_behind = False
    async with polling(monkeypatch, lambda: is_behind, lambda clock: clock.work(0.02 * is_behind)) as (poller, crowd):
        light = light_beside_a_thousand(crowd, poller)
        await speaks(crowd, light, 10)
        is_behind = True
        await speaks(crowd, light, 10)
        assert light.longest < 0.03


async def test_one_heavy_one_alone_is_not_slowed(monkeypatch: pytest.MonkeyPatch):
    async with polling(monkeypatch) as (poller, crowd):
        heavy = crowd.add(poller, HEAVY_SECONDS, is_ready=True)
        crowd.add(poller, LIGHT_SECONDS, is_ready=False)
        began = crowd.clock.now
        await until(crowd, 1.0)
        alone = heavy.turns / (crowd.clock.now - began)
        others = [crowd.add(poller, HEAVY_SECONDS, is_ready=True) for _ in range(100)]
        await until(crowd, 2.0)
        crowd.ready.difference_update(others)
        before, began = heavy.turns, crowd.clock.now  # it owes much, and nobody else wants anything
        await until(crowd, 1.0)
        assert alone > 0.99 / HEAVY_SECONDS
        assert (heavy.turns - before) / (crowd.clock.now - began) > 0.99 / HEAVY_SECONDS


async def test_who_owes_much_waits_while_those_inside_are_behind(monkeypatch: pytest.MonkeyPatch):
    is_behind = False
    async with polling(monkeypatch, lambda: is_behind) as (poller, crowd):
        heavy = [crowd.add(poller, HEAVY_SECONDS, is_ready=True) for _ in range(20)]
        light = crowd.add(poller, LIGHT_SECONDS, is_ready=False)
        await until(crowd, 2 * len(heavy) * HEAVY_SECONDS + PASS_SECONDS)
        assert HEAVY_SECONDS > BULK_SECONDS
        is_behind = True
        await turns_of_others()
        turns = sum(worker.turns for worker in heavy)
        light.since = crowd.clock.now
        crowd.ready.add(light)
        while light.since is not None:
            await trio.lowlevel.checkpoint()
        assert sum(worker.turns for worker in heavy) == turns
        is_behind = False
        while sum(worker.turns for worker in heavy) == turns:
            await trio.lowlevel.checkpoint()


async def test_a_pass_brings_no_more_than_is_written_quickly(monkeypatch: pytest.MonkeyPatch):
    quick = 0.0002  # so that the time of a pass is enough for more
    async with polling(monkeypatch) as (poller, crowd):
        heavy = [crowd.add(poller, quick, is_ready=True, is_heavy=True) for _ in range(1_000)]
        await until(crowd, 0.1)
        turns, looks = sum(worker.turns for worker in heavy), crowd.looks
        await until(crowd, 1.0)
        assert (sum(worker.turns for worker in heavy) - turns) / (crowd.looks - looks) <= PASS_BYTES / READ_BYTES + 1


async def test_looking_for_those_who_owe_little_takes_a_quarter_of_the_time(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
):
    async with polling(monkeypatch, lambda: True) as (poller, crowd):
        for _ in range(1_000):
            crowd.add(poller, HEAVY_SECONDS, is_ready=True)
        await trio.sleep(1.0)
        began, looks = trio.current_time(), crowd.looks
        await trio.sleep(1.0)
        looking = (crowd.looks - looks) * 0.001
        assert 0.1 < looking < (trio.current_time() - began) / 3 + 0.01


async def test_nobody_is_counted_while_there_is_enough_for_all(monkeypatch: pytest.MonkeyPatch):
    async with polling(monkeypatch) as (poller, crowd):
        workers = [crowd.add(poller, 0.0001, is_ready=True) for _ in range(10)]
        await until(crowd, 0.5)
        assert len(poller._dues) == 0
        workers += [crowd.add(poller, BATCH_SECONDS, is_ready=True) for _ in range(10)]
        await until(crowd, 0.5)
        assert len(poller._dues) == 20
        crowd.ready.difference_update(workers[10:])
        await until(crowd, CALM_SECONDS + 1.0)
        assert crowd.clock.now > poller._is_fair_until


async def test_nobody_is_counted_while_all_say_a_little(monkeypatch: pytest.MonkeyPatch):
    async with polling(monkeypatch, lambda: True) as (poller, crowd):
        for _ in range(1_000):
            crowd.add(poller, LIGHT_SECONDS, is_ready=True)
        await until(crowd, 2 * 1_000 * LIGHT_SECONDS)
        assert len(poller._dues) == 0
