"""The harness itself, in short: it measures our server, and its counts are exact."""

import pytest

from tests.load.conductor import conduct
from tests.load.progress import Progress
from tests.load.rookery import Rookery
from tests.load.suite import STAGES, Scale
from tests.load.target import NotLoopbackError, Target, loopback_address

STEPS = frozenset(
    {"message-1", "message-8-tls", "presence", "alias", "login-tls", "return", "day", "message-1-web"}
    | {"web-message", "web-paced", "day-mixed"}
)
SCALE = Scale(users=8, seconds=0.3, rounds=1)


@pytest.fixture(scope="module")
def rows():
    found = conduct(STAGES, Rookery, SCALE, Progress(is_silent=True), lambda step: step.key in STEPS)
    return {row.step: row for row in found}


@pytest.mark.alone
@pytest.mark.parametrize("step", sorted(STEPS))
def test_work_is_counted_and_has_a_price(rows, step):
    row = rows[step]
    assert row.outcome == ""
    assert row.units >= SCALE.users - 1
    assert 0.1 < row.cpu_us < 100_000.0
    assert row.latency is not None
    assert 0.0 < row.latency.p50 <= row.latency.p99 <= row.latency.worst


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])
def test_only_loopback_is_driven(host):
    with pytest.raises(NotLoopbackError):
        loopback_address(host)
    with pytest.raises(NotLoopbackError):
        Target(host, 5222, "none", "load.example")


def test_loopback_is_driven():
    assert loopback_address("127.0.0.1") == "127.0.0.1"
    assert Target("127.0.0.1", 5222, "none", "load.example").address == ("127.0.0.1", 5222)
