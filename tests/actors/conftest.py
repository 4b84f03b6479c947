"""A runtime that runs, and a log."""

import pytest

from actors.runtime import Runtime


@pytest.fixture
async def runtime(nursery):
    runtime = Runtime()
    await nursery.start(runtime.run)
    return runtime


@pytest.fixture
def log():
    return []
