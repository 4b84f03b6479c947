"""The server with a debug hook: ``python -m tests.faults.poisoned`` is `rookery`, but an actor fails at what tells it to.

A message in which ``poison-User-once`` stands fails the first time that an actor `User` handles it, ``poison-User-always``
every time. The failure is an error in the middle of a handler: whatever state the actor is in then, it is left so.
"""

from collections.abc import Callable, Sequence
from typing import Any

from actors.alias import Alias
from actors.archiver import Archiver
from actors.domain import Domain
from actors.session import Session
from actors.user import User
from config.cli import main

ACTORS = (Session, User, Alias, Domain, Archiver)


class PoisonError(RuntimeError):
    """What it is made to fail with."""


def poison(actor: type[Any]) -> None:
    """Make the handlers of this actor fail at what names it."""
    done: set[str] = set()

    def look(message: Any) -> None:
        text = repr(message)
        for how in ("once", "always"):
            mark = f"poison-{actor.__name__}-{how}"
            if mark in text and (how == "always" or mark not in done):
                done.add(mark)
                raise PoisonError(mark)

    def before(handler: Callable[..., Any]) -> Callable[..., Any]:
        def handle(self: Any, message: Any) -> Any:
            look(message)
            return handler(self, message)

        return handle

    if actor is Archiver:
        handle = Archiver.handle

        async def handle_batch(self: Archiver, batch: Sequence[Any]) -> None:
            for message in batch:
                look(message)
            await handle(self, batch)

        Archiver.handle = handle_batch  # type: ignore[method-assign]
    else:
        actor._handlers = {kind: before(handler) for kind, handler in actor._handlers.items()}


if __name__ == "__main__":
    for each in ACTORS:
        poison(each)
    main()
