"""`rookery status`: what a running server says of itself, in figures."""

import resource
import time
from collections.abc import Sequence
from typing import Any

from actors.directory import ARCHIVER, Directory
from actors.runtime import ActorRef, Runtime
from config.upkeep import Stores
from gateways.listener import FetchStatus
from gateways.reception import Reception

Figures = dict[str, str | int | float | bool | None]


async def figures(
    stores: Stores,
    runtime: Runtime,
    directory: Directory,
    reception: Reception,
    gateways: Sequence[ActorRef[Any]],
) -> Figures:
    """Figures by name, in the order in which they are to be shown."""
    found: Figures = {
        "server": "running",
        "domains": len(directory.domains),
        "sessions": sum("/" in address and "@" in address for address in directory.addresses()),
        "not_logged_in": reception.visitors,
    }
    for gateway in gateways:
        status = await gateway.ask(FetchStatus(), block=False).wait()  # type: ignore[attr-defined]
        found[f"{status.name}_listens"] = ", ".join(status.addresses)
        found[f"{status.name}_connections"] = status.open
        found[f"{status.name}_accepted"] = status.accepted
        found[f"{status.name}_refused"] = sum(status.refused.values())
    state = runtime.status
    archiver = directory.find(ARCHIVER)
    found |= {
        "actors": state.actors,
        "actors_ready": state.ready,
        "messages_handled": state.messages,
        "timers": state.timers,
        "archive_queue": len(archiver.actor_inbox) if archiver is not None else None,  # type: ignore[arg-type]
        "search_messages": await stores.history.count(),
        "search_behind_seconds": await _seconds_behind(stores),
        "restarts": state.restarts,
        "set_aside": state.set_aside,
        "memory_peak_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }
    return found


async def _seconds_behind(stores: Stores) -> float:
    """The age of the oldest message that a search does not find yet."""
    missing = await stores.texts.since(await stores.history.newest(), 1)
    return round(max(0.0, time.time() - missing[0].id / 1_000_000), 3) if missing else 0.0
