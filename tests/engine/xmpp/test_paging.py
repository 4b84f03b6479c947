"""Result set management on paper."""

import pytest

from engine.errors import Condition, Refusal
from engine.xmpp.paging import Paging, page_of, read_paging
from tests.engine.xmpp.play import xml


def query(inner):
    return xml(f"<query xmlns='urn:q'><set xmlns='http://jabber.org/protocol/rsm'>{inner}</set></query>")


@pytest.mark.parametrize(
    ("inner", "paging"),
    [
        ("", Paging()),
        ("<max>10</max>", Paging(10)),
        ("<max>0</max>", Paging(0)),
        ("<max> 7 </max>", Paging(7)),
        ("<max/>", Paging()),
        ("<max>99999999999999999999</max>", Paging(999_999_999)),
        ("<after>x</after><max>5</max>", Paging(5, after="x")),
        ("<after/>", Paging()),
        ("<before/>", Paging(is_backwards=True)),
        ("<before>y</before>", Paging(before="y", is_backwards=True)),
        ("<before>y</before><after>x</after>", Paging(after="x", before="y", is_backwards=True)),
    ],
)
def test_the_page_that_is_wanted(inner, paging):
    assert read_paging(query(inner)) == paging


def test_nothing_is_said_about_a_page():
    assert read_paging(xml("<query xmlns='urn:q'><set><max>1</max></set></query>")) == Paging()


@pytest.mark.parametrize("number", ["-1", "x", "1.5", "+1", "\u0661", "1 0"])
def test_a_number_that_is_none(number):
    with pytest.raises(Refusal) as refused:
        read_paging(query(f"<max>{number}</max>"))
    assert refused.value.condition is Condition.BAD_REQUEST


def test_a_page_by_number():
    with pytest.raises(Refusal) as refused:
        read_paging(query("<max>10</max><index>371</index>"))
    assert refused.value.condition is Condition.FEATURE_NOT_IMPLEMENTED


@pytest.mark.parametrize(
    ("ends", "inner"),
    [
        (("a", "b", None), "<first>a</first><last>b</last>"),
        (("a", "a", 1), "<first>a</first><last>a</last><count>1</count>"),
        (("", "", 0), "<count>0</count>"),
        (("", "", None), ""),
    ],
)
def test_the_page_that_is_given(ends, inner):
    assert page_of(*ends) == xml(f"<set xmlns='http://jabber.org/protocol/rsm'>{inner}</set>")
