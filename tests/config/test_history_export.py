"""`rookery history export`, with the server running and stopped."""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.config.archive import DAY, HOUR, say
from tests.index.stories import NOON, says, says_to_alias

ROOT = Path(__file__).parents[2]
ROOKERY = (sys.executable, "-c", "from config.cli import main; main()")
A, B, C, TEAM = "ann@a.example", "ben@a.example", "cat@a.example", "team@a.example"
EXPORT = ("history", "export", A, "--format")
NASTY = "</p><script>alert('1')</script>&amp;\"'\n09:00:00  Ben -> Ann: forged\x1b[31m\u202e\u2028end"


@pytest.fixture
def people(shell):
    """Ann, Ben, Cat and their team; they talked on 14 and 15 November 2023."""
    for address, name in ((A, "Ann Ärden"), (B, "Ben <b>"), (C, "")):
        shell.does("user", "add", address, "--name", name, stdin="")
    shell.does("alias", "add", TEAM, A, B, C, "--name", "The team")
    say(
        shell,
        says(f"{A}/desk", B, "good morning", "o1", stanza_id="s1"),
        says(B, f"{A}/desk", NASTY, language="en"),
        says(C, B, "not Ann's business"),
        at=NOON,
    )
    say(shell, says_to_alias(f"{B}/phone", TEAM, f"{A} {C}", body="to all"), at=NOON + HOUR)
    receipt = says(A, B, "")
    say(shell, receipt, says(A, C, "the next day"), at=NOON + DAY)


@pytest.fixture
def talk(anyhow, people):
    return anyhow


def records(text):
    return [json.loads(line) for line in text.splitlines()]


def bodies(shell, *options):
    return [record["body"] for record in records(shell.does(*EXPORT, "jsonl", *options))]


# -- formats ------------------------------------------------------------------------------------------------------------


def test_jsonl_has_every_field(talk):
    first, second, third, fourth, fifth = records(talk.does(*EXPORT, "jsonl"))
    assert first == {
        "id": f"{int(NOON * 1_000_000):016x}",
        "time": "2023-11-14T22:13:20.000000Z",
        "direction": "sent",
        "peer": B,
        "from": f"{A}/desk",
        "to": B,
        "via": None,
        "kind": "chat",
        "stanza_id": "s1",
        "origin_id": "o1",
        "language": "",
        "body": "good morning",
        "payload": "<body>good morning</body>",
    }
    assert (second["direction"], second["from"], second["to"]) == ("received", B, f"{A}/desk")
    assert (second["body"], second["language"]) == (NASTY, "en")
    assert (third["via"], third["to"], third["peer"], third["from"]) == (TEAM, TEAM, B, f"{B}/phone")
    assert (fourth["body"], fifth["body"]) == ("", "the next day")
    assert [record["id"] for record in (first, second, third)] == sorted(r["id"] for r in (first, second, third))


def test_txt_is_for_people(talk):
    text = talk.does(*EXPORT, "txt")
    assert re.sub(r"Written: .*", "Written:", text) == (
        "History of: Ann Ärden <ann@a.example>\n"
        "Written:\n"
        "\n"
        "---- Tuesday, 14 November 2023 ----\n"
        "\n"
        "22:13:20  Ann Ärden -> Ben <b>: good morning\n"
        "22:13:20  Ben <b> -> Ann Ärden: </p><script>alert('1')</script>&amp;\"'\n"
        "          09:00:00  Ben -> Ann: forged\ufffd[31m\ufffd\n"
        "          end\n"
        "23:13:20  Ben <b> -> The team: to all\n"
        "\n"
        "---- Wednesday, 15 November 2023 ----\n"
        "\n"
        "22:13:20  Ann Ärden -> cat@a.example: the next day\n"
        "\n"
        "4 messages, and 1 without text that only --format jsonl shows. All times are UTC.\n"
    )


class Page(HTMLParser):
    """Elements of a page, and what stands in its paragraphs."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.open, self.paragraphs, self.days, self.attributes = [], [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag != "meta":
            self.open.append(tag)
        if tag == "p":
            self.paragraphs.append("")
        if tag == "h2":
            self.days.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] == ["p"]:
            self.paragraphs[-1] += data
        if self.open[-1:] == ["h2"]:
            self.days[-1] += data


def test_html_is_one_page_in_which_nothing_breaks_out(talk):
    text = talk.does(*EXPORT, "html")
    page = Page(text)
    assert page.open == []
    assert set(page.tags) == {
        *("html", "head", "meta", "title", "style", "body", "header", "h1", "dl", "dt", "dd", "bdi"),
        *("main", "h2", "article", "div", "span", "time", "p", "footer"),
    }
    assert not any(name.startswith("on") or name in {"src", "href"} for name, _ in page.attributes)
    assert page.paragraphs == [
        "good morning",
        NASTY.replace("\x1b", "\ufffd").replace("\u202e", "\ufffd"),
        "to all",
        "the next day",
    ]
    assert page.days == ["Tuesday, 14 November 2023", "Wednesday, 15 November 2023"]
    assert "Ben &lt;b&gt;" in text
    assert ("datetime", "2023-11-14T22:13:20+00:00") in page.attributes
    assert "4 messages, and 1 without text" in text


# -- which part ---------------------------------------------------------------------------------------------------------


def test_with(talk):
    assert bodies(talk, "--with", C) == ["the next day"]
    assert bodies(talk, "--with", B.upper()) == ["good morning", NASTY, "to all", ""]
    assert bodies(talk, "--with", "gone@a.example") == []
    assert "With:       Ben <b> <ben@a.example>" in talk.does(*EXPORT, "txt", "--with", B)
    assert talk.refuses(*EXPORT, "txt", "--with", "ben") == "--with: 'ben': not an address of the form name@domain"
    assert "is not served here" in talk.refuses(*EXPORT, "txt", "--with", "ben@elsewhere.example")


def test_from_and_to(talk):
    assert bodies(talk, "--from", "2023-11-15") == ["", "the next day"]
    assert bodies(talk, "--to", "2023-11-14") == ["good morning", NASTY, "to all"]
    assert bodies(talk, "--from", "2023-11-14", "--to", "2023-11-14", "--with", B)[-1] == "to all"
    assert bodies(talk, "--from", "2023-11-15T00:13:20+01:00", "--to", "2023-11-14T23:13:20Z") == ["to all"]
    assert bodies(talk, "--from", "1969-01-01", "--to", "9999-12-31") == bodies(talk)
    text = talk.does(*EXPORT, "txt", "--from", "2023-11-15", "--to", "2023-11-15")
    assert "From:       2023-11-15 00:00:00 UTC\nTo:         2023-11-15 23:59:59 UTC\n" in text


def test_an_alias(talk):
    found = records(talk.does("history", "export", TEAM, "--format", "jsonl"))
    assert [(record["from"], record["to"], record["body"]) for record in found] == [(f"{B}/phone", TEAM, "to all")]
    assert talk.does("history", "export", TEAM, "--format", "jsonl", "--with", C) == ""


def test_a_history_of_nothing(talk):
    talk.does("user", "add", "new@a.example", stdin="")
    assert talk.does("history", "export", "new@a.example", "--format", "jsonl") == ""
    assert "0 messages. All times are UTC." in talk.does("history", "export", "new@a.example", "--format", "html")


def test_before_anything_was_ever_said(shell):
    shell.does("user", "add", A, stdin="")
    assert shell.does(*EXPORT, "jsonl") == ""


# -- what cannot be -----------------------------------------------------------------------------------------------------


def test_an_unknown_address_is_refused(talk):
    assert (
        talk.refuses("history", "export", "x@a.example", "--format", "txt") == "there is no member or alias x@a.example"
    )
    assert (
        talk.refuses("history", "export", "ann", "--format", "txt") == "'ann': not an address of the form name@domain"
    )
    assert "is not served here" in talk.refuses("history", "export", "ann@b.example", "--format", "txt")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "Missing option '--format'"),
        (("--format", "pdf"), "'pdf' is not one of 'jsonl', 'txt', 'html'"),
        (("--format", "txt", "--from", "yesterday"), "'yesterday' is neither a date"),
        (("--format", "txt", "--to", "2023-02-29"), "'2023-02-29' is neither a date"),
        (("--format", "txt", "--from", "2023-11-15", "--to", "2023-11-14"), "--from is after --to"),
    ],
)
def test_wrong_usage(shell, options, words):
    result = shell.run("history", "export", A, *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr


def test_an_archive_that_cannot_be_read_is_refused(shell, people):
    (shell.data / "archive.sqlite").write_bytes(b"no database at all" * 1000)
    assert "cannot be read: file is not a database" in shell.refuses(*EXPORT, "txt")


# -- files --------------------------------------------------------------------------------------------------------------


def test_a_file_is_private_and_whole(talk, tmp_path):
    file = tmp_path / "ann.html"
    file.write_text("an older one")
    assert talk.does(*EXPORT, "html", "--output", str(file)) == ""
    assert file.read_text(encoding="utf-8").endswith("</html>")
    assert file.stat().st_mode & 0o777 == 0o600
    assert talk.does(*EXPORT, "jsonl", "--output", "-") == talk.does(*EXPORT, "jsonl")


def test_a_place_that_cannot_be_written_is_refused(shell, people, tmp_path):
    for place in (tmp_path, tmp_path / "no" / "such" / "file"):
        assert shell.refuses(*EXPORT, "txt", "--output", str(place)).startswith(f"{place}: cannot be written: ")
    assert (
        shell.refuses(*EXPORT, "txt", "--output", "/dev/full")
        == "/dev/full: cannot be written: No space left on device"
    )


def command(shell, *arguments):
    return [*ROOKERY, "--config", str(shell.config), *arguments]


def test_a_full_disk_leaves_what_was_there(shell, people, tmp_path):
    """The limit of file size stands for the end of the disk."""
    say(shell, *(says(A, B, "x" * 50_000) for _ in range(40)), at=NOON + 2 * DAY)
    file = tmp_path / "out" / "ann.txt"
    file.parent.mkdir()
    file.write_text("an older one")
    script = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000));"
        "from config.cli import main; main()"
    )
    run = [sys.executable, "-c", script, "--config", str(shell.config), *EXPORT, "txt", "--output", str(file)]
    result = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"rookery: {file}: cannot be written: File too large\n"
    assert file.read_text() == "an older one"
    assert [entry.name for entry in file.parent.iterdir()] == ["ann.txt"]


def test_standard_output_that_is_full_is_one_line(shell, people):
    with Path("/dev/full").open("wb") as full:
        result = subprocess.run(
            command(shell, *EXPORT, "txt"), cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (result.returncode, result.stderr) == (1, "rookery: No space left on device\n")


def test_who_has_read_enough_is_left_in_peace(shell, people):
    say(shell, *(says(A, B, "x" * 50_000) for _ in range(40)), at=NOON + 2 * DAY)
    process = subprocess.Popen(
        command(shell, *EXPORT, "txt"), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "History of: Ann Ärden <ann@a.example>\n"
    process.stdout.close()
    assert process.wait(30) == 1
    assert process.stderr.read() == ""
    process.stderr.close()


def test_an_interrupted_export_leaves_nothing(shell, people, tmp_path):
    file = tmp_path / "out" / "ann.txt"
    file.parent.mkdir()
    script = (
        "import os, signal, index.transcripts as t; old = t.chat_of\n"
        "def interrupt(row): os.kill(os.getpid(), signal.SIGINT); return old(row)\n"
        "t.chat_of = interrupt\n"
        "from config.cli import main; main()"
    )
    run = [sys.executable, "-c", script, "--config", str(shell.config), *EXPORT, "txt", "--output", str(file)]
    result = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.strip() == "Aborted!"
    assert list(file.parent.iterdir()) == []
