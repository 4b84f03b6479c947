"""The server, put together: stores, actors, gateways, in this order; and taken apart in the opposite one.

``rookery ready`` is said when every listener is open. The contact index is brought up to date beside that: searches work on
what it has, and a start does not wait for a rebuild longer than `INDEX_SECONDS`.

At the end (SIGTERM, SIGINT or `stop`) every stream is told ``system-shutdown``, what was acknowledged is on disk anyway, and
the actors stop with their children before them.
"""

import gc
import logging
import signal
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib import metadata
from typing import Any, Final

import trio

from actors.backlog import Backlog
from actors.directory import Directory
from actors.pulse import Pulse
from actors.registrar import administer
from actors.retention import finish
from actors.runtime import ActorRef, Runtime
from actors.sessions import Sessions
from actors.supervisor import Ports, Supervisor, tell_sender
from config.processor import share_one_processor
from config.settings import Endpoint, Settings
from config.status import Meter
from config.upkeep import HistoryIndex, Stores, open_stores, purge_history, reindex, verify
from engine.blocking import BlockLists
from engine.contacts import Contact, ContactList, RemovedContact
from engine.files import FileOffer
from engine.ports import StorageUnavailable
from engine.xmpp.features import build_mux
from engine.xmpp.mux import Software
from engine.xmpp.rendering import Renderer
from engine.xmpp.stream_events import StreamOptions, random_token
from gateways import control, host_meta, tls, uploads, web, webmail_pages, webmail_socket, xmpp_tcp, xmpp_websocket
from gateways.files import Porter
from gateways.listener import CloseGateway
from gateways.reception import Reception
from gateways.sign_on import DEFAULT_AUDIENCE, SignOn, load_key
from gateways.web_socket import normalise_origin
from gateways.webmail_files import WebmailFiles
from gateways.webmail_login import WebmailLogins
from gateways.webmail_session import WebmailBell, WebmailDesk
from gateways.xmpp_tcp import Encryption
from index.rebuild import bring_up_to_date

log = logging.getLogger(__name__)

INDEX_SECONDS: Final = 1.0
"""How long a start waits for the contact index; a rebuild of 100,000 contacts takes longer and goes on in the background."""

REINDEX_PAUSE_SECONDS: Final = 0.01
"""Between two pages of messages that are indexed again at an operator's request: chat has the processor when it wants it."""

FINISH_SECONDS: Final = 600.0
"""Between two looks at whether the search index has words of what is in nobody's history any more; to make it anew costs as
much as reading the whole archive."""

SWITCH_SECONDS: Final = 0.0005
"""How long one thread keeps the interpreter from another that wants it: a commit changes threads a few times, and Python's own
5 ms for each would make it slow while the loop is busy."""

GARBAGE_THRESHOLD: Final = 50_000
"""New objects before the garbage collector looks: messages and elements die by reference count, cycles are rare."""


async def serve(settings: Settings, *, ready: Callable[[str], None], stop: trio.Event | None = None) -> None:
    """Serve until SIGTERM or SIGINT, until `stop` is set, or until cancelled.

    Args:
        settings: the configuration.
        ready: called once, with the line that starts with ``rookery ready``, when every listener is open.
        stop: another way to end it in good order.

    Raises:
        FolderError: the data folder is in use or cannot be used.
        DatabaseRefused: a database is damaged, foreign or newer.
        StorageUnavailable: a database cannot be read or written just now.
        CertificateError: the certificate cannot be used.
        KeyRefused: a key for sign-on cannot be used.
        OSError: an address cannot be listened on.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    with _no_garbage_yet(), await control.claim_for_server(settings.data_dir):
        async with open_stores(settings.data_dir) as stores:
            server = await _Server.prepare(settings, stores)
            await server.run(ready, trio.Event() if stop is None else stop)


class _Server:
    """One running server.

    Args:
        settings: the configuration.
        stores: what is kept, open.
        domains: the contacts of each domain.
        blocks: who blocks whom in each domain.
        newest: archive id.
        secret: of the accounts, for logins of who does not exist.
    """

    def __init__(
        self,
        settings: Settings,
        stores: Stores,
        *,
        domains: dict[str, ContactList],
        blocks: dict[str, BlockLists],
        newest: int,
        secret: bytes,
    ) -> None:
        self._settings = settings
        self._stores = stores
        self._directory = Directory()
        self._runtime = Runtime(tell_sender(self._directory))
        self._domains = domains
        self._blocks = blocks
        self._newest = newest
        self._files = FileOffer(file_bytes=settings.limits.file_bytes)
        software = Software(version=metadata.version("rookery"))
        mux = build_mux(software, Renderer(self._describe), self._files if _has_safe_web(settings) else None)
        self._options = StreamOptions(
            domains=self._directory.domains,
            secret=secret,
            limits=settings.limits,
            tls=settings.xmpp.tls,
            extra_features=mux.offers,
            extensions=frozenset(mux.nonzas),
        )
        self._sessions = Sessions(self._runtime, self._directory, stores.journal, random_token)
        self._reception = Reception(
            self._runtime,
            stores.accounts,
            self._sessions,
            mux,
            settings.limits,
            is_behind=Backlog(self._runtime, self._directory).is_behind,
        )
        self._gateways: list[ActorRef[Any]] = []
        self._pulse = Pulse()
        self._meter = Meter(
            stores, self._runtime, self._directory, self._reception, gateways=self._gateways, pulse=self._pulse
        )
        self._certificate = _certificate(settings, domains)

    @classmethod
    async def prepare(cls, settings: Settings, stores: Stores) -> "_Server":
        """Read what the actors begin with."""
        accounts = stores.accounts
        for domain in settings.domains:
            await accounts.add_domain(domain)
        owners, domains = await accounts.personal_owners(), {}
        for domain in await accounts.domains():
            entries = await accounts.contacts(domain)
            contacts = [entry for entry in entries if isinstance(entry, Contact)]
            of_domain = [owner for owner in owners if owner.endswith(f"@{domain}")]
            domains[domain] = ContactList(contacts, [e for e in entries if isinstance(e, RemovedContact)], of_domain)
        blocks = {domain: BlockLists(domain, await accounts.block_lists(domain)) for domain in domains}
        newest, secret = await stores.archive.newest(), await accounts.secret("login")
        return cls(settings, stores, domains=domains, blocks=blocks, newest=newest, secret=secret)

    async def run(self, ready: Callable[[str], None], stop: trio.Event) -> None:
        """Serve until `stop` is set or a signal says so."""
        async with trio.open_nursery() as nursery:
            await nursery.start(self._runtime.run)
            nursery.start_soon(share_one_processor)
            await self._start_actors()
            indexed = trio.Event()
            nursery.start_soon(self._bring_index_up_to_date, indexed)
            with trio.move_on_after(INDEX_SECONDS):
                await indexed.wait()
            nursery.start_soon(self._finish_removals)
            nursery.start_soon(self._pulse.run)
            await nursery.start(self._reception.run)
            async with trio.open_nursery() as doors:
                listening = await self._open_gateways(doors)
                await nursery.start(control.serve, self._settings.data_dir, self._answer())
                nursery.start_soon(_set_on_signal, stop)
                with _settled_garbage():
                    ready(f"rookery ready: {', '.join(listening)}")
                    await stop.wait()
                log.info("stopping")
                for gateway in self._gateways:
                    gateway.tell(CloseGateway())
            await self._runtime.stop_all()
            nursery.cancel_scope.cancel()

    async def _start_actors(self) -> None:
        stores = self._stores
        self._runtime.start(
            Supervisor,
            self._runtime,
            self._directory,
            Ports(
                stores.archive,
                stores.accounts,
                stores.search,
                stores.history,
                stores.texts,
                stores.retention,
                stores.histories,
                stores.files,
                stores.journal,
                self._reception.clock,
            ),
            self._settings.limits,
            newest=self._newest,
            domains=self._domains,
            blocks=self._blocks,
            configured=self._settings.domains,
        )
        await self._runtime.quiescent()

    async def _open_gateways(self, nursery: trio.Nursery) -> list[str]:
        settings, reception = self._settings, self._reception
        encryption = Encryption(
            tls.server_context(self._certificate, protocols=[tls.XMPP_CLIENT]), self._certificate.end_point
        )
        opened = []
        for name, endpoints, is_direct in (
            ("xmpp", settings.xmpp.listen, False),
            ("xmpps", settings.xmpp.direct_tls_listen, True),
        ):
            if endpoints:
                serve_xmpp = partial(xmpp_tcp.serve, direct_tls=is_direct, name=name)
                addresses = [_pair(endpoint) for endpoint in endpoints]
                opened.append((name, await nursery.start(serve_xmpp, reception, addresses, self._options, encryption)))
        if settings.web.listen is not None:
            web_encryption = None
            if settings.web.tls:
                web_encryption = Encryption(tls.server_context(self._certificate), self._certificate.end_point)
            addresses = [_pair(settings.web.listen)]
            routes = self._routes(web_encryption)
            listening = await nursery.start(web.serve, reception, addresses, routes, web_encryption)
            self._files.base = _web_address(settings, listening.addresses[0])  # the port may have been free to choose
            opened.append(("web", listening))
        if settings.metrics.listen is not None:
            from gateways import metrics  # noqa: PLC0415 -- its library takes a tenth of a second, which only its users pay

            addresses = [_pair(settings.metrics.listen)]
            routes = metrics.routes(self._meter.measures)
            serve_metrics = partial(web.serve, name="metrics")
            opened.append(("metrics", await nursery.start(serve_metrics, reception, addresses, routes, None)))
        self._gateways += [listening.gateway for _, listening in opened]
        return [f"{name} {address}" for name, listening in opened for address in listening.addresses]

    def _routes(self, encryption: Encryption | None) -> Mapping[str, web.Route]:
        settings = self._settings.web
        socket = xmpp_websocket.route(
            self._reception, self._options, encryption, allowed_origins=settings.allowed_origins
        )
        return {
            xmpp_websocket.PATH: socket,
            **host_meta.routes(self._directory.domains, settings.url),
            **self._webmail_routes(),
        }

    def _webmail_routes(self) -> Mapping[str, web.Route]:
        settings, reception = self._settings.web, self._reception
        desk = WebmailDesk(self._sessions, reception.deadlines, reception.clock, self._files)
        self._runtime.start(WebmailBell, desk, self._directory)
        logins = WebmailLogins(
            self._stores.accounts,
            reception.logins,
            desk,
            domains=self._directory.domains,
            secret=self._options.secret,
            clock=reception.clock,
        )
        origins = frozenset(map(normalise_origin, settings.allowed_origins))
        sign_on = SignOn(
            self._stores.accounts,
            logins,
            keys={domain: load_key(file) for domain, file in settings.sign_on_keys.items()},
            audience=settings.url or DEFAULT_AUDIENCE,
            clock=reception.clock,
            origins=origins | frozenset(map(normalise_origin, settings.frame_ancestors)),
        )
        store, porter, clock = self._stores.files, Porter(self._stores.files), reception.clock
        files = WebmailFiles(store, porter, logins, limits=self._settings.limits, clock=clock, origins=origins)
        return {
            webmail_socket.PATH: webmail_socket.route(reception, desk, logins, origins),
            **logins.routes(origins),
            **files.routes(),
            **sign_on.routes(),
            **uploads.routes(store, porter, clock),
            **webmail_pages.routes(settings.frame_ancestors),
        }

    def _describe(self, alias: str) -> str:
        contact = self._directory.contact(alias.rpartition("@")[2], alias)
        return "" if contact is None else contact.display_name

    async def _bring_index_up_to_date(self, done: trio.Event) -> None:
        try:
            for brought in await bring_up_to_date(self._stores.search, self._stores.accounts):
                log.info("contact index of %s: %s, %d entries", brought.domain, brought.outcome, brought.entries)
        except StorageUnavailable as error:  # search is behind; the next start or `rookery reindex` mends it
            log.warning("contact index: not brought up to date: %s", error)
        done.set()

    async def _finish_removals(self) -> None:
        """Now, what an earlier process left; from time to time, what the departures of members left."""
        index = HistoryIndex(self._stores, REINDEX_PAUSE_SECONDS)
        while True:
            try:
                await finish(self._stores.retention, index)
                await self._stores.files.sweep(int(self._reception.clock() * 1_000_000))
            except StorageUnavailable as error:
                log.warning("removed messages: not gone from everywhere yet, tried again later: %s", error)
            await trio.sleep(FINISH_SECONDS)

    def _answer(self) -> control.Answer:
        return control.router(
            administer=partial(administer, runtime=self._runtime, directory=self._directory),
            verify=partial(verify, self._stores),
            reindex=partial(reindex, self._stores, pause=REINDEX_PAUSE_SECONDS),
            purge=partial(purge_history, self._stores, pause=REINDEX_PAUSE_SECONDS),
            status=self._meter.figures,
        )


@contextmanager
def _no_garbage_yet() -> Iterator[None]:
    """A start makes much that stays, and the collector would look at all of it again and again."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def _settled_garbage() -> Iterator[None]:
    """What lives when the server is ready lives to its end: the collector need not look at it again."""
    before = gc.get_threshold()
    gc.enable()
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD, 20, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


async def _set_on_signal(stop: trio.Event) -> None:
    if threading.current_thread() is not threading.main_thread():
        return  # signals are for the main thread; whoever serves elsewhere has `stop`
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            stop.set()


def _certificate(settings: Settings, domains: Collection[str]) -> tls.Certificate:
    if settings.tls is not None:
        return tls.load(settings.tls.certificate, settings.tls.private_key)
    # COMPAT: libpurple compares the certificate with the address that it was told to connect to.
    loopback = {endpoint.host for _, endpoint in settings.listeners()} & {"127.0.0.1", "::1"}
    return tls.ensure_self_signed(settings.data_dir / "tls", sorted({*domains, *loopback}))


def _web_address(settings: Settings, listening_at: str) -> str:
    """The web port as XMPP clients reach it. `listening_at`: host and port that it has in fact."""
    web, place = settings.web, Endpoint.parse(listening_at)
    if web.url:
        return web.url
    if not web.tls:
        return f"http://{place}"
    name = settings.domains[0] if settings.domains else place.host  # what the certificate is for
    return f"https://{Endpoint(name, place.port)}"


def _has_safe_web(settings: Settings) -> bool:
    """XEP-0363, 5 asks for TLS; what never leaves the machine needs none."""
    web = settings.web
    if web.listen is None:
        return False
    return web.tls or web.url.startswith("https:") or (not web.url and web.listen.host in _LOOPBACK)


_LOOPBACK: Final = {"127.0.0.1", "::1", "localhost"}


def _pair(endpoint: Endpoint) -> tuple[str, int]:
    return endpoint.host, endpoint.port
