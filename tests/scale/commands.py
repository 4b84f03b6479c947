"""Every command of the contract with thousands of users, the server stopped and running: ``python -m tests.scale.commands``.

Looked at are exit statuses, refusals of one line, JSON that parses and, while the server runs, that each change shows at once:
someone who is logged in is pushed the new contact, who got a password logs in with it.
"""

import json
import tempfile
import time
from pathlib import Path

import click
import trio

from tests.faults.client import Client
from tests.faults.server import Server
from tests.scale.members import DOMAIN, PASSWORD, address, write_csv

OTHERS = "others.example"
NEWCOMER, GROUP = f"newcomer@{DOMAIN}", f"group@{DOMAIN}"
OTHER_PASSWORD = "battery staple"
LIFE_SECONDS = 20.0
FEW = 50
"""Users that are imported into the domain of someone who is logged in."""


class Tour:
    """All commands on one data folder.

    Args:
        server: running or not.
        users: to be imported into `OTHERS`, each with a password.
        nursery: for clients; None: the server does not run.
    """

    def __init__(self, server: Server, users: int, nursery: trio.Nursery | None) -> None:
        self.server = server
        self.users = users
        self.seconds: dict[str, float] = {}
        self._nursery = nursery
        self._watcher: Client | None = None

    async def take(self) -> None:
        """One command after the other."""
        if self._nursery is None:
            await self._take()
            return
        self._watcher = await Client.enter(self._nursery, self.server, f"{address(0)}/watch", PASSWORD)
        await self._watcher.fetches_roster()
        await self._watcher.is_present()
        async with trio.open_nursery() as beside:
            beside.start_soon(_show_life, self._watcher)
            await self._take()
            beside.cancel_scope.cancel()
        await self._watcher.leaves()

    async def _take(self) -> None:
        await self.domains()
        await self.imports()
        await self.one_user()
        await self.one_alias()
        await self.histories()
        await self.care()
        await self.wrong_usage()

    # -- commands ------------------------------------------------------------------------------------------------------

    async def domains(self) -> None:
        """Domain add, list, remove."""
        await self.does("domain", "add", OTHERS)
        assert OTHERS in json.loads(await self.does("domain", "list", "--json"))
        assert OTHERS in (await self.does("domain", "list")).splitlines()
        await self.refuses("domain", "add", OTHERS)
        await self.does("domain", "add", "empty.example")
        await self.does("domain", "remove", "empty.example")
        await self.refuses("domain", "remove", "empty.example")

    async def imports(self) -> None:
        """User import and list: many in a domain of their own, a few in front of somebody's eyes."""
        folder = self.server.config.parent
        file = write_csv(folder / "others.csv", self.users, self.users, OTHERS)
        assert await self.does("user", "import", str(file)) == f"{self.users} users imported\n"
        again = await self.server.command("user", "import", str(file))
        assert (again.returncode, again.stderr.splitlines()[-1][:8]) == (1, b"rookery:")
        listed = json.loads(await self.does("user", "list", OTHERS, "--json"))
        assert [user["address"] for user in listed] == [address(number, OTHERS) for number in range(self.users)]
        assert len((await self.does("user", "list", OTHERS)).splitlines()) == self.users + 1
        assert len(json.loads(await self.does("user", "list", "--json"))) > self.users
        assert await self.logs_in(address(self.users - 1, OTHERS), PASSWORD)
        await self.refuses("domain", "remove", OTHERS)

        few = folder / "few.csv"
        few.write_text("address,name,password\n" + "".join(f"few-{n}@{DOMAIN},,\n" for n in range(FEW)))
        await self.does("user", "import", str(few), label="user import (in front of a client)")
        for number in range(FEW):
            await self.shows(f"few-{number}@{DOMAIN}")

    async def one_user(self) -> None:
        """User add, change, passwd, remove."""
        details = ("--name", "New Comer", "--title", "Boss", "--department", "Sales", "--phone", "+1 555")
        await self.does("user", "add", NEWCOMER, *details, "--password-stdin", stdin=PASSWORD)
        await self.shows(NEWCOMER, name="New Comer")
        assert await self.logs_in(NEWCOMER, PASSWORD)
        await self.refuses("user", "add", NEWCOMER)
        await self.refuses("user", "add", "somebody@elsewhere.example")
        await self.does("user", "change", NEWCOMER, "--name", "Old Timer")
        await self.shows(NEWCOMER, name="Old Timer")
        found = [user for user in json.loads(await self.does("user", "list", "--json")) if user["address"] == NEWCOMER]
        assert found == [
            {"address": NEWCOMER, "name": "Old Timer", "title": "Boss", "department": "Sales", "phone": "+1 555"}
        ]
        await self.does("user", "passwd", NEWCOMER, "--password-stdin", stdin=OTHER_PASSWORD)
        assert await self.logs_in(NEWCOMER, OTHER_PASSWORD)
        assert self._nursery is None or not await self.logs_in(NEWCOMER, PASSWORD)
        await self.refuses("user", "passwd", f"nobody@{DOMAIN}", "--password-stdin", stdin=PASSWORD)
        await self.does("user", "remove", NEWCOMER)
        await self.shows(NEWCOMER, subscription="remove")
        assert self._nursery is None or not await self.logs_in(NEWCOMER, OTHER_PASSWORD)
        await self.refuses("user", "remove", NEWCOMER)

    async def one_alias(self) -> None:
        """Alias add, change, list, remove."""
        await self.does("alias", "add", GROUP, address(0), address(1), "--name", "Group")
        await self.shows(GROUP, name="Group")
        await self.refuses("alias", "add", GROUP, address(0))
        await self.refuses("alias", "add", f"other@{DOMAIN}", f"nobody@{DOMAIN}")
        listed = json.loads(await self.does("alias", "list", "--json"))
        assert listed == [{"address": GROUP, "name": "Group", "members": [address(0), address(1)]}]
        assert len((await self.does("alias", "list")).splitlines()) == 2
        await self.does("alias", "change", GROUP, "--name", "Band")
        await self.shows(GROUP, name="Band")
        await self.does("alias", "remove", GROUP)
        await self.shows(GROUP, subscription="remove")
        await self.refuses("alias", "remove", GROUP)

    async def histories(self) -> None:
        """History export, purge; trace. Nobody has said anything."""
        for form in ("jsonl", "txt", "html"):
            await self.does("history", "export", address(0), "--format", form, label=f"history export {form}")
        await self.refuses("history", "export", f"nobody@{DOMAIN}", "--format", "txt")
        assert "would remove 0 messages" in await self.does("history", "purge", "--before", "2024-01-01", "--dry-run")
        assert json.loads(await self.does("history", "purge", "--before", "2024-01-01", "--json"))["messages"] == 0
        await self.refuses("trace", "unknown")

    async def care(self) -> None:
        """Check, verify, reindex, status."""
        assert await self.does("check") == "no problems found\n"
        assert await self.does("verify") == "no faults found\n"
        await self.does("reindex")
        assert await self.does("verify", label="verify (again)") == "no faults found\n"
        figures = json.loads(await self.does("status", "--json"))
        assert figures["server"] == ("stopped" if self._nursery is None else "running")
        assert (await self.does("status")).startswith("server ")

    async def wrong_usage(self) -> None:
        """Exit status 2."""
        for arguments in (["nonsense"], ["user", "add"], ["alias", "add", GROUP], ["user", "list", "--nonsense"]):
            result = await self.server.command(*arguments)
            assert (result.returncode, result.stdout) == (2, b""), arguments

    # -- how they end --------------------------------------------------------------------------------------------------

    async def does(self, *arguments: str, stdin: str = "", label: str = "") -> str:
        """Run a command that must be done, without a word of complaint; its time is noted."""
        began = time.perf_counter()
        result = await self.server.command(*arguments, stdin=stdin.encode())
        took = time.perf_counter() - began
        name = label or " ".join(
            [*arguments[: 1 if arguments[0] in ALONE else 2], *(a for a in arguments if a == "--json")]
        )
        self.seconds[name] = max(took, self.seconds.get(name, 0.0))
        assert (result.returncode, result.stderr) == (0, b""), (arguments, result)
        return result.stdout.decode()

    async def refuses(self, *arguments: str, stdin: str = "") -> None:
        """Run a command that must be refused, in one line."""
        result = await self.server.command(*arguments, stdin=stdin.encode())
        assert (result.returncode, result.stdout) == (1, b""), (arguments, result)
        assert result.stderr.startswith(b"rookery: "), result
        assert result.stderr.count(b"\n") == 1, result

    async def shows(self, contact: str, **attributes: str) -> None:
        """Who is logged in is pushed this contact."""
        if self._watcher is not None:
            pushed = await self._watcher.hears_push(contact)
            assert attributes.items() <= pushed.attrib.items(), (attributes, pushed.attrib)

    async def logs_in(self, account: str, password: str) -> bool:
        """Whether this account can; not tried while the server does not run."""
        if self._nursery is None:
            return True
        try:
            client = await Client.enter(self._nursery, self.server, f"{account}/try", password)
        except AssertionError:
            return False
        await client.leaves()
        return True


async def _show_life(client: Client) -> None:
    """What clients do that have nothing to say for long: an import takes minutes on a busy machine."""
    while True:
        await client.sends(" ")
        await trio.sleep(LIFE_SECONDS)


ALONE = {"check", "verify", "reindex", "status"}


Seconds = dict[str, float]
"""Of each command, the longest that it took."""


async def tour_stopped(folder: Path, users: int) -> Seconds:
    """All commands without a server."""
    tour = Tour(await _make(folder), users, None)
    await tour.take()
    return tour.seconds


async def tour_running(folder: Path, users: int) -> Seconds:
    """All commands beside a server."""
    async with await _make(folder) as server, trio.open_nursery() as nursery:
        tour = Tour(server, users, nursery)
        await tour.take()
    assert server.errors == []
    return tour.seconds


async def _make(folder: Path) -> Server:
    server = Server(folder, DOMAIN)
    await server.does("user", "import", str(write_csv(folder / "first.csv", FEW, 1)))
    return server


async def tour_demo(folder: Path) -> None:
    """The demo starts, lets alice in, shows her the others and the alias, and ends in good order."""
    demo = Server(folder, "localhost")
    demo.serving = ("demo", "--data", str(folder), "--password", PASSWORD)
    await demo.start()
    async with trio.open_nursery() as nursery:
        alice = await Client.enter(nursery, demo, "alice@localhost/tour", PASSWORD)
        assert (await alice.fetches_roster())[1] == 5
        assert await demo.stop() == 0
        await alice.hears_cut()
        await alice.line.close()


@click.command()
@click.option("--users", default=10_000, show_default=True)
def main(users: int) -> None:
    """Run every command, and print how long each took."""
    with tempfile.TemporaryDirectory(prefix="rookery-commands-") as folder:
        stopped = trio.run(tour_stopped, Path(folder) / "stopped", users)
        running = trio.run(tour_running, Path(folder) / "running", users)
        trio.run(tour_demo, Path(folder) / "demo")
    click.echo(f"{f'seconds, {users} users':36}{'stopped':>10}{'running':>10}")
    for name, seconds in stopped.items():
        click.echo(f"{name:36}{seconds:10.2f}{running[name]:10.2f}")
    click.echo("every command did what it should")


if __name__ == "__main__":
    main()
