"""The demo's folder: made once, kept, and put right when something is missing."""

import json
import stat
import sys
import types

import pytest
import trio

from config import demo, operation
from config.settings import load
from config.terminal import Failed
from config.upkeep import open_accounts, open_stores
from engine import administration as a
from engine import messages as m
from engine.files import read_address
from engine.xmpp.scram import check_password


async def verifier(folder, address):
    async with open_accounts(folder / "data") as accounts:
        return await accounts.verifier(address, "sha-256")


def knows(folder, address, password):
    return check_password(trio.run(verifier, folder, address), password)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "rookery-demo"


def test_a_demo_is_made(folder):
    made = demo.prepare(folder, None)
    assert made.settings.domains == ("localhost",)
    assert [str(endpoint) for _, endpoint in made.settings.listeners()] == [
        "127.0.0.1:5222",
        "127.0.0.1:5223",
        "127.0.0.1:8080",
    ]
    assert len(set(made.passwords.values())) == 5
    users = operation.ask(made.settings, a.ListUsers()).contacts
    assert [user.address.partition("@")[0] for user in users] == ["alice", "bob", "carol", "dan", "erin"]
    assert all(user.name and user.title and user.department and user.phone for user in users)
    (alias,) = operation.ask(made.settings, a.ListAliases()).contacts
    assert (alias.address, alias.name) == ("salesteam@localhost", "Sales team")
    assert alias.members == ("bob@localhost", "carol@localhost", "dan@localhost")
    assert knows(folder, "erin@localhost", made.passwords["erin@localhost"])
    assert stat.S_IMODE((folder / "passwords.txt").stat().st_mode) == 0o600


def test_a_demo_has_a_history_that_is_written_once(folder):
    made = demo.prepare(folder, None)

    async def look():
        async with open_stores(folder / "data") as stores:
            recent = await stores.histories.conversations(m.ConversationsQuery(owner="alice@localhost"))
            page = await stores.histories.page(m.HistoryQuery(owner="alice@localhost", limit=100))
            _, given = await stores.archive.cursor("alice@localhost", "a new client")
            return recent, page, given, await stores.archive.problems()

    recent, page, given, problems = trio.run(look)
    assert {one.peer for one in recent.conversations} == {
        f"{name}@localhost" for name in ("bob", "carol", "dan", "erin", "salesteam")
    }
    assert recent.unread_messages == 4  # Bob's last words, Dan's and Erin's wait for an answer
    assert given >= page.kept[-1].chat.id  # a new client is not given all that as news
    assert problems == []
    demo.prepare(folder, None)
    assert len(trio.run(look)[1].kept) == len(page.kept)
    assert made.settings.domains == ("localhost",)


def test_a_picture_was_shared_in_a_demo(folder):
    demo.prepare(folder, None)

    async def look():
        async with open_stores(folder / "data") as stores:
            page = await stores.histories.page(m.HistoryQuery(owner="carol@localhost", has_file=True))
            [body] = [kept.chat.body for kept in page.kept]
            link = read_address(body)
            may = [await stores.files.may_have(link.id, f"{name}@localhost") for name in ("alice", "carol", "bob")]
            return body, may, await stores.files.problems()

    body, may, problems = trio.run(look)
    assert body.startswith("http://127.0.0.1:8080/upload/")
    assert (may, problems) == ([True, True, False], [])


def test_the_people_of_a_demo_have_faces(folder):
    made = demo.prepare(folder, None)

    async def look():
        async with open_accounts(folder / "data") as accounts:
            return [await accounts.photo(user.address) for user in demo.USERS]

    photos = trio.run(look)
    assert all(photo.media_type == "image/png" and photo.data.startswith(b"\x89PNG") for photo in photos)
    assert len({photo.data for photo in photos}) == len(demo.USERS)
    assert made.settings.domains == ("localhost",)


def test_a_demo_is_kept_and_put_right(folder):
    made = demo.prepare(folder, None)
    (folder / "rookery.toml").write_text((folder / "rookery.toml").read_text().replace("5222", "0"))
    operation.perform(made.settings, a.RemoveUser("dan@localhost"))
    operation.perform(made.settings, a.RemoveAlias("salesteam@localhost"))
    again = demo.prepare(folder, None)
    assert again.passwords == made.passwords
    assert again.settings.xmpp.listen[0].port == 0
    assert knows(folder, "dan@localhost", made.passwords["dan@localhost"])
    assert len(operation.ask(again.settings, a.ListAliases()).contacts) == 1


def test_a_given_password_is_everyones(folder):
    demo.prepare(folder, None)
    again = demo.prepare(folder, "hush hush")
    assert set(again.passwords.values()) == {"hush hush"}
    assert knows(folder, "bob@localhost", "hush hush")
    assert demo.prepare(folder, None).passwords == again.passwords


def test_it_says_where_to_go_and_who_to_be(folder):
    text = "\n".join(demo.describe(demo.prepare(folder, "pw")))
    for expected in (
        "127.0.0.1:5222",
        "127.0.0.1:5223",
        "http://127.0.0.1:8080/",
        "salesteam@localhost",
        "password pw",
    ):
        assert expected in text
    assert all(user.address in text for user in demo.USERS)


@pytest.mark.parametrize("password", ["a\nb", "\u00ad"])
def test_a_password_that_cannot_be_one_is_told(folder, password):
    with pytest.raises(Failed, match=r"^--password: the password"):
        demo.prepare(folder, password)


def test_a_folder_that_cannot_be_used_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Failed, match="cannot be used"):
        demo.prepare(tmp_path / "file", None)


# -- serving ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def assembled(monkeypatch):
    """Stands for config.assemble: `outcome` is raised, or the server is ready and ends."""
    served = types.SimpleNamespace(outcome=None, settings=None)

    async def serve(settings, *, ready):
        await trio.lowlevel.checkpoint()
        served.settings = settings
        if served.outcome is not None:
            raise served.outcome
        ready("rookery ready")

    module = types.ModuleType("config.assemble")
    module.serve = serve
    monkeypatch.setitem(sys.modules, "config.assemble", module)
    monkeypatch.setattr("logging.basicConfig", lambda **_: None)
    return served


def test_serve_says_when_it_is_ready(shell, assembled):
    assert shell.does("serve") == "rookery ready\n"
    assert assembled.settings == load(shell.config)
    assert shell.run("serve", "--config", str(shell.config), config=False).stdout == "rookery ready\n"


def test_demo_prepares_and_serves(shell, assembled, folder):
    result = shell.run("demo", "--data", str(folder), "--password", "pw", config=False)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("Rookery demo")
    assert result.stdout.endswith("\nrookery ready\n")
    assert assembled.settings.data_dir == folder / "data"


@pytest.mark.parametrize(
    ("outcome", "line"),
    [
        (Failed("our own words"), "our own words"),
        (OSError(98, "Address already in use", "127.0.0.1:5222"), "127.0.0.1:5222: Address already in use"),
        (ExceptionGroup("", [ExceptionGroup("", [ValueError("bad")])]), "ValueError: bad"),
    ],
)
def test_what_ends_the_server_is_one_line(shell, assembled, outcome, line):
    assembled.outcome = outcome
    assert shell.refuses("serve") == line


@pytest.mark.parametrize("outcome", [KeyboardInterrupt(), BaseExceptionGroup("", [KeyboardInterrupt()])])
def test_the_keyboard_stops_it_in_peace(shell, assembled, outcome):
    assembled.outcome = outcome
    assert shell.does("serve") == ""


def test_json_stays_one_value(shell):
    assert json.loads(shell.does("user", "list", "--json")) == []
