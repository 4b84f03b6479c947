"""Aliases: whom a message to one reaches, and which ones may not be made.

An alias names people and other aliases of its own domain. It *expands* to the people that it names, directly or through
aliases, each once. Loops and members of other domains are refused when the alias is made, so expansion need not fear them;
it still ends on any input, because data can be damaged.
"""

from collections.abc import Iterable, Mapping, Sequence

from engine.errors import Condition, Refusal
from engine.limits import ALIAS_DEPTH, ALIAS_MEMBERS

Aliases = Mapping[str, Sequence[str]]
"""Address of each alias of a domain -> the addresses that it names."""


def expand(address: str, aliases: Aliases) -> tuple[str, ...]:
    """The people behind an alias, each once, in the order in which they are named."""
    people: dict[str, None] = {}
    entered = {address}

    def enter(names: Iterable[str]) -> None:
        for name in names:
            if name not in aliases:
                people[name] = None
            elif name not in entered:
                entered.add(name)
                enter(aliases[name])

    enter(aliases.get(address, ()))
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
    _check_chain(address, proposed, ())
    for name in proposed:  # those that contain it grow with it
        if len(expand(name, proposed)) > ALIAS_MEMBERS:
            raise Refusal(Condition.NOT_ACCEPTABLE, f"alias {name} would reach more than {ALIAS_MEMBERS} people")


def _check_chain(name: str, aliases: Aliases, above: tuple[str, ...]) -> None:
    if name in above:
        raise Refusal(Condition.NOT_ACCEPTABLE, f"alias loop: {' -> '.join((*above, name))}")
    if len(above) >= ALIAS_DEPTH:
        raise Refusal(
            Condition.NOT_ACCEPTABLE, f"aliases nest deeper than {ALIAS_DEPTH}: {' -> '.join((*above, name))}"
        )
    for member in aliases.get(name, ()):
        if member in aliases or member == name:
            _check_chain(member, aliases, (*above, name))
