"""What is measured: stages, each a population on a fresh server, and steps, each one workload there.

A step's key names it in bars, JSON and on the command line.
"""

from collections.abc import Callable
from functools import partial

import msgspec

from tests.load.bench import Bench, Population, Round
from tests.load.rookery import ALIAS
from tests.load.target import Security
from tests.load.workloads import archive, chat, contacts, day, fanout, growth, idle, login, paced, presence

DOMAIN = "load.example"


class Scale(msgspec.Struct, frozen=True):
    """How much of everything.

    Attributes:
        users: of the office, with so many devices each, on these domains.
        crowd: members of one domain who log in at once.
        guests: sessions that only stay, over several domains.
        members: of a large domain; archived: messages of a long history.
        seconds: of a timed round.
        rounds: of each step; the median is told.
    """

    users: int = 200
    devices: int = 1
    domains: tuple[str, ...] = (DOMAIN,)
    crowd: int = 2_000
    guests: int = 5_000
    members: int = 100_000
    archived: int = 1_000_000
    seconds: float = 3.0
    rounds: int = 3

    @property
    def sessions(self) -> int:
        """Of the office."""
        return self.users * self.devices


Play = Callable[[Bench, Scale], Round]


class Step(msgspec.Struct, frozen=True):
    """One workload with its settings.

    Attributes:
        key: short name.
        title: for tables.
        unit: what is counted.
        play: one round.
        security: of the connections.
        lacks: why it cannot be done on this bench; empty when it can.
        rounds: if not those of the scale.
        is_for_peers: other servers are measured, too, when they are compared.
        has_ratio: a bar divides by what peers need: they play as many rounds as the scale says, of other steps one.
    """

    key: str
    title: str
    unit: str
    play: Play
    security: Security = "none"
    lacks: Callable[[Bench], str] = lambda _bench: ""
    rounds: int = 0
    is_for_peers: bool = True
    has_ratio: bool = False


class Stage(msgspec.Struct, frozen=True):
    """A population and what it does.

    Attributes:
        key: short name.
        population: for a scale.
        steps: in this order; those of one kind of connection should stand together.
        aliases: address to members.
    """

    key: str
    population: Callable[[Scale], Population]
    steps: tuple[Step, ...]
    aliases: Callable[[Population], dict[str, list[str]]] = lambda _population: {}


TALKERS = 10
"""Members of a village and of a town who talk."""

CHURN_ROUNDS = 8
"""What a login leaves behind is seen after many, where little else comes and goes; so many times the seconds of a round."""

GUESTS_OF_A_DOMAIN = 200
"""So that everybody's roster is that of the office."""


def _talk(bench: Bench, scale: Scale, *, window: int) -> Round:
    return chat.run(bench, window=window, seconds=scale.seconds, sessions=scale.sessions)


def _pace(bench: Bench, scale: Scale, *, rate: float) -> Round:
    return paced.run(bench, rate=rate, seconds=scale.seconds, sessions=scale.sessions)


def _storm(bench: Bench, scale: Scale) -> Round:
    return presence.run(bench, changes=20, seconds=scale.seconds, sessions=scale.sessions)


def _login(bench: Bench, scale: Scale) -> Round:
    return login.alone(bench, logins=20, sessions=scale.sessions)


def _return(bench: Bench, scale: Scale) -> Round:
    return login.again(bench, sessions=scale.sessions)


def _crowd_login(bench: Bench, scale: Scale) -> Round:
    return login.together(bench, sessions=scale.crowd)


def _tell_all(bench: Bench, scale: Scale, *, window: int) -> Round:
    return fanout.run(bench, window=window, seconds=scale.seconds, sessions=len(bench.accounts))


def _turn_pages(bench: Bench, scale: Scale) -> Round:
    return archive.pages(bench, seconds=scale.seconds, sessions=scale.sessions)


def _search_text(bench: Bench, scale: Scale) -> Round:
    return archive.searches(bench, seconds=scale.seconds, sessions=scale.sessions)


def _search_contacts(bench: Bench, scale: Scale) -> Round:
    return contacts.run(bench, seconds=scale.seconds, sessions=scale.sessions)


def _stay(bench: Bench, scale: Scale) -> Round:
    return idle.sessions(bench, count=scale.guests)


def _few_talk(bench: Bench, scale: Scale) -> Round:
    """The same pairs, whoever else is there."""
    return chat.run(bench, window=1, seconds=scale.seconds, sessions=min(scale.users, len(bench.accounts)))


def _start(bench: Bench, scale: Scale) -> Round:
    return growth.start(bench, messages=scale.archived, times=scale.rounds)


def _day(bench: Bench, scale: Scale) -> Round:
    return day.run(bench, seconds=2 * scale.seconds, sessions=scale.sessions)


def _come_and_go(bench: Bench, scale: Scale) -> Round:
    return idle.churn(bench, seconds=CHURN_ROUNDS * scale.seconds)


def _office(scale: Scale) -> Population:
    return Population(users=scale.users, devices=scale.devices, domains=scale.domains)


def _crowd(scale: Scale) -> Population:
    return Population(users=scale.crowd, domains=(DOMAIN,))


def _guests(scale: Scale) -> Population:
    domains = max(1, scale.guests // GUESTS_OF_A_DOMAIN)
    return Population(users=scale.guests, domains=tuple(f"guests{number}.example" for number in range(domains)))


def _village(scale: Scale) -> Population:
    return Population(users=TALKERS, domains=(DOMAIN,), has_roster=False)


def _town(scale: Scale) -> Population:
    return Population(users=TALKERS, domains=(DOMAIN,), bystanders=scale.members - TALKERS, has_roster=False)


def _everyone(population: Population) -> dict[str, list[str]]:
    return {ALIAS: [account.bare for account in population.accounts() if account.domain == DOMAIN]}


def _needs(feature: str, name: str) -> Callable[[Bench], str]:
    return lambda bench: "" if getattr(bench.target.offers, feature) else f"not offered: {name}"


_own_step = partial(Step, is_for_peers=False)
"""For what peers are not asked: it is not compared, or takes too long there."""


def once(stage: Stage) -> Stage:
    """As peers play it: in one round what no bar divides by."""
    steps = [step if step.has_ratio else msgspec.structs.replace(step, rounds=1) for step in stage.steps]
    return msgspec.structs.replace(stage, steps=tuple(steps))


STAGES = (
    Stage(
        "office",
        _office,
        (
            Step("message-1", "1:1 message, window 1", "message", partial(_talk, window=1), has_ratio=True),
            Step("message-8", "1:1 message, window 8", "message", partial(_talk, window=8), has_ratio=True),
            Step("paced-300", "1:1 message, 300 a second", "message", partial(_pace, rate=300.0)),
            _own_step("paced-3000", "1:1 message, 3,000 a second", "message", partial(_pace, rate=3000.0)),
            Step("presence", "presence, 20 change at once", "presence told", _storm, has_ratio=True),
            Step(
                "alias", "message to all", "delivery", partial(_tell_all, window=4), lacks=fanout.lacks, has_ratio=True
            ),
            Step("history", "page of 50 (XEP-0313)", "page", _turn_pages, lacks=_needs("history", "XEP-0313")),
            _own_step(
                "text", "text search (XEP-0431)", "search", _search_text, lacks=_needs("text_search", "XEP-0431")
            ),
            _own_step(
                "contacts", "contact search", "search", _search_contacts, lacks=_needs("contact_search", "XEP-0055")
            ),
            Step("login", "login, all others online", "login", _login),
            Step("return", "all connections break", "return", _return),
            _own_step("day", "a day at the office", "action", _day, rounds=1),
            Step("message-1-tls", "1:1 message, window 1, TLS", "message", partial(_talk, window=1), "direct"),
            _own_step("message-8-tls", "1:1 message, window 8, TLS", "message", partial(_talk, window=8), "direct"),
            _own_step("login-tls", "login, all others online, TLS", "login", _login, "direct"),
            _own_step("churn", "come and go, TLS", "login", _come_and_go, "direct", rounds=1),
            _own_step("message-1-web", "1:1 message, window 1, WebSocket", "message", partial(_talk, window=1), "web"),
            _own_step("web-message", "1:1 message, webmail's socket", "message", partial(_talk, window=1), "page"),
            _own_step("web-paced", "1:1 message, 300 a second, webmail", "message", partial(_pace, rate=300.0), "page"),
            _own_step("day-mixed", "a day, half of them in webmail", "action", _day, "mixed", rounds=1),
        ),
        _everyone,
    ),
    Stage(
        "crowd",
        _crowd,
        (
            _own_step("mass-login", "all of a crowd log in", "login", _crowd_login, rounds=1),
            _own_step("crowd-alias", "message to the crowd", "delivery", partial(_tell_all, window=1)),
        ),
        _everyone,
    ),
    Stage(
        "guests",
        _guests,
        (
            _own_step("few-sessions", "1:1 message, 200 sessions, TLS", "message", _few_talk, "direct"),
            Step("memory", "session with roster, TLS", "session", _stay, "direct", rounds=1),
            _own_step("many-sessions", "1:1 message, all guests there", "message", _few_talk, "direct"),
        ),
    ),
    Stage("village", _village, (_own_step("few-members", "1:1 message, 10 members", "message", _few_talk),)),
    Stage(
        "town",
        _town,
        (
            _own_step("many-members", "1:1 message, 100,000 members", "message", _few_talk),
            _own_step("start", "start, 100,000 members", "start", _start, rounds=1),
            _own_step("full-archive", "1:1 message, 1,000,000 archived", "message", _few_talk),
        ),
    ),
)
