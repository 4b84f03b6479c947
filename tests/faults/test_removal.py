"""Kill -9 while history is being removed: it is finished at the next start, and nobody sees what was another's."""

import re
import sqlite3
from contextlib import closing, suppress

import pytest
import trio

from index.archive import SqliteArchive
from index.asyncio_island import Island
from tests.faults.server import Server
from tests.index.stories import NOON, Clock, says

DOMAIN = "a.example"
ANN, BEN = f"ann@{DOMAIN}", f"ben@{DOMAIN}"
MESSAGES = 2_000
PATIENCE_SECONDS = 60.0


def word(number: int) -> str:
    return f"quark{number:06d}x"


def words_on_disk(server: Server) -> set[int]:
    found: set[int] = set()
    for file in server.data.rglob("*"):
        with suppress(OSError):  # segments and sockets come and go
            found |= {int(number) for number in re.findall(rb"quark(\d{6})x", file.read_bytes())}
    return found


def rows(server: Server, sql: str, *values: object) -> list[tuple]:
    with closing(sqlite3.connect(server.data / "archive.sqlite")) as connection:
        return connection.execute(sql, values).fetchall()


def history(server: Server, owner: str) -> int:
    sql = "SELECT count(*) FROM entry JOIN address ON address.id = owner WHERE jid = ?"
    return rows(server, sql, owner)[0][0]


async def fill(server: Server, *, alone: bool = False) -> None:
    """Ann wrote all messages: to Ben, or to herself."""
    async with Island() as island, SqliteArchive(island, server.data / "archive.sqlite", clock=Clock()) as archive:
        for start in range(0, MESSAGES, 500):
            numbers = range(start, start + 500)
            await archive.commit([says(ANN, ANN if alone else BEN, f"{word(n)} {'x' * (n % 300)}") for n in numbers])


async def until(condition, what: str, every: float = 0.05) -> None:
    deadline = trio.current_time() + PATIENCE_SECONDS
    while not condition():
        assert trio.current_time() < deadline, f"not within {PATIENCE_SECONDS} s: {what}"
        await trio.sleep(every)


async def kill_when(server: Server, condition, *arguments: str) -> None:
    """Run a command and kill the server in the middle; whether the command is told that it is done does not matter."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.command, *arguments)
        await until(condition, "the moment", 0.001)
        await server.kill()


def is_departing(server: Server) -> bool:
    with closing(sqlite3.connect(server.data / "accounts.sqlite")) as connection:
        return bool(connection.execute("SELECT * FROM departing").fetchall())


@pytest.mark.parametrize("moment", ["the accounts know", "the archive has begun"])
async def test_a_server_killed_while_a_member_is_removed(tmp_path, moment):
    server = Server(tmp_path, DOMAIN)
    for address in (ANN, BEN):
        await server.does("user", "add", address)
    await fill(server)
    await server.start()
    conditions = {
        "the accounts know": lambda: is_departing(server),
        "the archive has begun": lambda: history(server, ANN) < MESSAGES,
    }
    await kill_when(server, conditions[moment], "user", "remove", ANN)
    await server.start()
    await until(lambda: history(server, ANN) == 0, "the history is gone")
    await until(lambda: not is_departing(server), "the address is free")
    assert history(server, BEN) == MESSAGES
    await server.does("user", "add", ANN)
    assert await server.does("history", "export", ANN, "--format", "jsonl") == ""
    assert len((await server.does("history", "export", BEN, "--format", "jsonl")).splitlines()) == MESSAGES
    assert await server.does("verify") == "no faults found\n"
    assert await server.stop() == 0
    assert server.errors == []


async def test_a_server_killed_between_the_two_databases(tmp_path):
    """The accounts have it, the archive does not know yet: in just this state the server starts."""
    server = Server(tmp_path, DOMAIN)
    for address in (ANN, BEN):
        await server.does("user", "add", address)
    await fill(server)
    with closing(sqlite3.connect(server.data / "accounts.sqlite", isolation_level=None)) as accounts:
        accounts.execute("DELETE FROM contact WHERE address = ?", (ANN,))
        accounts.execute("INSERT INTO departing VALUES (?)", (ANN,))
    await server.start()
    result = await server.command("user", "add", ANN)
    assert result.returncode == 0 or b"is still being removed; try again in a moment" in result.stderr
    await until(lambda: history(server, ANN) == 0, "the history is gone")
    if result.returncode:
        await server.does("user", "add", ANN)
    assert history(server, BEN) == MESSAGES
    assert await server.does("verify") == "no faults found\n"
    assert await server.stop() == 0


async def test_a_server_killed_in_the_middle_of_a_purge(tmp_path):
    server = Server(tmp_path, DOMAIN)
    for address in (ANN, BEN):
        await server.does("user", "add", address)
    await fill(server)
    await server.start()
    assert NOON < 1_704_067_200  # what is purged was said before 2024
    has_begun = lambda: rows(server, "SELECT count(*) FROM message")[0][0] < MESSAGES  # noqa: E731
    await kill_when(server, has_begun, "history", "purge", "--before", "2024-01-01")
    assert rows(server, "SELECT count(*) FROM message") != [(0,)], "it was killed in the middle"
    await server.start()
    await until(lambda: rows(server, "SELECT count(*) FROM message") == [(0,)], "the rest is gone")
    await until(lambda: words_on_disk(server) == set(), "no file has any of it")
    assert await server.does("verify") == "no faults found\n"
    assert await server.stop() == 0
    assert server.errors == []


async def test_what_nobody_has_leaves_the_disk(tmp_path):
    """After a departure the index is made anew some minutes later; a start looks at once."""
    server = Server(tmp_path, DOMAIN)
    await server.does("user", "add", ANN)
    await fill(server, alone=True)
    async with server:
        await until((server.data / "history.tantivy").exists, "the index is there")
        assert f"{MESSAGES} messages" in await server.does("user", "remove", ANN)
        assert rows(server, "SELECT count(*) FROM message") == [(0,)]
        assert await server.does("verify") == "no faults found\n"
    async with server:
        await until(lambda: words_on_disk(server) == set(), "no file has any of it")
        assert await server.does("verify") == "no faults found\n"
