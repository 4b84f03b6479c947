"""Kill -9 under load, as rows of the table: `tests.faults.kill` (a crowd that logs in anew) and `tests.faults.resume` (sessions
that go on)."""

from collections.abc import Callable

from tests.faults import kill, kill_peers, resume
from tests.faults.oracle import FAULTS
from tests.faults.outcome import Outcome, Scale, has_time, part_of, too_few
from tests.faults.peers import beside_peers

KILLS, RESUMPTIONS = 1_000, 100
"""Rounds of the long form."""

SHORT_KILLS = 30


async def play_kill(seed: int, scale: Scale, show: Callable[[str], None]) -> Outcome:
    """Twenty sessions send as fast as they are heard; the server is killed at a random moment, sometimes again in its start."""
    rounds = part_of(KILLS) if scale == "long" else SHORT_KILLS
    total, told = await kill.play(rounds, seed, show)
    outcome = Outcome(
        name="kill",
        fault=f"kill -9 at a random moment while twenty sessions send, {rounds:,} rounds; what was not seen is sent again",
        bar="0 acknowledged messages lost, doubled, misplaced or reordered",
        figure=", ".join(f"{total[name]} {name}" for name in FAULTS),
        problems=told + too_few(total["rounds"], rounds, "rounds"),
        counts={name: total[name] for name in ("rounds", "sent", "flying", "seen", "archived", "resent", "late")},
    )
    if scale == "long" and has_time():
        await beside_peers(outcome, kill_peers.asking(seed), show)
    return outcome


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
