"""What a running server says of itself, in figures: for `rookery status`, and for Prometheus (`gateways.metrics`).

Both show the same measures. In the status a figure is named by its name and labels (``queue_archiver``); figures that
differ by a reason are one sum, with the reasons beside it in words.
"""

import resource
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

import trio

from actors.directory import (
    ARCHIVER,
    CATALOGUER,
    DEPARTURES,
    FINDER,
    HISTORIAN,
    INDEXER,
    LIBRARIAN,
    REGISTRAR,
    SCRIBE,
    SURVEYOR,
    Directory,
)
from actors.pulse import Pulse
from actors.runtime import ActorRef, Runtime
from config.upkeep import Stores
from engine.measures import Label, Measure
from gateways.listener import FetchStatus, GatewayStatus
from gateways.reception import Reception

Figures = dict[str, str | int | float | bool | None]

WORKERS: Final = {
    name.strip("_"): name
    for name in (ARCHIVER, HISTORIAN, LIBRARIAN, SURVEYOR, FINDER, CATALOGUER, SCRIBE, INDEXER, REGISTRAR, DEPARTURES)
}


class Meter:
    """Looks at a running server.

    Args:
        stores: what it keeps.
        runtime: its actors.
        directory: where they are found.
        reception: of its connections.
        gateways: of its listeners; may become more.
        pulse: of its thread.
    """

    def __init__(
        self,
        stores: Stores,
        runtime: Runtime,
        directory: Directory,
        reception: Reception,
        *,
        gateways: Sequence[ActorRef[Any]],
        pulse: Pulse,
    ) -> None:
        self._stores = stores
        self._runtime = runtime
        self._directory = directory
        self._reception = reception
        self._gateways = gateways
        self._pulse = pulse

    async def figures(self) -> Figures:
        """Figures by name, in the order in which they are to be shown."""
        statuses = await self._statuses()
        found: Figures = {"server": "running"}
        found |= {f"{status.name}_listens": ", ".join(status.addresses) for status in statuses}
        measures = [*self._people(), *_listeners(statuses), *await self._work()]
        for name, same in groupby(measures, key=lambda measure: measure.name):
            found |= _shown(name, list(same))
        return found | {"memory_peak_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}

    async def measures(self) -> list[Measure]:
        """All measures, those of one name in a row."""
        return [*self._people(), *_listeners(await self._statuses()), *await self._work()]

    async def _statuses(self) -> list[GatewayStatus]:
        return [
            await gateway.ask(FetchStatus(), block=False).wait()  # type: ignore[attr-defined]
            for gateway in self._gateways
        ]

    def _people(self) -> Iterator[Measure]:
        reception, logins = self._reception, self._reception.logins
        sessions = sum("/" in address and "@" in address for address in self._directory.addresses())
        yield Measure("domains", "Domains that are served", len(self._directory.domains))
        yield Measure("sessions", "Sessions, those included whose clients may come back", sessions)
        yield Measure("not_logged_in", "Connections that are not logged in", reception.visitors)
        yield Measure("logins_waiting", "Attempts to log in that are under way", logins.in_flight)
        outcomes = {"right": logins.successes, "wrong": logins.failures, "too many at once": logins.shed}
        yield from _totals("logins", "Attempts to log in, by outcome", "reason", outcomes)
        yield Measure("client_bytes", "Memory of clients that have more than their own share", reception.budget.held)
        yield Measure(
            "clients_cut", "Clients that were cut to keep within the memory of all", reception.budget.cut, is_total=True
        )

    async def _work(self) -> list[Measure]:
        state, queues, stores = self._runtime.status, self._runtime.queues, self._stores
        return [
            Measure("actors", "Actors", state.actors),
            Measure("actors_ready", "Actors that have something to do now", state.ready),
            Measure("messages_handled", "Messages that actors handled, without workers", state.messages, is_total=True),
            Measure("timers", "Timers that are pending", state.timers),
            Measure("pulse_delay_seconds", "How late the thread was at worst in the last minute", self._pulse.worst),
            Measure("mailboxes_waiting", "Messages in all mailboxes", queues.waiting),
            Measure("mailbox_deepest", "Messages in the fullest mailbox", queues.deepest),
            *_totals("dropped", "Messages lost at the limit of a mailbox", "reason", _dropped(queues.dropped)),
            *self._workers(),
            *self._archive(),
            Measure("search_messages", "Messages that a search can find", await stores.history.count()),
            Measure("search_behind_seconds", "Age of the oldest message that none finds yet", await _behind(stores)),
            Measure("restarts", "Actors that failed and were made anew", state.restarts, is_total=True),
            Measure("set_aside", "Messages that failed twice and were given up", state.set_aside, is_total=True),
        ]

    def _workers(self) -> Iterator[Measure]:
        for label, name in WORKERS.items():
            ref = self._directory.find(name)
            if ref is not None:
                yield Measure("queue", "Messages that wait for a worker", len(ref.actor_inbox), (("worker", label),))  # type: ignore[arg-type]

    def _archive(self) -> Iterator[Measure]:
        ref = self._directory.find(ARCHIVER)
        if ref is None:
            return
        inbox: Any = ref.actor_inbox
        archiver = inbox.actor
        lag = 0.0 if archiver.busy_since is None else trio.current_time() - archiver.busy_since
        yield Measure("archive_queue", "Messages that wait for the archive", len(inbox))
        yield Measure("archive_lag_seconds", "How long the write that is under way has taken so far", round(lag, 3))
        yield Measure("archive_commits", "Writes to the archive", archiver.commits, is_total=True)
        yield Measure("archived", "Messages that were archived", archiver.archived, is_total=True)
        yield Measure("archive_refused", "Messages that could not be archived", archiver.refused, is_total=True)


def _listeners(statuses: Sequence[GatewayStatus]) -> Iterator[Measure]:
    for status in statuses:
        yield Measure("connections", "Connections, by listener", status.open, (("listener", status.name),))
    for status in statuses:
        yield Measure(
            "accepted", "Connections since the start", status.accepted, (("listener", status.name),), is_total=True
        )
    for name, text in (("refused", "Connections that were turned away"), ("ended", "Connections that are over")):
        for status in statuses:
            yield from _totals(name, text, "reason", getattr(status, name), ("listener", status.name))


def _totals(name: str, text: str, label: str, counts: Mapping[str, int], *labels: Label) -> Iterator[Measure]:
    for value, count in (counts or {"": 0}).items():
        yield Measure(name, text, count, (*labels, (label, value)), is_total=True)


def _dropped(counts: Mapping[tuple[str, str], int]) -> dict[str, int]:
    return {f"{actor}: {reason}": count for (actor, reason), count in counts.items()}


def _shown(name: str, same: Sequence[Measure]) -> Figures:
    """As the status shows measures of one name."""
    if not same[0].labels:
        return {name: same[0].value}
    found: Figures = {}
    for labels, ones in groupby(same, key=lambda measure: [value for key, value in measure.labels if key != "reason"]):
        counts = list(ones)
        is_first = bool(labels) and dict(counts[0].labels).get("listener")
        shown = "_".join([*labels, name] if is_first else [name, *labels])
        found[shown] = sum(int(count.value or 0) for count in counts)
        reasons = [(dict(count.labels).get("reason"), count.value) for count in counts]
        if any(reason and value for reason, value in reasons):
            found[f"{shown}_reasons"] = ", ".join(f"{reason} {value:.0f}" for reason, value in reasons if value)
    return found


async def _behind(stores: Stores) -> float:
    """The age of the oldest message that a search does not find yet, in seconds."""
    missing = await stores.texts.since(await stores.history.newest(), 1)
    return round(max(0.0, time.time() - missing[0].id / 1_000_000), 3) if missing else 0.0
