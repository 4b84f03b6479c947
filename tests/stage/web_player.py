"""A web player: a tab of webmail in a play. It says frames, keeps what it is told, and knows what follows from it.

`Knowledge` is what a page shows, as a fold over the frames; two tabs that know the same are equal, however they came to it.
"""

import itertools
import json
from collections.abc import Callable
from typing import Any, Protocol

import trio

PATIENCE_SECONDS = 10.0
VERSION = 1
Frame = dict[str, Any]


class WebLine(Protocol):
    """What carries a tab's frames to the server."""

    async def send(self, text: str) -> None: ...

    async def close(self) -> None: ...


class Knowledge:
    """What a page knows of people and conversations."""

    def __init__(self) -> None:
        self.you: Frame = {}
        self.status = ("", "")
        self.people: dict[str, Frame] = {}
        self.devices: dict[str, tuple[str, str]] = {}
        self.newest: dict[str, Frame] = {}

    def take(self, frame: Frame) -> None:
        """One frame."""
        take = getattr(self, f"_take_{frame['t'].replace('-', '_')}", None)
        if take is not None:
            take(frame)

    def _take_welcome(self, frame: Frame) -> None:
        self.you, self.status = frame["you"], (frame["status"], frame.get("text", ""))
        if frame.get("fresh"):
            self.devices.clear()

    def _take_contacts(self, frame: Frame) -> None:
        if frame.get("all"):
            self.people.clear()
        self.people.update({person["address"]: person for person in frame.get("contacts", ())})
        for address in frame.get("removed", ()):
            self.people.pop(address, None)

    def _take_presences(self, frame: Frame) -> None:
        if frame.get("all"):
            self.devices.clear()
        for address, resource, status, text in frame.get("devices", ()):
            device = f"{address}/{resource}"
            if status == "Offline":
                self.devices.pop(device, None)
            else:
                self.devices[device] = status, text

    def _take_own_status(self, frame: Frame) -> None:
        self.status = frame["status"], frame.get("text", "")
        if frame["status"] == "Offline":
            self.devices.clear()

    def _take_chat(self, frame: Frame) -> None:
        is_own = frame["from"] == self.you["address"]
        peer = (frame.get("via") or frame["to"]) if is_own else frame["from"]
        self._note(peer, frame)

    def _take_conversations(self, frame: Frame) -> None:
        for one in frame.get("conversations", ()):
            self._note(one["peer"], one["newest"])

    def _note(self, peer: str, chat: Frame) -> None:
        if (chat.get("body") or chat.get("file")) and chat["id"] >= self.newest.get(peer, {"id": ""})["id"]:
            self.newest[peer] = {
                key: chat.get(key, "") for key in ("id", "from", "to", "via", "body", "origin", "file")
            }

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Knowledge) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return json.dumps(vars(self), indent=1, sort_keys=True)


class WebPlayer:
    """One tab."""

    def __init__(self, name: str, key: Any) -> None:
        self.name = name
        self.key = key  # of its browser
        self.knows = Knowledge()
        self.line: WebLine
        self.heard: list[Frame] = []
        self.epoch = ""
        self.last = 0
        self.is_cut = False
        self._arrived = trio.Event()
        self._ids = itertools.count(1)

    @property
    def bare(self) -> str:
        return self.knows.you["address"]

    @property
    def jid(self) -> str:
        return f"{self.bare}/{self.knows.you['resource']}"

    # -- hearing -------------------------------------------------------------------------------------------------------

    def hear(self, text: str) -> None:
        frame = json.loads(text)
        if "n" in frame and frame["t"] != "welcome":
            assert frame["n"] == self.last + 1, f"{frame} after {self.last}"
            self.last = frame["n"]
        if frame["t"] == "welcome":
            self.epoch, self.last = frame["epoch"], frame["n"] if frame.get("fresh") else self.last
        self.heard.append(frame)
        self.knows.take(frame)
        self._wake()

    def hear_end(self) -> None:
        self.is_cut = True
        self._wake()

    def _wake(self) -> None:
        self._arrived.set()
        self._arrived = trio.Event()

    async def hears(self, kind: str, matches: Callable[[Frame], bool] = lambda _: True) -> Frame:
        """Wait for the first frame of this kind that matches, and take it off the list of what was heard."""
        with trio.move_on_after(PATIENCE_SECONDS):
            while True:
                for frame in self.heard:
                    if frame["t"] == kind and matches(frame):
                        self.heard.remove(frame)
                        return frame
                if self.is_cut:
                    break
                await self._arrived.wait()
        heard = "\n  ".join(map(json.dumps, self.heard))
        raise AssertionError(f"{self.name} did not hear {kind}; heard:\n  {heard}{' (cut)' if self.is_cut else ''}")

    async def hears_message(self, body: str) -> Frame:
        return await self.hears("chat", lambda frame: frame.get("body") == body)

    async def sees(self, address: str, *statuses: str) -> None:
        """Wait until the devices of this contact show exactly these statuses."""
        with trio.fail_after(PATIENCE_SECONDS):
            while self.statuses(address) != sorted(statuses):
                await self._arrived.wait()

    def statuses(self, address: str) -> list[str]:
        devices = self.knows.devices.items()
        return sorted(status for device, (status, _) in devices if device.startswith(f"{address}/"))

    def messages(self) -> list[str]:
        """Bodies heard and not yet taken, in order."""
        return [frame["body"] for frame in self.heard if frame["t"] == "chat" and frame.get("body")]

    def forget(self) -> None:
        self.heard.clear()

    # -- speaking ------------------------------------------------------------------------------------------------------

    async def sends(self, kind: str, **fields: Any) -> None:
        await self.line.send(json.dumps({"t": kind, **fields}))

    async def greets(self, status: str = "Available", *, again: bool = False) -> Frame:
        fields = {"epoch": self.epoch, "last": self.last} if again else {}
        await self.sends("hello", v=VERSION, status=status, **fields)
        return await self.hears("welcome")

    async def says(self, to: str, body: str, **fields: Any) -> str:
        """A message; its id."""
        fields.setdefault("id", f"{self.name}-{next(self._ids)}")
        await self.sends("say", to=to, body=body, **fields)
        return fields["id"]

    async def sets_status(self, status: str, text: str = "") -> None:
        await self.sends("status", status=status, text=text)
        await self.hears("own-status", lambda frame: frame["status"] == status)

    async def asks(self, kind: str, **fields: Any) -> Frame:
        q = next(self._ids)
        await self.sends(kind, q=q, **fields)
        with trio.move_on_after(PATIENCE_SECONDS):
            while True:
                for frame in self.heard:
                    if frame.get("q") == q:
                        self.heard.remove(frame)
                        return frame
                await self._arrived.wait()
        raise AssertionError(f"{self.name}: no answer to {kind} {fields}")

    async def is_cut_off(self) -> None:
        """The socket breaks."""
        await self.line.close()
