"""One client's connection, over a transport that only remembers; time stands still until a test moves it."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from engine import messages as m
from engine.errors import StreamCondition
from engine.limits import (
    CLOSE_SECONDS,
    LIVENESS_SECONDS,
    LOGIN_SECONDS,
    OUTPUT_BYTES,
    PING_AFTER_SECONDS,
    Limits,
)
from engine.xmpp.stream import ClientStream
from gateways.budget import Budget
from gateways.connection import Connection
from gateways.connection_base import BACKPRESSURE_BYTES
from gateways.tap import BURST_SECONDS
from gateways.throttle import FREE_FAILURES
from tests.gateways.house import DOMAIN, OPEN, PASSWORD, EchoSession, House, enter, open_house

BIND = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>r</resource></bind></iq>"


class Memory:
    """A transport that remembers what was sent, one entry for each time something was."""

    def __init__(self) -> None:
        self.peer = "192.0.2.1"
        self.is_tls = True
        self.waiting = 0
        self.sent: list[str] = []
        self.is_reading = False
        self.end = ""
        self.changed = trio.Event()
        self.receiver: Connection

    def send(self, messages: list[bytes]) -> None:
        self.sent.append(b"".join(messages).decode())
        self.note()

    def pause(self) -> None:
        self.is_reading = False
        self.note()

    def resume(self) -> None:
        self.is_reading = True
        self.note()

    def start_tls(self) -> None:
        raise AssertionError("it is TLS already")

    def close(self) -> None:
        self.end = self.end or "closed"
        self.note()
        self.receiver.lost("closed")

    def abort(self) -> None:
        self.end = self.end or "aborted"
        self.note()
        self.receiver.lost("aborted")

    def note(self) -> None:
        self.changed.set()
        self.changed = trio.Event()

    @property
    def text(self) -> str:
        return "".join(self.sent)

    async def says(self, text: str) -> None:
        """Wait until this was sent."""
        with trio.fail_after(1e9):
            while text not in self.text:
                await self.changed.wait()


class Line:
    """A connection over a `Memory`."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.transport = Memory()
        self.ends: list[str] = []
        stream = ClientStream(house.options, is_encrypted=True, has_starttls=False)
        self.connection = Connection(
            house.reception, self.transport, stream, lambda _, reason: self.ends.append(reason)
        )
        self.transport.receiver = self.connection
        self.connection.open()

    def send(self, text: str) -> None:
        with self.house.runtime.batch():
            try:
                self.connection.receive(text.encode())
            except Exception as error:  # noqa: BLE001 -- as the poller does
                self.connection.failed(error)

    def authenticate(self, password: str = PASSWORD, name: str = "alice", opening: str = OPEN) -> None:
        plain = base64.b64encode(f"\0{name}\0{password}".encode()).decode()
        self.send(f"{opening}<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{plain}</auth>")

    async def login(self) -> "Line":
        self.authenticate()
        await self.transport.says("<success")
        self.send(OPEN + BIND)
        await self.transport.says("<jid>")
        self.transport.sent.clear()
        return self

    def say(self, body: str) -> None:
        self.send(f"<message to='bob@{DOMAIN}' type='chat'><body>{body}</body></message>")

    @property
    def session(self) -> EchoSession:
        return self.house.sessions[-1]


@asynccontextmanager
async def logged_in(limits: Limits | None = None) -> AsyncIterator[Line]:
    async with open_house(limits) as house:
        yield await Line(house).login()


async def jump(clock: MockClock, seconds: float) -> None:
    clock.jump(seconds)
    await wait_all_tasks_blocked()


def disconnects_of(session: EchoSession) -> int:
    return sum(isinstance(message, m.Disconnect) for message in session.heard)


# -- logging in --------------------------------------------------------------------------------------------------------


async def test_a_login_has_its_time(mock_clock: MockClock):
    async with open_house() as house:
        line = Line(house)
        line.send(OPEN)
        await jump(mock_clock, LOGIN_SECONDS - 1)
        assert line.ends == []
        await jump(mock_clock, 1)
        assert "<connection-timeout" in line.transport.text
        assert line.ends == ["login took too long"]
        assert house.reception.visitors == 0


async def test_a_login_that_is_done_has_no_deadline(mock_clock: MockClock):
    async with logged_in() as line:
        await jump(mock_clock, LOGIN_SECONDS + 1)
        assert line.ends == []
        assert line.house.reception.visitors == 0


async def test_too_many_bytes_before_the_login():
    async with open_house() as house:
        line = Line(house)
        line.send(OPEN)
        line.send("<!" + "x" * 20_000)
        assert line.transport.end == "closed"
        assert "</stream:stream>" in line.transport.text


async def test_an_unknown_account_takes_the_same_steps():
    async with open_house() as house:
        heard = []
        for name in ("alice", "nobody"):
            line = Line(house)
            line.authenticate("wrong", name)
            await line.transport.says("<failure")
            heard.append(line.transport.text.partition("<failure")[2])
        assert heard[0] == heard[1]
        assert house.accounts.looked_up == [f"alice@{DOMAIN}", f"nobody@{DOMAIN}"]


async def test_failures_make_the_next_attempt_wait(mock_clock: MockClock):
    async with open_house() as house:
        for attempt in range(FREE_FAILURES + 2):
            line = Line(house)
            line.authenticate("wrong")
            await wait_all_tasks_blocked()
            if attempt > FREE_FAILURES:
                assert "<failure" not in line.transport.text
                await jump(mock_clock, 1.0)
            await line.transport.says("<failure")
        line = Line(house)
        line.authenticate()
        assert not line.transport.is_reading  # what it sends ahead waits in the network
        await wait_all_tasks_blocked()
        assert "<success" not in line.transport.text
        await jump(mock_clock, 1.5)
        await line.transport.says("<success")
        assert line.transport.is_reading


async def test_a_login_waits_for_its_turn(mock_clock: MockClock):
    limits = Limits(logins_per_minute=2, bytes_per_second=0)
    async with open_house(limits) as house:
        lines = [Line(house) for _ in range(4)]
        assert [line.transport.is_reading for line in lines] == [True, True, False, False]
        await jump(mock_clock, 30.0)
        assert lines[2].transport.is_reading
        await jump(mock_clock, 30.0)
        assert lines[3].transport.is_reading
        assert lines[3].ends == []  # its time begins with its turn


async def test_accounts_that_cannot_be_read_are_a_temporary_failure():
    async with open_house() as house:
        house.accounts.is_broken = True
        line = Line(house)
        line.authenticate()
        await line.transport.says("<temporary-auth-failure")
        house.accounts.is_broken = False
        line.authenticate(opening="")
        await line.transport.says("<success")


async def test_a_client_that_goes_while_it_is_looked_up_leaves_nothing():
    async with open_house() as house:
        line = Line(house)
        line.authenticate()
        line.connection.lost("gone")
        await wait_all_tasks_blocked()
        assert house.sessions == []
        assert line.ends == ["gone"]


# -- the session -------------------------------------------------------------------------------------------------------


async def test_what_is_told_together_leaves_together():
    async with logged_in() as line:
        line.send("".join(f"<message to='bob@{DOMAIN}' type='chat'><body>{n}</body></message>" for n in range(20)))
        assert len(line.transport.sent) == 1
        assert line.transport.text.count("<body>") == 20


async def test_the_client_ends_its_stream():
    async with logged_in() as line:
        line.send("</stream:stream>")
        assert line.transport.text.endswith("</stream:stream>")
        assert line.ends == ["closed by the client"]
        assert disconnects_of(line.session) == 1


async def test_the_session_closes_and_is_told_nothing(mock_clock: MockClock):
    async with logged_in() as line:
        line.session.actor_ref.tell(m.CloseSession(StreamCondition.CONFLICT, "elsewhere"))
        await line.transport.says("<conflict")
        assert line.ends == []
        line.say("too late")
        await jump(mock_clock, CLOSE_SECONDS)
        assert line.ends == ["conflict"]
        assert line.transport.end == "aborted"
        assert disconnects_of(line.session) == 0
        assert not any(isinstance(message, m.SendChat) for message in line.session.heard)


async def test_a_session_that_fails_ends_its_connection_only():
    async with open_house() as house:
        line, other = await Line(house).login(), await Line(house).login()
        house.sessions[0].house = house
        line.say("explode")
        await wait_all_tasks_blocked()
        assert "</stream:stream>" in line.transport.text
        other.say("unharmed")
        assert "unharmed" in other.transport.text


async def test_an_exception_ends_its_connection_only(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    async with open_house() as house:
        line, other = await Line(house).login(), await Line(house).login()

        def fail(_: bytes) -> None:
            raise ZeroDivisionError("as asked")

        session = house.sessions[0]
        monkeypatch.setattr(line.connection._stream, "receive_data", fail)
        line.send("x")
        assert "<internal-server-error" in line.transport.text
        assert "ZeroDivisionError" in caplog.text
        assert "as asked" not in caplog.text
        assert disconnects_of(session) == 1
        other.say("unharmed")
        assert "unharmed" in other.transport.text


async def test_shutdown(mock_clock: MockClock):
    async with logged_in() as line:
        line.connection.shut_down()
        assert "<system-shutdown" in line.transport.text
        assert disconnects_of(line.session) == 1
        await jump(mock_clock, CLOSE_SECONDS)
        assert line.ends == ["system-shutdown"]
        assert disconnects_of(line.session) == 1


# -- time --------------------------------------------------------------------------------------------------------------


async def test_a_silent_client_is_pinged_and_then_dead(mock_clock: MockClock):
    async with logged_in() as line:
        await jump(mock_clock, PING_AFTER_SECONDS - 1)
        assert line.transport.sent == []
        await jump(mock_clock, 1)
        assert "urn:xmpp:ping" in line.transport.text
        await jump(mock_clock, LIVENESS_SECONDS - PING_AFTER_SECONDS)
        assert "<connection-timeout" in line.transport.text
        assert disconnects_of(line.session) == 1
        await jump(mock_clock, CLOSE_SECONDS)
        assert line.ends == ["connection-timeout"]
        assert disconnects_of(line.session) == 1


async def test_whitespace_keeps_a_client_alive(mock_clock: MockClock):
    async with logged_in() as line:
        for _ in range(10):
            await jump(mock_clock, PING_AFTER_SECONDS - 1)
            line.send(" ")
        assert line.transport.sent == []
        assert line.ends == []


async def test_an_answered_ping_keeps_a_client_alive(mock_clock: MockClock):
    async with logged_in() as line:
        for _ in range(5):
            line.transport.sent.clear()
            await jump(mock_clock, PING_AFTER_SECONDS)
            assert line.transport.text.count("urn:xmpp:ping") == 1
            line.send(f"<iq type='result' id='ping' to='{DOMAIN}'/>")
        assert line.ends == []


async def test_deadlines_of_the_gone_are_gone(mock_clock: MockClock):
    async with open_house() as house:
        for _ in range(20):
            line = await Line(house).login()
            line.send("</stream:stream>")
        assert len(house.reception.deadlines) == 0


# -- how fast, how slow ------------------------------------------------------------------------------------------------


async def test_a_fast_client_is_read_more_slowly_and_loses_nothing(mock_clock: MockClock):
    async with logged_in(Limits(bytes_per_second=1_000, logins_per_minute=0)) as line:
        assert line.transport.is_reading
        line.say("x" * int(1_000 * BURST_SECONDS))
        assert not line.transport.is_reading
        assert "x" * 1_000 in line.transport.text
        await jump(mock_clock, BURST_SECONDS)
        assert line.transport.is_reading
        assert line.ends == []


async def test_a_client_that_says_much_in_little_is_read_more_slowly(mock_clock: MockClock):
    async with logged_in(Limits(bytes_per_second=0, stanzas_per_second=100, logins_per_minute=0)) as line:
        line.send("<presence/>" * 300)
        assert line.transport.is_reading
        line.send("<presence/>" * 100)
        assert not line.transport.is_reading
        await jump(mock_clock, BURST_SECONDS)
        assert line.transport.is_reading
        assert line.ends == []


async def test_who_has_most_of_the_memory_of_all_is_cut():
    async with open_house(budget=Budget(free=1_000, shared=10_000)) as house:
        slow, hoarder = await Line(house).login(), await Line(house).login()
        slow.transport.waiting = 8_000
        slow.say("x")
        hoarder.send(f"<message><body>{'x' * 900}")
        assert (slow.ends, hoarder.ends) == ([], [])
        hoarder.send("x" * 9_000)
        assert (slow.ends, hoarder.ends) == ([], ["too much in memory"])
        assert house.reception.budget.held > 0
        slow.transport.waiting = 0
        slow.connection.drained()
        assert house.reception.budget.held == 0


async def test_a_slow_reader_is_not_asked_for_more():
    async with logged_in() as line:
        line.transport.waiting = BACKPRESSURE_BYTES + 1
        line.say("x")
        assert not line.transport.is_reading
        line.transport.waiting = 0
        line.connection.drained()
        assert line.transport.is_reading


async def test_a_slow_reader_is_cut():
    async with logged_in() as line:
        line.transport.waiting = OUTPUT_BYTES + 1
        line.say("x")
        assert line.transport.end == "aborted"
        assert line.ends == ["slow reader"]
        await wait_all_tasks_blocked()
        assert disconnects_of(line.session) == 1


async def test_a_slow_reader_on_a_real_socket_is_cut_and_slows_nobody():
    async with open_house() as house:
        listening = await house.listen(direct_tls=True)
        slow = await enter(listening.ports[0], "slow")
        other = await enter(listening.ports[0], "other", "bob")
        wire = house.sessions[0].wire
        chat = m.Chat(
            sender=house.sessions[1].jid, to=house.sessions[0].jid, body="x", payload=f"<body>{'x' * 65_536}</body>"
        )
        with trio.fail_after(20):
            while not house.disconnects:
                with house.runtime.batch():
                    wire.deliver(m.DeliverChat(chat))
                await other.echoes("quick")
        assert house.disconnects == [f"alice@{DOMAIN}/slow"]
        assert not slow.is_cut
