"""Kill -9 under load, as rows of the table: `tests.faults.kill` (a crowd that logs in anew) and `tests.faults.resume` (sessions
that go on)."""

from collections.abc import Callable

from tests.faults import kill, resume
from tests.faults.oracle import FAULTS
from tests.faults.outcome import Outcome, Scale, part_of

KILLS, RESUMPTIONS = 300, 100
"""Rounds of the long form: with 4 s for a round of twenty sessions, a thousand would take longer than all other rows together.
``python -m tests.faults.kill --rounds 1000`` does as many."""


async def play_kill(seed: int, scale: Scale, show: Callable[[str], None]) -> Outcome:
    """Twenty sessions send as fast as they are heard; the server is killed at a random moment, sometimes again in its start."""
    rounds = part_of(KILLS) if scale == "long" else 2
    total, told = await kill.play(rounds, seed, show)
    return Outcome(
        name="kill",
        fault=f"kill -9 at a random moment while twenty sessions send, {rounds} rounds; what was not seen is sent again",
        bar="0 acknowledged messages lost, doubled, misplaced or reordered",
        figure=", ".join(f"{total[name]} {name}" for name in FAULTS),
        problems=told,
        counts={"rounds": rounds, **{name: total[name] for name in ("sent", "seen", "archived", "resent", "late")}},
    )


async def play_resume(seed: int, scale: Scale, show: Callable[[str], None]) -> Outcome:
    """Five people with two devices each; the sessions outlive the server."""
    rounds = part_of(RESUMPTIONS) if scale == "long" else 2
    figures, faults = await resume.play(rounds, seed, show)
    return Outcome(
        name="resume",
        fault=f"kill -9 or broken connections while ten devices talk, {rounds} rounds; every session is resumed (XEP-0198)",
        bar="every session resumed; each device has each message once, in order",
        figure=f"{figures['resumed']} sessions resumed, {len(faults)} faults",
        problems=faults,
        counts=dict(figures),
    )
