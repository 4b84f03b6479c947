"""A folder with a configuration, the command line, and a server behind the control socket, as far as the commands ask."""

import threading

import click.testing
import pytest
import trio

from actors.provisioning import carry_out
from actors.retention import take_leave, with_history
from config import cli, settings, upkeep
from gateways import control

CONFIGURATION = """\
domains = ["a.example"]
[xmpp]
listen = ["127.0.0.1:0"]
direct_tls_listen = ["[::1]:0"]
[web]
listen = ""
"""


class Shell:
    """Runs `rookery` in this process."""

    def __init__(self, folder):
        self.folder = folder
        self.config = folder / "rookery.toml"
        self.config.write_text(CONFIGURATION)
        self.data = folder / "data"

    def run(self, *arguments, stdin=None, config=True):
        """The result of one command line."""
        options = ["--config", str(self.config)] if config else []
        return click.testing.CliRunner().invoke(cli.main, [*options, *arguments], input=stdin)

    def does(self, *arguments, stdin=None):
        """Standard output of a command that is done."""
        result = self.run(*arguments, stdin=stdin)
        assert (result.exit_code, result.stderr) == (0, ""), result.output
        return result.stdout

    def refuses(self, *arguments, stdin=None):
        """The one line of a command that is refused."""
        result = self.run(*arguments, stdin=stdin)
        assert result.exit_code == 1, result.output
        assert result.stderr.startswith("rookery: ")
        assert result.stderr.count("\n") == 1, result.stderr
        return result.stderr.removeprefix("rookery: ").rstrip("\n")


@pytest.fixture
def shell(tmp_path):
    return Shell(tmp_path)


class Server(threading.Thread):
    """As much of a server as the control socket shows: the stores, opened once, under the claim."""

    def __init__(self, file):
        super().__init__(daemon=True)
        self._settings = settings.load(file)
        self._scope = None
        self._token = None
        self.is_up = threading.Event()

    def run(self):
        trio.run(self._serve)

    def stop(self):
        self._token.run_sync_soon(self._scope.cancel)
        self.join()

    async def _serve(self):
        folder = self._settings.data_dir
        self._token = trio.lowlevel.current_trio_token()
        with await control.claim_for_server(folder):
            async with upkeep.open_stores(folder) as stores, trio.open_nursery() as nursery:
                self._scope = nursery.cancel_scope
                for domain in self._settings.domains:
                    await stores.accounts.add_domain(domain)

                async def administer(command):
                    outcome = await carry_out(command, stores.accounts, self._settings.domains)
                    await stores.search.update(outcome.changes)
                    if not outcome.departed:
                        return outcome.result
                    messages = await take_leave(outcome.departed, stores.accounts, stores.retention)
                    await stores.files.sweep(0)
                    return with_history(outcome.result, messages)

                async def verify():
                    return await upkeep.verify(stores)

                async def reindex():
                    return await upkeep.reindex(stores)

                async def purge(command):
                    return await upkeep.purge_history(stores, command)

                async def status():
                    return {"server": "running", "sessions": 0}

                answer = control.router(
                    administer=administer, verify=verify, reindex=reindex, purge=purge, status=status
                )
                await nursery.start(control.serve, folder, answer)
                self.is_up.set()


@pytest.fixture
def server(shell):
    server = Server(shell.config)
    server.start()
    assert server.is_up.wait(10)
    yield server
    server.stop()


@pytest.fixture(params=["stopped", "running"])
def anyhow(request, shell):
    """The shell, once with a server and once without: every command works the same."""
    if request.param == "running":
        request.getfixturevalue("server")
    return shell
