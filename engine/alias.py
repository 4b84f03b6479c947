"""Aliases: whom a message to one reaches, and which ones may not be made.

An alias names people and other aliases of its own domain. It *expands* to the people that it names, directly or through
aliases, each once. Loops and members of other domains are refused when the alias is made, so expansion need not fear them;
it still ends on any input, because data can be damaged.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from engine.errors import Condition, Refusal
from engine.limits import ALIAS_DEPTH, ALIAS_MEMBERS

RESOURCE: Final = "alias"
"""Of an alias's presence: in RFC 6121, 4.2 presence comes from full JIDs. What is sent to this one is sent to the alias.

COMPAT: Gajim shows a contact as offline that has no resource.
"""

Aliases = Mapping[str, Sequence[str]]
"""Address of each alias of a domain -> the addresses that it names."""


def expand(address: str, aliases: Aliases) -> tuple[str, ...]:
    """The people behind an alias, each once, in the order in which they are named."""
    people: dict[str, None] = {}
    entered = {address}
    open_lists = [iter(aliases.get(address, ()))]
    while open_lists:  # a stack and no recursion: damaged data may nest deeper than Python does
        for name in open_lists[-1]:
            if name not in aliases:
                people[name] = None
            elif name not in entered:
                entered.add(name)
                open_lists.append(iter(aliases[name]))
                break
        else:
            open_lists.pop()
    return tuple(people)


def check(address: str, members: Sequence[str], people: Iterable[str], aliases: Aliases) -> None:
    """Whether this alias may be made (or its members changed to these).

    Raises:
        Refusal: no members, a member of another domain or unknown, a loop, too deep, or too many people.
    """
    domain = address.rpartition("@")[2]
    known = people if isinstance(people, set | frozenset | dict) else set(people)
    if not members:
        raise Refusal(Condition.NOT_ACCEPTABLE, f"alias {address} needs at least one member")
    if address in known:
        raise Refusal(Condition.CONFLICT, f"{address} is a member, not an alias")
    for member in members:
        if member.rpartition("@")[2] != domain:
            raise Refusal(Condition.NOT_ACCEPTABLE, f"{member} is not in the domain {domain}")
        if member not in known and member not in aliases:
            raise Refusal(Condition.ITEM_NOT_FOUND, f"there is no member or alias {member}")
    proposed = {**aliases, address: tuple(members)}
    entered: dict[str, int] = {}
    for name in _containing(address, proposed):  # those that contain it grow with it
        _check_chain(name, proposed, (), entered)
        if len(expand(name, proposed)) > ALIAS_MEMBERS:
            raise Refusal(Condition.NOT_ACCEPTABLE, f"alias {name} would reach more than {ALIAS_MEMBERS} people")


def without(address: str, aliases: Aliases) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """What becomes of the aliases when a member or alias goes.

    Returns:
        The aliases that named it, with the members that are left, and the aliases that would be empty and go too, in the
        order in which they became empty (the first is `address` itself if it is an alias).
    """
    left = {name: tuple(members) for name, members in aliases.items()}
    named: set[str] = set()
    gone = [address]
    for leaving in gone:  # grows: an alias that only named an empty one is empty too
        left.pop(leaving, None)
        for name, members in left.items():
            if leaving in members:
                named.add(name)
                left[name] = tuple(member for member in members if member != leaving)
        gone += [name for name, members in left.items() if not members and name in named and name not in gone]
    return (
        {name: members for name, members in left.items() if name in named},
        [name for name in gone if name in aliases],
    )


def _containing(address: str, aliases: Aliases) -> list[str]:
    """The alias itself and every one that names it, directly or through others; nearest first."""
    found = [address]
    for inner in found:  # grows
        found += [name for name, members in aliases.items() if inner in members and name not in found]
    return found


def _check_chain(name: str, aliases: Aliases, above: tuple[str, ...], entered: dict[str, int]) -> None:
    """Refuse loops and chains that are too deep.

    `entered` remembers how deep each alias was when it was found good. From nowhere less deep can anything below it be
    bad, so many ways to one alias cost no more than `ALIAS_DEPTH` visits.
    """
    if name in above:
        raise Refusal(Condition.NOT_ACCEPTABLE, f"alias loop: {' -> '.join((*above, name))}")
    if len(above) >= ALIAS_DEPTH:
        raise Refusal(
            Condition.NOT_ACCEPTABLE, f"aliases nest deeper than {ALIAS_DEPTH}: {' -> '.join((*above, name))}"
        )
    if entered.get(name, -1) >= len(above):
        return
    for member in aliases.get(name, ()):
        if member in aliases:
            _check_chain(member, aliases, (*above, name), entered)
    entered[name] = len(above)
