"""Figures that a running server gives of itself: to `rookery status`, and to whoever collects them."""

import msgspec

Label = tuple[str, str]


class Measure(msgspec.Struct, frozen=True):
    """One figure as of now.

    Attributes:
        name: lower case with underscores, with its unit if it has one, such as ``archive_lag_seconds``.
        text: what it is, in a sentence without its full stop.
        value: None: not known just now.
        labels: what distinguishes it from others of the name: pairs of name and value, the same names for all of them.
        is_total: it only grows, from the start of the process.
    """

    name: str
    text: str
    value: float | None
    labels: tuple[Label, ...] = ()
    is_total: bool = False
