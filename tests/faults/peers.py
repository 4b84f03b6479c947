"""Debian's Prosody and ejabberd under the same fault, with the same clients, each with its own store and with SQLite.

They run as `make load-peers` runs them: stream management and archive on, no limits. What is asked of them can be seen from
outside: what their acknowledgements and their readers said, what text is anywhere in their files, what memory they have.
"""

import os
import signal
import sqlite3
import ssl
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterable
from contextlib import closing, suppress
from functools import cached_property
from pathlib import Path
from typing import cast

import trio

from tests.faults.client import SASL
from tests.faults.outcome import Outcome, has_time, keep_meanwhile
from tests.faults.server import Server
from tests.faults.talk import HOME, PASSWORD, PEOPLE, Talk, Talker
from tests.load.peers.peer import Peer
from tests.load.session import Account

PEER_SECONDS = 240.0
"""For one peer with one store, in one row."""


class PeerTalker(Talker):
    """A client of somebody else's server: PLAIN over TLS, which all of them take."""

    async def logs_in(self, password: str) -> None:
        """See `Client.logs_in`."""
        await self._hears_tag("features")
        token = b64encode(f"\0{self.bare.partition('@')[0]}\0{password}".encode()).decode()
        await self.sends(f"<auth xmlns='{SASL}' mechanism='PLAIN'>{token}</auth>")
        await self._hears_tag("success")
        await self.opens()
        await self._hears_tag("features")


class PeerHost:
    """What a client needs to know of a peer; in the place of a `Server`."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self.name = HOME
        self.ports = {"xmpps": peer.ports["tls"]}

    async def connect(self, listener: str) -> trio.SocketStream:
        """See `Server.connect`."""
        return await trio.open_tcp_stream("127.0.0.1", self.ports[listener])

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """Trusts its certificate."""
        return ssl.create_default_context(cafile=str(self._peer.certificate.chain_file))


async def enter_peer(
    nursery: trio.Nursery, peer: Peer, talk: Talk, address: str, *, counts: bool = False, device: str = "desk"
) -> PeerTalker:
    """Log in, be there, and take part, as `tests.faults.talk.enter`."""
    PeerTalker.talk = talk
    talker = await PeerTalker.enter(nursery, cast("Server", PeerHost(peer)), f"{address}/{device}", PASSWORD)
    talker.join(talk)
    if counts:
        await talker.counts()
    await talker.is_present()
    return talker


def accounts(addresses: Iterable[str]) -> list[Account]:
    """For a peer."""
    return [Account(address.partition("@")[0], HOME, PASSWORD) for address in addresses]


def kept_texts(folder: Path) -> str:
    """Whatever text a peer's files have, in the databases and elsewhere."""
    found = []
    for file in folder.rglob("*"):
        if not file.is_file() or file.name.endswith((".log", "-shm", "-wal", "-journal")):
            continue
        if file.suffix in {".sqlite", ".db"}:
            with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(file)) as database:
                found += list(database.iterdump())
        else:
            found.append(file.read_bytes().decode("latin-1"))
    return "\n".join(found)


def kill(peer: Peer) -> None:
    """Kill -9 all of its processes."""
    process = peer._process
    assert process is not None
    os.killpg(process.pid, signal.SIGKILL)  # it has a group of its own
    process.wait()


def start_again(peer: Peer) -> None:
    """On the files that it has: configured and with its accounts."""
    peer.configure = peer.enroll = lambda: None  # type: ignore[method-assign]
    peer.start()


async def beside_peers(
    outcome: Outcome,
    ask: Callable[[Peer], Awaitable[str]],
    show: Callable[[str], None],
    *,
    people: Iterable[str] = PEOPLE,
    domains: tuple[str, ...] = (HOME,),
    is_running: bool = True,
) -> None:
    """Ask each peer with each store, and add the answers to a row; one that cannot be had is no fault of ours."""
    from tests.load.peers.ejabberd import Ejabberd
    from tests.load.peers.prosody import Prosody

    for maker in (Prosody, Ejabberd):
        for kind in ("default", "sqlite"):
            name, peer = f"{maker.name}, {kind}", None
            keep_meanwhile(outcome)
            if not has_time():
                outcome.peers[name] = "not asked, the time was over"
                continue
            try:
                peer = maker(domains, kind)  # type: ignore[arg-type]
                name = f"{peer.name} {peer.version}, {peer.backing}"
                if is_running:
                    peer.provide(accounts(people))
                    await trio.to_thread.run_sync(peer.start)
                with trio.fail_after(PEER_SECONDS):
                    outcome.peers[name] = await ask(peer)
            except Exception as error:  # noqa: BLE001
                outcome.peers[name] = f"could not be tried: {error!r}"[:300]
            finally:
                if peer is not None:
                    peer.remove()
            show(f"{name}: {outcome.peers[name]}")
