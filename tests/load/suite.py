"""What is measured: stages, each a population on a fresh server, and steps, each one workload there.

A step's key names it in bars, JSON and on the command line.
"""

from collections.abc import Callable
from functools import partial

import msgspec

from tests.load.bench import Bench, Population, Round
from tests.load.target import Offers, Security
from tests.load.workloads import chat

DOMAIN = "load.example"


class Scale(msgspec.Struct, frozen=True):
    """How much of everything.

    Attributes:
        users: of the office; others are said in the stages.
        seconds: of a timed round.
        rounds: of each step; the median is told.
    """

    users: int = 200
    devices: int = 1
    domains: tuple[str, ...] = (DOMAIN,)
    seconds: float = 3.0
    rounds: int = 3


Play = Callable[[Bench, Scale], Round]


class Step(msgspec.Struct, frozen=True):
    """One workload with its settings.

    Attributes:
        key: short name.
        title: for tables.
        unit: what is counted.
        play: one round.
        security: of the connections.
        lacks: why a server that offers this cannot do it; empty when it can.
        rounds: if not those of the scale.
    """

    key: str
    title: str
    unit: str
    play: Play
    security: Security = "none"
    lacks: Callable[[Offers], str] = lambda _offers: ""
    rounds: int = 0


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
    aliases: Callable[[Scale], dict[str, list[str]]] = lambda _scale: {}


def _talk(bench: Bench, scale: Scale, *, window: int) -> Round:
    return chat.run(bench, window=window, seconds=scale.seconds, sessions=scale.users * scale.devices)


def _office(scale: Scale) -> Population:
    return Population(users=scale.users, devices=scale.devices, domains=scale.domains)


STAGES = (
    Stage(
        "office",
        _office,
        (
            Step("message-1", "1:1 message, window 1", "message", partial(_talk, window=1)),
            Step("message-8", "1:1 message, window 8", "message", partial(_talk, window=8)),
            Step("message-1-tls", "1:1 message, window 1, TLS", "message", partial(_talk, window=1), "direct"),
            Step("message-8-tls", "1:1 message, window 8, TLS", "message", partial(_talk, window=8), "direct"),
        ),
    ),
)
