"""The small ones: ping, version, time."""

from tests.engine.xmpp.play import error, make_client, reply, xml


def test_ping():
    for to in ("", "example.com", "alice@example.com"):
        with_to, with_from = (f"to='{to}'", f"from='{to}'") if to else ("", "")
        answer = reply(make_client(), f"<iq type='get' id='1' {with_to}><ping xmlns='urn:xmpp:ping'/></iq>")
        assert answer == xml(f"<iq type='result' id='1' {with_from} to='alice@example.com/desk'/>")


def test_version():
    assert reply(
        make_client(), "<iq type='get' id='1' to='example.com'><query xmlns='jabber:iq:version'/></iq>"
    ) == xml(
        "<iq type='result' id='1' from='example.com' to='alice@example.com/desk'>"
        "<query xmlns='jabber:iq:version'><name>Rookery</name><version>0.1</version></query></iq>"
    )


def test_time():
    assert reply(make_client(), "<iq type='get' id='1' to='example.com'><time xmlns='urn:xmpp:time'/></iq>") == xml(
        "<iq type='result' id='1' from='example.com' to='alice@example.com/desk'>"
        "<time xmlns='urn:xmpp:time'><tzo>+00:00</tzo><utc>2023-11-14T22:13:20.250000Z</utc></time></iq>"
    )


def test_the_session_of_old_clients():
    session = "<iq type='set' id='1'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>"
    assert reply(make_client(), session) == xml("<iq type='result' id='1' to='alice@example.com/desk'/>")


def test_a_second_resource_is_not_allowed():
    bind = "<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"
    assert reply(make_client(), bind) == error("iq", "not-allowed", "cancel", text="a resource is bound already")
