"""The claim on a data folder, and the control socket over it."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from engine import administration as a
from engine.ports import Verifier
from engine.retention import Extent
from gateways import control

ROOT = Path(__file__).parent.parent.parent


class Server:
    """Notes what it is asked and answers `answer`."""

    def __init__(self):
        self.asked = []
        self.answer = a.Done("done")

    async def carry_out(self, command):
        self.asked.append(command)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
async def server(nursery, tmp_path):
    server = Server()
    await nursery.start(control.serve, tmp_path, server.carry_out)
    return server


def call(folder, command):
    with control.Caller(folder) as caller:
        return caller.call(command)


async def acall(folder, command):
    return await trio.to_thread.run_sync(call, folder, command)


async def say(folder, *pieces):
    """Raw bytes in these pieces, then what comes back until the server has no more to say."""
    stream = await trio.open_unix_socket(str(folder / control.SOCKET_NAME))
    async with stream:
        for piece in pieces:
            await stream.send_all(piece)
        await stream.send_eof()
        return [json.loads(line) for line in b"".join([data async for data in stream]).splitlines()]


# -- the claim ----------------------------------------------------------------------------------------------------------


def test_a_folder_has_one_holder(tmp_path):
    folder = tmp_path / "deep" / "data"
    with control.claim(folder):
        with pytest.raises(control.FolderBusyError) as caught:
            control.claim(folder)
        assert str(caught.value) == f"data_dir {folder}: in use by process {os.getpid()}"
    control.claim(folder).release()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_that_cannot_be_used_is_told(tmp_path):
    (tmp_path / "data").write_text("a file")
    with pytest.raises(control.FolderError) as caught:
        control.claim(tmp_path / "data")
    assert str(caught.value) == f"data_dir {tmp_path / 'data'}: cannot be used: File exists"


def test_a_killed_holder_leaves_nothing_that_blocks(tmp_path):
    code = f"""if 1:
        import sys, trio
        from pathlib import Path
        from gateways import control
        async def main():
            folder = Path({str(tmp_path)!r})
            with control.claim(folder):
                async with trio.open_nursery() as nursery:
                    await nursery.start(control.serve, folder, None)
                    print("ready", flush=True)
        trio.run(main)
    """
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        assert control.is_served(tmp_path)
        with pytest.raises(control.FolderBusyError, match=f"in use by process {process.pid}$"):
            control.claim(tmp_path)
        process.send_signal(signal.SIGKILL)
    assert (tmp_path / control.SOCKET_NAME).exists()
    assert not control.is_served(tmp_path)

    async def start_again():
        with await control.claim_for_server(tmp_path):
            async with trio.open_nursery() as nursery:
                server = Server()
                await nursery.start(control.serve, tmp_path, server.carry_out)
                assert await acall(tmp_path, a.ListDomains()) == a.Done("done")
                nursery.cancel_scope.cancel()

    trio.run(start_again)


async def test_a_second_server_is_refused_at_once(tmp_path, server, autojump_clock):
    with control.claim(tmp_path):
        before = trio.current_time()
        with pytest.raises(control.FolderBusyError, match="in use by process"):
            await control.claim_for_server(tmp_path)
        assert trio.current_time() == before


async def test_a_server_waits_for_a_command_but_not_for_ever(tmp_path, autojump_clock):
    held = control.claim(tmp_path)
    with pytest.raises(control.FolderBusyError):
        await control.claim_for_server(tmp_path, patience=3.0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(control.claim_for_server, tmp_path)
        await trio.testing.wait_all_tasks_blocked()
        held.release()


# -- the socket ---------------------------------------------------------------------------------------------------------


async def test_a_command_is_answered(tmp_path, server):
    verifiers = {"sha-1": Verifier(b"\x00", 1, b"\xff", b"\n")}
    command = a.AddUser(a.NewUser(address="ann@a.example", verifiers=verifiers))
    assert await acall(tmp_path, command) == a.Done("done")
    assert server.asked == [command]


async def test_only_the_servers_user_may_connect_and_nothing_is_left_behind(tmp_path):
    async with trio.open_nursery() as nursery:
        await nursery.start(control.serve, tmp_path, Server().carry_out)
        assert stat.S_IMODE((tmp_path / control.SOCKET_NAME).stat().st_mode) == 0o600
        nursery.cancel_scope.cancel()
    assert not (tmp_path / control.SOCKET_NAME).exists()


async def test_a_folder_with_a_long_name_has_a_socket_too(tmp_path, nursery):
    folder = tmp_path / ("x" * 120) / ("y" * 120)
    folder.mkdir(parents=True)
    await nursery.start(control.serve, folder, Server().carry_out)
    assert await acall(folder, a.ListDomains()) == a.Done("done")
    assert control.is_served(folder)


async def test_a_folder_without_room_for_a_socket_is_told(tmp_path):
    (tmp_path / control.SOCKET_NAME).mkdir()
    with pytest.raises(control.FolderError, match="cannot listen"):
        await control.serve(tmp_path, Server().carry_out)


async def test_several_commands_in_turn_in_any_pieces(tmp_path, server):
    lines = b'{"type":"ListDomains"}\n{"type":"ListUsers","domain":"a.example"}\n'
    answers = await say(tmp_path, *(bytes([byte]) for byte in lines))
    assert answers == [{"type": "Done", "text": "done"}] * 2
    assert server.asked == [a.ListDomains(), a.ListUsers("a.example")]


@pytest.mark.parametrize(
    "line", [b"", b"{", b"\xff\xfe", b'{"type":"Nonsense"}', b'{"type":"AddDomain"}', b"[" * 100_000]
)
async def test_what_is_not_understood_is_refused_and_the_connection_goes_on(tmp_path, server, line):
    refused, done = await say(tmp_path, line + b'\n{"type":"Verify"}\n')
    assert refused["type"] == "Refused"
    assert "\n" not in refused["text"]
    assert done == {"type": "Done", "text": "done"}


async def test_a_request_without_an_end_is_cut_off(tmp_path, server, monkeypatch):
    monkeypatch.setattr(control, "LINE_BYTES", 1_000)
    (refused,) = await say(tmp_path, b"x" * 1_001)
    assert refused == {"type": "Refused", "text": "a request of more than 1000 bytes"}
    assert await acall(tmp_path, a.Verify()) == a.Done("done")


async def test_a_fault_of_ours_is_one_line_and_the_server_goes_on(tmp_path, server, caplog):
    server.answer = RuntimeError("secret")
    assert await acall(tmp_path, a.Verify()) == a.Refused("internal error: RuntimeError; see the server's log")
    assert "control: Verify failed" in caplog.text
    server.answer = a.Refused("no")
    assert await acall(tmp_path, a.Verify()) == a.Refused("no")


async def test_an_import_comes_in_parts_and_is_carried_out_as_one(tmp_path, server):
    users = tuple(a.NewUser(address=f"u{i}@a.example") for i in range(2 * control.IMPORT_ROWS + 1))
    for count in (0, 1, control.IMPORT_ROWS, control.IMPORT_ROWS + 1, len(users)):
        server.asked.clear()
        assert await acall(tmp_path, a.ImportUsers(users[:count], is_rehearsal=True)) == a.Done("done")
        assert server.asked == [a.ImportUsers(users[:count], is_rehearsal=True)]


async def test_an_import_that_is_broken_off_changes_nothing(tmp_path, server):
    part = b'{"type":"ImportUsers","users":[{"address":"x@a.example"}],"has_more":true}\n'
    assert await say(tmp_path, part) == [{"type": "Done", "text": "1 rows so far"}]
    await say(tmp_path, part, b'{"type":"Verify"}\n', b'{"type":"ImportUsers","users":[]}\n')
    assert server.asked == [a.Verify(), a.ImportUsers(())]


async def test_an_import_that_is_too_large_is_refused(tmp_path, server, monkeypatch):
    monkeypatch.setattr(control, "IMPORT_USERS", 600)
    users = tuple(a.NewUser(address=f"u{i}@a.example") for i in range(601))
    assert await acall(tmp_path, a.ImportUsers(users)) == a.Refused("more than 600 users; import them in parts")
    assert server.asked == []


async def test_a_forgotten_connection_makes_room(tmp_path, server, autojump_clock):
    streams = [await trio.open_unix_socket(str(tmp_path / control.SOCKET_NAME)) for _ in range(control.CONNECTIONS + 1)]
    await streams[-1].send_all(b'{"type":"Verify"}\n')
    assert await streams[-1].receive_some() == b'{"type":"Done","text":"done"}\n'
    assert trio.current_time() >= control.IDLE_SECONDS
    for stream in streams:
        await stream.aclose()


async def test_no_server_and_a_server_of_another_kind_are_told(tmp_path):
    with pytest.raises(FileNotFoundError):
        control.Caller(tmp_path)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / control.SOCKET_NAME))
        with pytest.raises(ConnectionRefusedError):
            control.Caller(tmp_path)
        other.listen()
        with control.Caller(tmp_path) as caller:
            other.accept()[0].close()
            with pytest.raises(control.ControlError, match="went away before it answered"):
                caller.call(a.Verify())


async def test_each_kind_of_command_has_its_own_answer():
    async def administer(command):
        return a.DomainsListed((type(command).__name__,))

    async def verify():
        return ["row 1"]

    async def reindex():
        return "3 contacts"

    async def status():
        return {"sessions": 1}

    async def purge(command):
        return a.Purged(Extent(messages=command.before))

    answer = control.router(administer=administer, verify=verify, reindex=reindex, purge=purge, status=status)
    assert await answer(a.PurgeHistory(7)) == a.Purged(Extent(messages=7))
    assert await answer(a.ListUsers()) == a.DomainsListed(("ListUsers",))
    assert await answer(a.Verify()) == a.Inspected(("row 1",))
    assert await answer(a.Reindex()) == a.Done("3 contacts")
    assert await answer(a.ShowStatus()) == a.StatusShown({"sessions": 1})
