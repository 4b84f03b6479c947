"""The whole table as one command: each row once, a result for each, an end in time. And processes that are forked."""

import signal

import trio

from tests.faults import spawner
from tests.faults.__main__ import ROWS
from tests.faults.outcome import Outcome, too_few
from tests.faults.schedule import ALONE, BESIDE, Plan


def test_every_row_has_its_time():
    assert sorted(ALONE + BESIDE) == sorted(ROWS)


async def test_what_the_time_was_too_short_for_has_missed():
    kept: list[Outcome] = []
    await Plan(("kill", "actors"), (), 1, 0.0, lambda _: None, kept.append).play()
    assert [(each.name, each.verdict) for each in kept] == [("actors", "missed"), ("kill", "missed")]


async def test_a_row_that_breaks_has_missed_and_the_next_one_is_played():
    kept: list[Outcome] = []
    await Plan(("kill", "limits"), ("--no-such-option",), 1, 5.0, lambda _: None, kept.append).play()
    assert [each.verdict for each in kept] == ["missed", "missed"]
    assert "no result, status 2" in kept[0].figure


def test_fewer_rounds_than_asked_for_are_a_problem():
    assert too_few(9, 10, "rounds")
    assert too_few(10, 10, "rounds") == []


async def test_a_forked_process_says_what_it_has_to_say():
    done = await spawner.run(["--version"])
    assert (done.returncode, done.stdout.split()[0]) == (0, b"rookery")
    wrong = await spawner.run(["no-such-command"])
    assert wrong.returncode == 2
    assert b"no-such-command" in wrong.stderr


async def test_a_forked_process_can_be_killed(tmp_path):
    with (tmp_path / "log").open("wb") as log:
        process = spawner.Forked(["demo", "--no-such-option"], {}, log.fileno())
        process.kill()
        with trio.fail_after(10):
            status = await process.wait()
        assert process.stdout is not None
        await process.stdout.aclose()
    assert status in {-signal.SIGKILL, 2}
    assert process.poll() == status
