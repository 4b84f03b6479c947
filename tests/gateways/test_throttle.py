"""How fast one may try to log in."""

from gateways.throttle import (
    ACCOUNT_CAP_SECONDS,
    ADDRESS_CAP_SECONDS,
    FORGET_SECONDS,
    FREE_FAILURES,
    NO_QUEUE_SECONDS,
    Throttle,
    network_of,
)

HERE, THERE = "192.0.2.1", "198.51.100.7"
ALICE, BOB = "alice@example.com", "bob@example.com"


def fail(throttle: Throttle, times: int, address: str = HERE, account: str = ALICE, now: float = 0.0) -> None:
    for _ in range(times):
        throttle.failed(address, account, now)


def test_typing_mistakes_cost_nothing():
    throttle = Throttle()
    fail(throttle, FREE_FAILURES)
    assert throttle.login_delay(HERE, ALICE, 1.0) == 0.0


def test_each_further_failure_costs_more_up_to_a_cap():
    throttle = Throttle()
    fail(throttle, FREE_FAILURES)
    delays = []
    for attempt in range(10):
        now = 100.0 * attempt
        fail(throttle, 1, now=now)
        delays.append(throttle.login_delay(HERE, ALICE, now))
    assert delays == sorted(delays)
    assert delays[:3] == [0.5, 1.0, 2.0]
    assert delays[-1] == ADDRESS_CAP_SECONDS


def test_attempts_at_the_same_time_wait_one_behind_the_other():
    throttle = Throttle()
    fail(throttle, FREE_FAILURES + 2)
    assert [throttle.login_delay(HERE, ALICE, 5.0) for _ in range(3)] == [1.0, 2.0, 3.0]


def test_the_queue_is_bounded():
    throttle = Throttle()
    fail(throttle, 50)
    assert max(throttle.login_delay(HERE, ALICE, 0.0) for _ in range(1_000)) == NO_QUEUE_SECONDS


def test_one_address_that_tries_many_accounts_is_slowed_down():
    throttle = Throttle()
    for number in range(20):
        throttle.failed(HERE, f"user{number}@example.com", 0.0)
    assert throttle.login_delay(HERE, "next@example.com", 0.0) == ADDRESS_CAP_SECONDS
    assert throttle.login_delay(THERE, "next@example.com", 0.0) == 0.0


def test_one_account_that_is_tried_from_many_addresses_waits_a_little():
    throttle = Throttle()
    for number in range(100):
        throttle.failed(f"203.0.113.{number}", ALICE, 0.0)
    assert throttle.login_delay(HERE, ALICE, 0.0) == ACCOUNT_CAP_SECONDS


def test_the_owner_is_not_slowed_down_where_he_is_at_home():
    throttle = Throttle()
    throttle.succeeded(HERE, ALICE, 0.0)
    for number in range(100):
        throttle.failed(f"203.0.113.{number}", ALICE, 0.0)
        throttle.failed(HERE, f"user{number}@example.com", 0.0)
    assert throttle.login_delay(HERE, ALICE, 0.0) == 0.0


def test_a_forgotten_phone_does_not_slow_down_its_office():
    throttle = Throttle()
    fail(throttle, 1_000)
    assert throttle.login_delay(HERE, BOB, 0.0) == 0.0
    assert throttle.login_delay(HERE, ALICE, 0.0) == ADDRESS_CAP_SECONDS


def test_guessing_at_home_is_slowed_down_too():
    throttle = Throttle()
    throttle.succeeded(HERE, ALICE, 0.0)
    fail(throttle, FREE_FAILURES + 1)
    assert throttle.login_delay(HERE, ALICE, 0.0) == 0.5


def test_a_success_forgives():
    throttle = Throttle()
    fail(throttle, 10)
    throttle.succeeded(HERE, ALICE, 0.0)
    assert throttle.login_delay(HERE, ALICE, 0.0) == 0.0


def test_failures_are_forgotten():
    throttle = Throttle()
    fail(throttle, 10)
    assert throttle.login_delay(HERE, ALICE, FORGET_SECONDS + 1) == 0.0


def test_tables_are_bounded():
    throttle = Throttle(keys=100, logins_per_minute=10)
    for number in range(1_000):
        address = f"10.0.{number // 256}.{number % 256}"
        throttle.connection_delay(address, 0.0)
        throttle.failed(address, f"user{number}@example.com", 0.0)
        throttle.succeeded(address, f"user{number}@example.com", 0.0)
    for table in (throttle._addresses, throttle._accounts, throttle._pairs, throttle._arrivals):
        assert len(table) == 100


def test_no_limit_on_connections_means_none():
    throttle = Throttle(logins_per_minute=0)
    assert {throttle.connection_delay(HERE, 0.0) for _ in range(1_000)} == {0.0}


def test_connections_beyond_a_minutes_worth_are_spread_evenly():
    throttle = Throttle(logins_per_minute=60)
    delays = [throttle.connection_delay(HERE, 0.0) for _ in range(63)]
    assert delays == [0.0] * 60 + [1.0, 2.0, 3.0]
    assert throttle.connection_delay(THERE, 0.0) == 0.0
    assert throttle.connection_delay(HERE, 60.0 + 4.0) == 0.0


def test_the_wait_for_a_connection_is_bounded():
    throttle = Throttle(logins_per_minute=60)
    assert max(throttle.connection_delay(HERE, 0.0) for _ in range(10_000)) == NO_QUEUE_SECONDS


def test_an_ipv6_customer_has_one_network():
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:1") != network_of("2001:db8:0:1::1")
    assert network_of("::ffff:192.0.2.1") == "192.0.2.1"
    assert network_of("fe80::1%eth0") == network_of("fe80::2")
    assert network_of("not an address") == "not an address"
