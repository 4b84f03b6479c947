"""Cards from the directory, and the photo that is the user's own."""

import base64

import pytest

from engine import messages as m
from engine.contacts import Contact
from engine.limits import PHOTO_BYTES
from engine.messages import Photo
from tests.engine.xmpp.play import BOB_CONTACT, TEAM, error, make_client, reply, request, send, told, xml

NAME = "{vcard-temp}vCard"
PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 20


@pytest.fixture
def alice():
    return make_client()


def card(inner, to=""):
    return f"<iq type='set' id='1' {to}><vCard xmlns='vcard-temp'>{inner}</vCard></iq>"


def photo(data, media_type="image/png"):
    return f"<PHOTO><TYPE>{media_type}</TYPE><BINVAL>{base64.encodebytes(data).decode()}</BINVAL></PHOTO>"


def test_asking_for_cards(alice):
    get = "<iq type='get' id='1' {}><vCard xmlns='vcard-temp'/></iq>"
    assert send(alice, get.format("")) == m.FetchCard(request(NAME), "alice@example.com")
    own = send(alice, get.format("to='alice@example.com'"))
    assert own == m.FetchCard(request(NAME, "alice@example.com"), "alice@example.com")
    bobs = send(alice, get.format("to='bob@example.com'"))
    assert bobs == m.FetchCard(request(NAME, "bob@example.com"), "bob@example.com")


def test_a_person(alice):
    event = m.CardFetched(request(NAME, "bob@example.com"), BOB_CONTACT, Photo("image/png", PNG))
    assert told(alice, event) == xml(
        "<iq type='result' id='1' from='bob@example.com' to='alice@example.com/desk'><vCard xmlns='vcard-temp'>"
        "<N><FAMILY>Builder</FAMILY><GIVEN>Bob &lt;B.></GIVEN></N><FN>Bob &lt;B.> Builder</FN>"
        "<EMAIL><INTERNET/><PREF/><USERID>bob@example.com</USERID></EMAIL><JABBERID>bob@example.com</JABBERID>"
        "<TEL><WORK/><VOICE/><NUMBER>+1 555 0100</NUMBER></TEL><TITLE>Head of Sales &amp; More</TITLE>"
        "<ORG><ORGNAME>example.com</ORGNAME><ORGUNIT>Sales</ORGUNIT></ORG>"
        f"<PHOTO><TYPE>image/png</TYPE><BINVAL>{base64.b64encode(PNG).decode()}</BINVAL></PHOTO></vCard></iq>"
    )


def test_a_person_of_whom_little_is_known(alice):
    event = m.CardFetched(request(NAME), Contact(address="x@example.com"), None)
    assert told(alice, event).elements()[0] == xml(
        "<vCard xmlns='vcard-temp'><N><GIVEN>x</GIVEN></N><FN>x</FN>"
        "<EMAIL><INTERNET/><PREF/><USERID>x@example.com</USERID></EMAIL><JABBERID>x@example.com</JABBERID></vCard>"
    )


def test_an_alias_lists_its_members(alice):
    assert told(alice, m.CardFetched(request(NAME), TEAM, None)).elements()[0] == xml(
        "<vCard xmlns='vcard-temp'><FN>Sales team</FN>"
        "<EMAIL><INTERNET/><PREF/><USERID>salesteam@example.com</USERID></EMAIL>"
        "<JABBERID>salesteam@example.com</JABBERID><DESC>Members:\nbob@example.com\ncarol@example.com</DESC></vCard>"
    )


def test_the_photo_is_taken_and_the_rest_passed_over(alice):
    command = send(alice, card(f"<FN>King Alice</FN>{photo(PNG, 'text/html')}<TITLE>Boss</TITLE>"))
    assert command == m.SetPhoto(request(NAME), Photo("image/png", PNG))


@pytest.mark.parametrize(
    "inner", ["", "<FN>Alice</FN>", "<PHOTO/>", "<PHOTO><EXTVAL>https://x.example/</EXTVAL></PHOTO>"]
)
def test_a_card_without_a_photo_drops_it(alice, inner):
    assert send(alice, card(inner)) == m.SetPhoto(request(NAME), None)


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (PNG + b"x" * (PHOTO_BYTES - len(PNG)), "image/png"),
    ],
)
def test_kinds_of_photo(alice, data, media_type):
    assert send(alice, card(photo(data))).photo == Photo(media_type, data)


@pytest.mark.parametrize(
    ("inner", "condition", "text"),
    [
        (photo(b"<svg onload='x()'/>"), "not-acceptable", "a photo is a PNG, JPEG, GIF or WebP"),
        (photo(PNG + b"x" * PHOTO_BYTES), "not-acceptable", f"a photo may have {PHOTO_BYTES} bytes"),
        ("<PHOTO><BINVAL>!!!</BINVAL></PHOTO>", "bad-request", "the photo is no base64"),
        ("<PHOTO><BINVAL>é</BINVAL></PHOTO>", "bad-request", "the photo is no base64"),
    ],
)
def test_photos_that_are_none(alice, inner, condition, text):
    assert reply(alice, card(inner)) == error("iq", condition, "modify", text=text)


def test_nobody_elses_card(alice):
    assert send(alice, card("", "to='bob@example.com'")) == m.FetchContact(
        request(NAME, "bob@example.com"), "bob@example.com"
    )
    forbidden = told(alice, m.ContactFetched(request(NAME, "bob@example.com"), BOB_CONTACT))
    assert forbidden == error("iq", "forbidden", "auth", from_="bob@example.com")
