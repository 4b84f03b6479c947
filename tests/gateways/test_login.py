"""The login desk when very many come at once."""

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from engine.jid import Jid
from engine.ports import StorageUnavailable, Verifier
from engine.xmpp.scram import make_verifiers
from gateways.login import LOGINS_IN_FLIGHT, Logins
from gateways.throttle import Throttle

ALICE = Jid.parse("alice@example.com")
VERIFIER = make_verifiers("secret", iterations=4_096)["sha-256"]


class SlowAccounts:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.may_answer = trio.Event()

    async def verifier(self, address: str, hash_name: str) -> Verifier | None:
        await self.may_answer.wait()
        return None


async def test_beyond_what_can_wait_attempts_are_turned_away_at_once(autojump_clock):
    accounts = SlowAccounts()
    logins = Logins(accounts, Throttle())  # type: ignore[arg-type]
    async with trio.open_nursery() as nursery:
        for _ in range(LOGINS_IN_FLIGHT):
            nursery.start_soon(logins.check, "192.0.2.1", ALICE, "guess", VERIFIER)
        await wait_all_tasks_blocked()
        assert logins.in_flight == LOGINS_IN_FLIGHT
        with pytest.raises(StorageUnavailable):
            await logins.check("192.0.2.2", ALICE, "secret", VERIFIER)
        assert logins.shed == 1
        nursery.cancel_scope.cancel()
    assert logins.in_flight == 0
