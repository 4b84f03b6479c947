"""Shapes that several features share: forms (XEP-0004 2.13, XEP-0122 1.0), time (XEP-0082), capability hashes (XEP-0115 1.6).

And what the server adds to a message that it delivers: the archive's id (XEP-0359 0.7), the time since when it waited
(XEP-0203 2.0), the alias that it was sent to (XEP-0033 1.2).
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from engine.xmpp.xml import E, Element, clean_text

FORMS: Final = "jabber:x:data"
VALIDATION: Final = "http://jabber.org/protocol/xdata-validate"
STANZA_IDS: Final = "urn:xmpp:sid:0"
DELAY: Final = "urn:xmpp:delay"
ADDRESSES: Final = "http://jabber.org/protocol/address"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)


# -- added to what is delivered ----------------------------------------------------------------------------------------


def stanza_id(id_text: str, by: str) -> Element:
    """The archive's id of a message. `by`: the account in whose archive it is."""
    return E("stanza-id", STANZA_IDS, id=id_text, by=by)


def delay(stamp: str, from_: str) -> Element:
    """Since when a message waited. `from_`: the server that kept it."""
    return E("delay", DELAY, from_=from_, stamp=stamp)


def sent_to(address: str, description: str) -> Element:
    """The alias that a message was sent to; ``delivered`` says that the server has seen to it."""
    return E(
        "addresses", ADDRESSES, E("address", ADDRESSES, type="to", jid=address, desc=description, delivered="true")
    )


# -- time --------------------------------------------------------------------------------------------------------------


def utc_text(microseconds: int) -> str:
    """A time as XEP-0082 writes it, in UTC. `microseconds`: since 1970."""
    time = _EPOCH + timedelta(microseconds=microseconds)
    return time.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def microseconds(text: str) -> int:
    """A time as XEP-0082 (3.2) writes it, in microseconds since 1970; smaller fractions are cut off.

    Raises:
        ValueError: it is none.
    """
    if not _TIME.fullmatch(text):
        raise ValueError(f"not a time: {text!r}")
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1)


# -- data forms --------------------------------------------------------------------------------------------------------


class Field(msgspec.Struct, frozen=True):
    """One field of a form, or one column of a table.

    Attributes:
        name: of its value.
        label: for people.
        kind: such as ``text-single`` or ``jid-single``.
        is_open: a list that takes other values than those it offers (XEP-0122, 3.2.1).
    """

    name: str
    label: str
    kind: str = "text-single"
    is_open: bool = False


_OPEN = E("validate", VALIDATION, E("open", VALIDATION), datatype="xs:string")


def form_to_fill_in(form_type: str, title: str, instructions: str, fields: Iterable[Field]) -> Element:
    """A form for the client's user."""
    return E(
        "x",
        FORMS,
        E("title", FORMS, title),
        E("instructions", FORMS, instructions),
        _form_type(form_type),
        *(
            E("field", FORMS, _OPEN if field.is_open else None, type=field.kind, label=field.label, var=field.name)
            for field in fields
        ),
        type="form",
    )


def form_table(form_type: str, columns: Sequence[Field], rows: Iterable[Sequence[str]]) -> Element:
    """Results: what was found, one row for each item, its values in the order of the columns."""
    return E(
        "x",
        FORMS,
        _form_type(form_type),
        E("reported", FORMS, *(E("field", FORMS, var=c.name, label=c.label, type=c.kind) for c in columns)),
        *(
            E("item", FORMS, *(_filled(column.name, value) for column, value in zip(columns, row, strict=True)))
            for row in rows
        ),
        type="result",
    )


def submitted(form: Element) -> dict[str, str]:
    """The first value of each field of a form that a client sent; empty ones are left out."""
    return {name: values[0] for name, values in submitted_values(form).items() if values}


def submitted_values(form: Element) -> dict[str, list[str]]:
    """All values of each field of a form that a client sent, without empty ones. Of two fields of a name the first counts."""
    fields: dict[str, list[str]] = {}
    for field in form.find_all("field", FORMS):
        values = [value.text.strip() for value in field.find_all("value", FORMS)]
        if field.get("var"):
            fields.setdefault(field.get("var"), [value for value in values if value])
    return fields


def _form_type(form_type: str) -> Element:
    return E("field", FORMS, E("value", FORMS, form_type), type="hidden", var="FORM_TYPE")


def _filled(name: str, value: str) -> Element:
    return E("field", FORMS, E("value", FORMS, clean_text(value)), var=name)


# -- capabilities ------------------------------------------------------------------------------------------------------


class Identity(msgspec.Struct, frozen=True, order=True):
    """What an address is (XEP-0030, 3.1), from the registry of categories and types."""

    category: str
    type: str
    name: str = ""


class Extension(msgspec.Struct, frozen=True, order=True):
    """What an address says beyond that (XEP-0128 1.0): a form of this type, with one value in each field."""

    form_type: str
    fields: tuple[tuple[str, str], ...]

    def form(self) -> Element:
        """As it is said."""
        fields = (E("field", FORMS, E("value", FORMS, value), var=name) for name, value in self.fields)
        return E("x", FORMS, _form_type(self.form_type), *fields, type="result")


class Listing(msgspec.Struct, frozen=True):
    """What an address says of itself when it is asked: what it is, what can be done with it, and what else there is to say."""

    identities: tuple[Identity, ...] = ()
    features: tuple[str, ...] = ()
    extensions: tuple[Extension, ...] = ()

    @property
    def capability_hash(self) -> str:
        """XEP-0115, 5.1; with SHA-1, the one hash that everyone has. It names a listing, it protects nothing."""
        parts = [f"{identity.category}/{identity.type}//{identity.name}" for identity in sorted(self.identities)]
        parts += sorted(self.features)
        for extension in sorted(self.extensions):
            parts.append(extension.form_type)
            for field in sorted(extension.fields):
                parts += field
        text = "<".join((*parts, ""))
        digest = hashlib.sha1(text.encode(), usedforsecurity=False).digest()
        return base64.b64encode(digest).decode()
