"""Aliases: whom they reach, which may not be made, what becomes of them when somebody goes."""

import pytest

from engine.alias import check, expand, without
from engine.errors import Condition, Refusal
from engine.limits import ALIAS_DEPTH, ALIAS_MEMBERS

PEOPLE = {f"{name}@a.example" for name in ("ann", "ben", "cyd")}


def refusal(address, members, aliases=None, people=PEOPLE):
    with pytest.raises(Refusal) as caught:
        check(address, members, people, aliases or {})
    return caught.value


def chain(length, last="ann@a.example"):
    """a1 names a2 names … names `last`."""
    return {f"a{i}@a.example": (f"a{i + 1}@a.example" if i < length else last,) for i in range(1, length + 1)}


def diamonds(layers):
    """Each of two aliases of a layer names both of the next: 2^layers ways to the bottom."""
    aliases = {}
    for i in range(1, layers + 1):
        below = (f"l{i + 1}@a.example", f"r{i + 1}@a.example") if i < layers else ("ann@a.example", "ben@a.example")
        aliases[f"l{i}@a.example"] = aliases[f"r{i}@a.example"] = below
    return aliases


def test_an_alias_reaches_its_people_once_in_the_order_in_which_they_are_named():
    aliases = {"all@x": ("cyd@x", "team@x", "ann@x"), "team@x": ("ann@x", "ben@x", "cyd@x")}
    assert expand("all@x", aliases) == ("cyd@x", "ann@x", "ben@x")
    assert expand("nobody@x", aliases) == ()


def test_an_expansion_ends_on_damaged_data():
    assert expand("a@x", {"a@x": ("b@x", "ann@x"), "b@x": ("a@x", "b@x", "ben@x")}) == ("ben@x", "ann@x")
    deep = {f"a{i}@x": (f"a{i + 1}@x",) for i in range(5_000)}
    assert expand("a0@x", deep) == ("a5000@x",)


def test_aliases_may_name_people_and_aliases():
    check("new@a.example", ["ann@a.example", "a1@a.example"], PEOPLE, chain(3))


def test_refusals_name_what_is_wrong():
    assert "needs at least one member" in refusal("x@a.example", []).text
    assert refusal("ann@a.example", ["ben@a.example"]).condition is Condition.CONFLICT
    assert refusal("x@a.example", ["eve@b.example"]).text == "eve@b.example is not in the domain a.example"
    unknown = refusal("x@a.example", ["zoe@a.example"])
    assert (unknown.condition, unknown.text) == (Condition.ITEM_NOT_FOUND, "there is no member or alias zoe@a.example")


def test_a_loop_is_refused_and_shown():
    aliases = {"a@a.example": ("ann@a.example",), "b@a.example": ("a@a.example",), "c@a.example": ("b@a.example",)}
    assert refusal("a@a.example", ["c@a.example"], aliases).text == (
        "alias loop: a@a.example -> c@a.example -> b@a.example -> a@a.example"
    )
    assert refusal("a@a.example", ["a@a.example"], aliases).text == "alias loop: a@a.example -> a@a.example"


def test_a_chain_that_is_too_deep_is_refused_from_above_and_from_below():
    check("top@a.example", ["a1@a.example"], PEOPLE, chain(ALIAS_DEPTH - 1))
    assert f"deeper than {ALIAS_DEPTH}" in refusal("top@a.example", ["a1@a.example"], chain(ALIAS_DEPTH)).text
    aliases = {**chain(ALIAS_DEPTH), "below@a.example": ("ben@a.example",)}
    bottom = f"a{ALIAS_DEPTH}@a.example"
    check(bottom, ["ben@a.example"], PEOPLE, aliases)
    assert f"deeper than {ALIAS_DEPTH}" in refusal(bottom, ["below@a.example"], aliases).text


def test_many_ways_to_the_same_alias_cost_no_more_than_one():
    check("top@a.example", ["l1@a.example", "r1@a.example"], PEOPLE, diamonds(ALIAS_DEPTH - 1))
    assert "deeper" in refusal("top@a.example", ["l1@a.example", "r1@a.example"], diamonds(ALIAS_DEPTH)).text


@pytest.mark.timeout(10)
def test_a_wide_lattice_is_checked_in_no_time():
    width, layers = 20, ALIAS_DEPTH - 1  # 20^15 ways
    aliases = {
        f"n{layer}x{i}@a.example": tuple(f"n{layer + 1}x{j}@a.example" for j in range(width))
        if layer < layers
        else ("ann@a.example",)
        for layer in range(1, layers + 1)
        for i in range(width)
    }
    check("top@a.example", [f"n1x{i}@a.example" for i in range(width)], PEOPLE, aliases)


def test_too_many_people_are_refused_also_in_the_alias_above():
    people = {f"p{i}@a.example" for i in range(ALIAS_MEMBERS + 1)}
    crowd = sorted(people)
    check("x@a.example", crowd[1:], people, {})
    assert "more than" in refusal("x@a.example", crowd, people=people).text
    aliases = {"x@a.example": (crowd[0],), "above@a.example": ("x@a.example", crowd[-1])}
    assert "alias above@a.example would reach" in refusal("x@a.example", crowd[:-1], aliases, people).text


def test_who_goes_is_taken_out_of_the_aliases():
    aliases = {"team@x": ("ann@x", "ben@x"), "other@x": ("ben@x",)}
    assert without("ann@x", aliases) == ({"team@x": ("ben@x",)}, [])


def test_an_alias_that_is_left_empty_goes_too_and_so_on():
    aliases = {"solo@x": ("ann@x",), "outer@x": ("solo@x",), "mixed@x": ("outer@x", "ben@x", "ann@x")}
    assert without("ann@x", aliases) == ({"mixed@x": ("ben@x",)}, ["solo@x", "outer@x"])


def test_an_alias_that_goes_is_taken_out_of_others():
    aliases = {"solo@x": ("ann@x",), "outer@x": ("solo@x", "ben@x")}
    assert without("solo@x", aliases) == ({"outer@x": ("ben@x",)}, ["solo@x"])
