"""The network that can be cut: what passes before, and that nothing passes afterwards, unsaid."""

from pathlib import Path

import pytest
import trio

from tests.faults.network import ADDRESSES, Network, missing

SILENCE_SECONDS = 0.5


def namespace() -> Path:
    """In which this thread is."""
    return Path("/proc/thread-self/ns/net").readlink()


@pytest.mark.skipif(bool(missing()), reason="needs root and network namespaces")
async def test_nothing_passes_after_the_cut_and_nobody_says_so():
    before = namespace()
    with Network() as network:
        sock = trio.socket.from_stdlib_socket(network.socket("near"))
        await sock.bind((ADDRESSES["near"], 0))
        sock.listen()
        listener = trio.SocketListener(sock)
        far = await network.connect("far", sock.getsockname()[1])
        near = await listener.accept()
        for one, other in ((near, far), (far, near)):
            await one.send_all(b"before")
            assert await other.receive_some() == b"before"
        network.cut()
        for one, other in ((near, far), (far, near)):
            await one.send_all(b"after")
            with trio.move_on_after(SILENCE_SECONDS) as patience:
                pytest.fail(f"came: {await other.receive_some()!r}")
            assert patience.cancelled_caught
        for end in (listener, near, far):
            await end.aclose()
    assert namespace() == before
