"""A server process for each test, and the programs that the tests drive: a test that cannot have its client fails."""

import shutil

import pytest

from tests.interop.display import display
from tests.interop.server import Server, found
from tests.load.peers.debian import need
from tests.programs import DESKTOPS, TERMINALS


@pytest.fixture(scope="session")
def programs():
    """The clients for terminals are there."""
    need(TERMINALS)


@pytest.fixture(scope="session")
def desktop_programs():
    """The clients with windows are there, and what makes windows."""
    need(DESKTOPS)


@pytest.fixture(scope="session")
def screen(tmp_path_factory, desktop_programs):
    """The name of a display that nobody looks at."""
    with display(tmp_path_factory.mktemp("display")) as name:
        yield name


@pytest.fixture(scope="session")
def founded(tmp_path_factory):
    """The folder of a server that never ran: each test's server starts from a copy."""
    folder = tmp_path_factory.mktemp("founded")
    found(folder)
    return folder


@pytest.fixture
def server(tmp_path, founded):
    """A running server for the people of `tests.interop.server.PEOPLE`."""
    folder = tmp_path / "server"
    shutil.copytree(founded, folder)
    server = Server(folder)
    with server.running():
        yield server
