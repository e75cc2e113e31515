"""The rooms of one instance: who has joined them here, who is present there anywhere, and who is told what; no I/O."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

from reference_server.realtime.channel import TOPIC_PREFIX, Channel
from reference_server.realtime.frames import Message, Version, encode, encode_broadcast
from reference_server.realtime.presence import Diff, Entry, Metas, Presence
from reference_server.realtime.quotas import TOO_MANY_MESSAGES, Quotas

Write = Callable[[Channel, str | bytes], None]
Shut = Callable[[Channel, str], None]
"""Ends a channel, and says why."""


class Rooms:
    """Broadcasts and presence among the channels of this instance, `instance`, and what the others tell of theirs."""

    def __init__(self, instance: str, quotas: Quotas, write: Write, shut: Shut) -> None:
        self._instance = instance
        self._quotas = quotas
        self._write = write
        self._shut = shut
        self._rooms: dict[str, dict[Channel, None]] = {}
        self._presence = Presence()
        self._numbers: dict[Channel, int] = {}
        self._counter = itertools.count(1)

    def enter(self, channel: Channel) -> None:
        """The channel hears what is told in its room."""
        self._rooms.setdefault(channel.room, {})[channel] = None

    def leave(self, channel: Channel) -> bool:
        """The channel hears nothing any more; whether it was present, which the others must be told."""
        members = self._rooms.get(channel.room, {})
        members.pop(channel, None)
        if not members:
            self._rooms.pop(channel.room, None)
        return channel in self._numbers

    # ------------------------------------------------------------ broadcasts

    def has_members(self, room: str) -> bool:
        """Whether somebody here hears what is told in the room."""
        return room in self._rooms

    def tell(self, room: str, message: Message, besides: Channel | None = None) -> None:
        """Tells all in the room who may read broadcasts there, but not `besides`."""
        members = self._rooms.get(room)
        if members is None:
            return
        topic, frames = _topic(room), dict[Version, str | bytes | None]()
        for channel in tuple(members):
            if channel is besides or not channel.rights.read_broadcast:
                continue
            if channel.version not in frames:
                frames[channel.version] = encode_broadcast(channel.version, topic, message)
            frame = frames[channel.version]
            if frame is None:
                continue
            self._write(channel, frame)
            self._quotas.messages.add()
            if self._quotas.messages.exceeded:
                self._shut(channel, TOO_MANY_MESSAGES)

    # ------------------------------------------------------------ presence

    def state(self, room: str) -> Metas:
        """Everybody who is present in the room."""
        return self._presence.state(room)

    def track(self, channel: Channel, meta: dict[str, Any] | None) -> tuple[str, int, Entry | None]:
        """The channel is present with this map, or not any more: tells the room, returns what the others must know."""
        number = self._numbers.get(channel)
        if meta is None:
            gone = self._numbers.pop(channel, 0)
            self.hear_track(self._instance, channel.room, gone, None)
            return channel.room, gone, None
        reference = f"{self._instance}{next(self._counter):x}"
        made = {**meta, "phx_ref": reference}
        if number is None:
            number = self._numbers[channel] = next(self._counter)
        entry = Entry(channel.presence_key, made)
        self.hear_track(self._instance, channel.room, number, entry)
        return channel.room, number, entry

    def hear_track(self, instance: str, room: str, number: int, entry: Entry | None) -> None:
        """Somebody of that instance is present from now on, or not any more."""
        owner = (instance, number)
        diff = self._presence.track(room, owner, entry) if entry else self._presence.untrack(room, owner)
        self._tell_diff(room, diff)

    def hear_state(self, instance: str, entries: Iterable[tuple[str, int, Entry]]) -> None:
        """Those of that instance who are present are these; nobody, when it is gone."""
        for room, diff in self._presence.replace(instance, entries).items():
            self._tell_diff(room, diff)

    def own_entries(self) -> list[tuple[str, int, Entry]]:
        """Those of this instance who are present."""
        return list(self._presence.entries_of(self._instance))

    def _tell_diff(self, room: str, diff: Diff) -> None:
        if not diff:
            return
        topic, frames = _topic(room), dict[Version, str]()
        for channel in tuple(self._rooms.get(room, ())):
            if not channel.presence or not channel.rights.read_presence:
                continue
            if channel.version not in frames:
                frames[channel.version] = encode(channel.version, topic, "presence_diff", diff.payload())
            self._write(channel, frames[channel.version])
            self._quotas.presences.add()


def _topic(room: str) -> str:
    return TOPIC_PREFIX + room.partition("/")[2]
