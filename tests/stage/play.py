"""`play`: a scene, told once, is performed on every stage."""

import functools
import inspect
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.stage.memory_stage import memory_stage
from tests.stage.socket_stage import socket_stage
from tests.stage.stage import Stage

Theatre = Callable[[], AbstractAsyncContextManager[Stage]]


def play(scene: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """A test of the scene in memory with a mock clock, and one over real sockets with TLS.

    Args:
        scene: its first parameter is the `Stage`; others are pytest's.
    """

    @pytest.mark.parametrize("theatre", ["memory", "sockets"])
    def perform(theatre: str, **others: Any) -> None:
        async def main() -> None:
            async with THEATRES[theatre]() as stage:
                await scene(stage, **others)

        trio.run(main, clock=MockClock(autojump_threshold=0) if theatre == "memory" else None)

    functools.update_wrapper(perform, scene)
    _, *others = inspect.signature(scene).parameters.values()
    theatre = inspect.Parameter("theatre", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    perform.__signature__ = inspect.Signature([theatre, *others])  # type: ignore[attr-defined]
    return perform


THEATRES: dict[str, Theatre] = {"memory": memory_stage, "sockets": socket_stage}
