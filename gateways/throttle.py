"""How fast one may try to log in.

Owns who failed lately, and answers one question: how long does this attempt wait? Nobody is ever refused here, and no
account is ever locked: a lock would hand everybody a way to keep its owner out.

- **An account at an address** (an IPv6 address stands for its /64: that is what one customer has) waits longer with each
  further failure, and its attempts wait one behind the other, so that opening many connections at once does not help.
- **The address as a whole** likewise, over all accounts that fail there. Each account adds only its first few failures, so one
  forgotten phone with an old password does not slow down the office that it is in.
- **The account as a whole**, at which failures are aimed from whatever addresses, waits a little longer too, up to
  `ACCOUNT_CAP_SECONDS`: enough to make guessing from many addresses slow, short enough for the owner to hardly notice.
- **Where an account logged in before, it is at home**: only its own failures count there, not those of others behind the same
  address nor those of strangers elsewhere.
- **New connections** of one address beyond `logins_per_minute` wait for their turn.

A failure is forgotten `FORGET_SECONDS` after the last one. Tables are bounded; the entry that was used least recently goes
first. What a flood of addresses or accounts can push out is the memory of its own failures. Time is `trio.current_time`, given
by the caller: these are plain rules over values.
"""

import ipaddress
from collections import OrderedDict
from functools import lru_cache
from typing import Final, TypeVar

import msgspec

K = TypeVar("K")
V = TypeVar("V")

ADDRESSES_KEPT: Final = 1_024
"""Whose network is remembered: an office comes from one, and comes often."""

FREE_FAILURES: Final = 3
"""Typing mistakes that cost nothing."""

FIRST_DELAY_SECONDS: Final = 0.5
"""After the first failure that is not free; doubles with each further one."""

ADDRESS_CAP_SECONDS: Final = 16.0
"""Longest wait between two attempts of one address, or of an account there: 5,400 guesses a day, and within the seconds that
a login may take."""

ACCOUNT_CAP_SECONDS: Final = 2.0
"""Longest wait of an account because of strangers."""

FORGET_SECONDS: Final = 900.0
"""A quiet quarter of an hour, and the address or account is like any other."""

KEYS: Final = 20_000
"""Entries of each table; one takes about 200 bytes."""

NO_QUEUE_SECONDS: Final = 120.0
"""Longest wait that is handed out: whoever opens more connections than that has no use for them."""


class Failures(msgspec.Struct):
    """What is known of one key.

    Attributes:
        count: failures that are not forgotten.
        last: time of the newest of them.
        free_at: when the next attempt may go on.
        is_home: of an account at an address: it has logged in there.
    """

    count: int = 0
    last: float = 0.0
    free_at: float = 0.0
    is_home: bool = False


class Throttle:
    """The memory of failures of one process.

    Args:
        logins_per_minute: new connections of one network address; 0: no limit.
        keys: bound of each table.
    """

    def __init__(self, logins_per_minute: int = 0, keys: int = KEYS) -> None:
        self._interval = 60.0 / logins_per_minute if logins_per_minute else 0.0
        self._keys = keys
        self._addresses: OrderedDict[str, Failures] = OrderedDict()
        self._accounts: OrderedDict[str, Failures] = OrderedDict()
        self._pairs: OrderedDict[tuple[str, str], Failures] = OrderedDict()
        self._arrivals: OrderedDict[str, float] = OrderedDict()

    def connection_delay(self, address: str, now: float) -> float:
        """Seconds that a new connection from here waits before it is served.

        A minute's worth may come at once; what is beyond is spread evenly.
        """
        if not self._interval:
            return 0.0
        key = network_of(address)
        burst = 60.0 - self._interval
        due = max(self._arrivals.pop(key, now), now)
        wait = min(max(due - now - burst, 0.0), NO_QUEUE_SECONDS)
        self._arrivals[key] = min(due + self._interval, now + burst + NO_QUEUE_SECONDS)
        _trim(self._arrivals, self._keys)
        return wait

    def login_delay(self, address: str, account: str, now: float) -> float:
        """Seconds that this attempt waits before it is looked at; an attempt that waits has taken its place in the queue."""
        key = network_of(address)
        delay = 0.0
        if (pair := _fresh(self._pairs, (key, account), now)) is not None:
            delay = _queue(pair, now)
            if pair.is_home:
                return delay
        if (failures := _fresh(self._addresses, key, now)) is not None:
            delay = max(delay, _queue(failures, now))
        if (failures := _fresh(self._accounts, account, now)) is not None:
            delay = max(delay, min(_pause(failures.count), ACCOUNT_CAP_SECONDS))
        return delay

    def failed(self, address: str, account: str, now: float) -> None:
        """This attempt showed no right password."""
        key = network_of(address)
        pair = self._entry(self._pairs, (key, account), now)
        _count(pair, now)
        if pair.is_home:
            return
        _count(self._entry(self._accounts, account, now), now)
        if pair.count <= FREE_FAILURES:
            _count(self._entry(self._addresses, key, now), now)

    def succeeded(self, address: str, account: str, now: float) -> None:
        """The account is at home at this address from now on."""
        pair = (network_of(address), account)
        self._pairs.pop(pair, None)
        self._pairs[pair] = Failures(last=now, is_home=True)
        _trim(self._pairs, self._keys)

    def _entry(self, table: "OrderedDict[K, Failures]", key: K, now: float) -> Failures:
        failures = _fresh(table, key, now)
        if failures is None:
            failures = table[key] = Failures()
            _trim(table, self._keys)
        return failures


@lru_cache(ADDRESSES_KEPT)
def network_of(address: str) -> str:
    """Whom a network address stands for: itself, or the /64 of an IPv6 one."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))


def _pause(count: int) -> float:
    """What so many failures cost, before any cap."""
    beyond = count - FREE_FAILURES
    return FIRST_DELAY_SECONDS * 2.0 ** min(beyond - 1, 16) if beyond > 0 else 0.0


def _queue(failures: Failures, now: float) -> float:
    """Take the next place behind the attempts that wait already."""
    pause = min(_pause(failures.count), ADDRESS_CAP_SECONDS)
    if not pause:
        return 0.0
    wait = max(failures.free_at, now) - now + pause
    if wait > NO_QUEUE_SECONDS:
        return NO_QUEUE_SECONDS
    failures.free_at = now + wait
    return wait


def _count(failures: Failures, now: float) -> None:
    failures.count += 1
    failures.last = now


def _fresh(table: "OrderedDict[K, Failures]", key: K, now: float) -> Failures | None:
    """The entry of this key, used just now; one whose failures are forgotten counts from nothing."""
    failures = table.get(key)
    if failures is None:
        return None
    if failures.count and now - failures.last > FORGET_SECONDS:
        failures.count = 0
    table.move_to_end(key)
    return failures


def _trim(table: "OrderedDict[K, V]", keys: int) -> None:
    while len(table) > keys:
        table.popitem(last=False)
