"""Files: names, addresses, and what a message is seen to carry."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import files
from engine.jid import Jid
from engine.xmpp.stanzas import read_message
from engine.xmpp.xml import CLIENT, E

SECRET = "abcdefghijklmnopqrstuvwxyz_-0123"


@pytest.mark.parametrize(
    ("given_name", "name"),
    [
        ("photo.jpg", "photo.jpg"),
        ("très cool.jpg", "très cool.jpg"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\cv.pdf", "cv.pdf"),
        ("..", "file"),
        ("", "file"),
        ("   ", "file"),
        (".bashrc", "bashrc"),
        ("a\x00b\r\nc.txt", "ab c.txt"),
        ("invoice\N{RIGHT-TO-LEFT OVERRIDE}fdp.exe", "invoicefdp.exe"),
        ('a"b<c>d|e?f*g:h', "a_b_c_d_e_f_g_h"),
        ("folder/", "folder"),
        ("x" * 300 + ".tar.gz", "x" * 177 + ".gz"),
        ("\N{PILE OF POO}" * 100 + ".png", "\N{PILE OF POO}" * 44 + ".png"),
    ],
)
def test_names_are_safe(given_name, name):
    assert files.safe_name(given_name) == name


@given(st.text())
def test_every_name_becomes_a_safe_one(text):
    name = files.safe_name(text)
    assert name
    assert name == files.safe_name(name)
    assert len(name.encode()) <= files.NAME_BYTES + 16
    assert not set(name) & set('/\\"<>|?*:\0\r\n')
    assert not name.startswith(".")


@given(st.text(), st.integers(min_value=0, max_value=10**12))
def test_an_address_says_what_it_was_made_of(text, size):
    name = files.safe_name(text)
    ticket = files.ticket_of(SECRET, size, name)
    link = files.Link(files.id_of(SECRET), name, size)
    assert files.read_ticket(ticket) == link
    assert files.read_address(files.FileOffer("https://chat.example.com:8443").address(ticket)) == link
    assert ticket.isascii()


@pytest.mark.parametrize(
    "address",
    [
        "",
        f"https://x/upload/{SECRET[1:]}/1/a",
        f"https://x/upload/{SECRET}/-1/a",
        f"https://x/upload/{SECRET}/01/a",
        f"https://x/upload/{SECRET}/1/",
        f"https://x/upload/{SECRET}/1/a/b",
        f"https://x/upload/{SECRET}/1/a?b",
        f"https://x/upload/{SECRET}/1/a\n",
        f"ftp://x/upload/{SECRET}/1/a",
        f"https://x/other/{SECRET}/1/a",
        f"aesgcm://x/upload/{SECRET}/1/a",
    ],
)
def test_what_is_no_address_of_ours(address):
    assert files.read_address(address) is None


@pytest.mark.parametrize(
    ("name", "media_type", "is_shown"),
    [
        ("a.PNG", "image/png", True),
        ("a.jpeg", "image/jpeg", True),
        ("a.svg", "application/octet-stream", False),
        ("a.html", "application/octet-stream", False),
        ("a.js", "application/octet-stream", False),
        ("a.xml", "application/octet-stream", False),
        ("png", "image/png", True),
        ("a.pdf", "application/pdf", False),
        ("a", "application/octet-stream", False),
    ],
)
def test_only_images_are_shown_in_their_place(name, media_type, is_shown):
    assert (files.media_type(name), files.is_shown(name)) == (media_type, is_shown)


def test_a_message_carries_the_first_file_that_it_names():
    sender, to = Jid.parse("a@x.org/r"), Jid.parse("b@x.org")

    def carried(*addresses: str) -> str:
        parts = [E("x", "jabber:x:oob", E("url", "jabber:x:oob", address)) for address in addresses]
        return read_message(E("message", CLIENT, E("body", CLIENT, "see"), *parts), sender, to).file

    ours = f"https://x/upload/{SECRET}/1/a.png"
    assert carried(ours) == files.id_of(SECRET)
    assert carried("https://elsewhere.example/cat.png", ours) == files.id_of(SECRET)
    assert carried("https://elsewhere.example/cat.png") == carried() == ""
