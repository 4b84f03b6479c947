"""Whom an account shuts out: its block list, and changes of it."""

from typing import Literal

import msgspec

from engine.messages.values import Request

BlockingKind = Literal["block", "unblock"]


class FetchBlocked(msgspec.Struct, frozen=True):
    """session -> user -> registrar -> domain: the own list. By way of the registrar, behind the changes asked for before.

    From now on the session is told of changes.
    """

    request: Request


class BlockedFetched(msgspec.Struct, frozen=True):
    """domain -> session. `addresses`: in order; prepared."""

    request: Request
    addresses: tuple[str, ...]


class ChangeBlocked(msgspec.Struct, frozen=True):
    """session -> user -> registrar. `addresses`: prepared; with ``unblock`` and none of them: the whole list."""

    request: Request
    kind: BlockingKind
    addresses: tuple[str, ...]


class BlockedChanged(msgspec.Struct, frozen=True):
    """registrar -> domain -> every session of the account: what was asked for is on disk and holds.

    Attributes:
        request: the command; its session is the account's.
        kind: of the command.
        addresses: of the command.
        items: the whole list after it.
    """

    request: Request
    kind: BlockingKind
    addresses: tuple[str, ...]
    items: tuple[str, ...]
