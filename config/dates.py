"""Points in time as an operator types them: a date, or an exact time of RFC 3339. Dates are days of UTC."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click
import msgspec

_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TIME: Final = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Span(msgspec.Struct, frozen=True):
    """What was typed, in microseconds since 1970: a whole day, or one moment that is `first` and `last`."""

    first: int
    last: int


class Date(click.ParamType[Span]):
    """``2026-11-25`` or ``2026-11-25T17:30:00+01:00``."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Span:
        """Read one."""
        if isinstance(value, Span):
            return value
        try:
            if _DATE.fullmatch(value):
                first = _microseconds(datetime.fromisoformat(value).replace(tzinfo=UTC))
                return Span(first, first + 86_400_000_000 - 1)
            if _TIME.fullmatch(value):
                moment = _microseconds(datetime.fromisoformat(value.upper()))
                return Span(moment, moment)
        except (ValueError, OverflowError):
            pass  # a 31st of February, a 25th hour
        return self.fail(
            f"{value!r} is neither a date like 2026-11-25 nor a time like 2026-11-25T17:30:00Z", param, ctx
        )


def from_microseconds(moment: int) -> datetime:
    """The time of an archive id, in UTC."""
    return _EPOCH + timedelta(microseconds=moment)


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
