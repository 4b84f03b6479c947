"""One alias: who of its members is online, whom a message to it reaches, and how available it is.

The domain tells an alias the people it expands to and every change of their merged status. The alias answers with its own:
available if any member is, with the best status among them. A message to it reaches every member that is online, except the
session that sent it; if nobody else is online it is kept for every member. It passes over members who block its sender or the
alias, as if they were no members (`engine.blocking`). If it began anew and does not know its members yet, messages wait.
"""

from collections.abc import Callable
from typing import Any, ClassVar

import msgspec

from actors.directory import Directory
from actors.runtime import TrioActor
from engine import messages as m
from engine.alias import RESOURCE
from engine.jid import Jid
from engine.presence import Presence, PresenceChange, Status, merge_members


class Alias(TrioActor):
    """The actor of one alias."""

    def __init__(self, address: str, directory: Directory) -> None:
        super().__init__()
        self._jid = Jid.parse(address)
        self._presence_jid = Jid(self._jid.bare, RESOURCE)
        self._directory = directory
        self._people: tuple[str, ...] = ()
        self._knows_people = False
        self._online: dict[str, Status] = {}
        self._status = Status.OFFLINE

    def on_restart(self, failed_message: Any, error: BaseException) -> None:  # noqa: ARG002
        """Begin anew: the domain knows the members."""
        self._directory.tell(self._jid.domain, m.FetchMembers(self._jid.bare))

    def on_receive(self, message: Any) -> None:
        """Handle one message."""
        self._handlers[type(message)](self, message)

    def _set_members(self, command: m.SetMembers) -> None:
        self._people = command.people
        self._knows_people = True
        self._online = dict(command.statuses)
        self._update_status()

    def _member_status(self, event: m.MemberStatusChanged) -> None:
        if event.status is Status.OFFLINE:
            self._online.pop(event.address, None)
        else:
            self._online[event.address] = event.status
        self._update_status()

    def _update_status(self) -> None:
        status = merge_members(set(self._online.values()))
        if status is not self._status:
            self._status = status
            change = PresenceChange(self._presence_jid, Presence.of_status(status))
            self._directory.tell(self._jid.domain, m.PresenceChanged(change, status))

    def _expand(self, command: m.ExpandAlias) -> None:
        if not self._knows_people:  # it began anew; the domain answers in a moment
            self.actor_ref.tell(command)
            return
        sender = command.chat.sender.bare
        chat = msgspec.structs.replace(command.chat, to=self._jid, via=self._jid)
        blocks = self._directory.blocks(self._jid.domain)
        others = [person for person in self._people if person != sender and not blocks.shuts_out(person, chat)]
        online = [person for person in others if person in self._online]
        recipients = online or others
        absent = [person for person in others if person not in self._online] if online else []
        if sender in self._people:
            recipients.append(sender)  # a member too: his other sessions see what he wrote
        sent = msgspec.structs.replace(command.sent, chat=chat)
        self._directory.tell(sender, m.AliasExpanded(sent, tuple(recipients), tuple(absent)))

    def _end(self, _: m.StopAlias) -> None:
        self._directory.unbind(self._jid.bare, self.actor_ref)
        if self._status is not Status.OFFLINE:
            change = PresenceChange(self._presence_jid, None)
            self._directory.tell(self._jid.domain, m.PresenceChanged(change, Status.OFFLINE))
        self.stop()

    _handlers: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        m.SetMembers: _set_members,
        m.MemberStatusChanged: _member_status,
        m.ExpandAlias: _expand,
        m.StopAlias: _end,
    }
