"""One vocabulary of refusals, for stanzas, streams and JSON.

`Condition` names what was wrong with one stanza (RFC 6120, 8.3.3), `StreamCondition` why a stream ends (RFC 6120, 4.9.3).
The values are the element names on the wire and the codes in JSON, so no table translates them. `Condition.error_type`
says what the sender can do about it (RFC 6120, 8.3.2).
"""

from enum import StrEnum


class Condition(StrEnum):
    """Why one stanza was refused."""

    BAD_REQUEST = "bad-request"
    CONFLICT = "conflict"
    FEATURE_NOT_IMPLEMENTED = "feature-not-implemented"
    FORBIDDEN = "forbidden"
    INTERNAL_SERVER_ERROR = "internal-server-error"
    ITEM_NOT_FOUND = "item-not-found"
    JID_MALFORMED = "jid-malformed"
    NOT_ACCEPTABLE = "not-acceptable"
    NOT_ALLOWED = "not-allowed"
    NOT_AUTHORIZED = "not-authorized"
    POLICY_VIOLATION = "policy-violation"
    RESOURCE_CONSTRAINT = "resource-constraint"
    SERVICE_UNAVAILABLE = "service-unavailable"
    UNEXPECTED_REQUEST = "unexpected-request"

    @property
    def error_type(self) -> str:
        """``auth``, ``cancel``, ``modify`` or ``wait``."""
        return _ERROR_TYPES[self]


_ERROR_TYPES = {
    Condition.BAD_REQUEST: "modify",
    Condition.CONFLICT: "cancel",
    Condition.FEATURE_NOT_IMPLEMENTED: "cancel",
    Condition.FORBIDDEN: "auth",
    Condition.INTERNAL_SERVER_ERROR: "cancel",
    Condition.ITEM_NOT_FOUND: "cancel",
    Condition.JID_MALFORMED: "modify",
    Condition.NOT_ACCEPTABLE: "modify",
    Condition.NOT_ALLOWED: "cancel",
    Condition.NOT_AUTHORIZED: "auth",
    Condition.POLICY_VIOLATION: "modify",
    Condition.RESOURCE_CONSTRAINT: "wait",
    Condition.SERVICE_UNAVAILABLE: "cancel",
    Condition.UNEXPECTED_REQUEST: "modify",
}


class Detail(StrEnum):
    """What a condition alone does not say (RFC 6120, 8.3.2: application-specific)."""

    BLOCKED = "blocked"
    """With `Condition.NOT_ACCEPTABLE`: the sender himself blocks whom he wrote to (XEP-0191, 3.3)."""


class StreamCondition(StrEnum):
    """Why a stream ends."""

    BAD_FORMAT = "bad-format"
    BAD_NAMESPACE_PREFIX = "bad-namespace-prefix"
    CONFLICT = "conflict"
    CONNECTION_TIMEOUT = "connection-timeout"
    HOST_UNKNOWN = "host-unknown"
    IMPROPER_ADDRESSING = "improper-addressing"
    INTERNAL_SERVER_ERROR = "internal-server-error"
    INVALID_FROM = "invalid-from"
    INVALID_NAMESPACE = "invalid-namespace"
    INVALID_XML = "invalid-xml"
    NOT_AUTHORIZED = "not-authorized"
    NOT_WELL_FORMED = "not-well-formed"
    POLICY_VIOLATION = "policy-violation"
    RESET = "reset"
    RESOURCE_CONSTRAINT = "resource-constraint"
    RESTRICTED_XML = "restricted-xml"
    SYSTEM_SHUTDOWN = "system-shutdown"
    UNDEFINED_CONDITION = "undefined-condition"
    UNSUPPORTED_ENCODING = "unsupported-encoding"
    UNSUPPORTED_STANZA_TYPE = "unsupported-stanza-type"
    UNSUPPORTED_VERSION = "unsupported-version"


class Refusal(Exception):  # noqa: N818 -- a decision that the sender is told of, not a fault of ours
    """A rule says no: `condition` for the machine, one line of `text` for the person."""

    def __init__(self, condition: Condition, text: str = "") -> None:
        super().__init__(text or condition.value)
        self.condition = condition
        self.text = text
