"""Who is present in which room: the entries of this instance and of the others, and what changed; no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

Owner = tuple[str, int]
"""Instance and a number that is its own: whose entry it is. An owner has one entry in a room."""
Metas = dict[str, dict[str, list[dict[str, Any]]]]
"""`{key: {"metas": [{"phx_ref": …, …}]}}`, as the wire has it (PROTOCOL 1.6)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What one owner tracks in a room: his key, and the map that he sent with `phx_ref` added."""

    key: str
    meta: dict[str, Any]


@dataclass(slots=True)
class Diff:
    """What changed in a room."""

    joins: Metas = field(default_factory=dict)
    leaves: Metas = field(default_factory=dict)

    def payload(self) -> dict[str, Any]:
        """The payload of a `presence_diff`."""
        return {"joins": self.joins, "leaves": self.leaves}

    def __bool__(self) -> bool:
        return bool(self.joins or self.leaves)


def _add(metas: Metas, entry: Entry) -> None:
    metas.setdefault(entry.key, {"metas": []})["metas"].append(entry.meta)


class Presence:
    """All rooms. Every change returns what those in the room must be told."""

    def __init__(self) -> None:
        self._rooms: dict[str, dict[Owner, Entry]] = {}

    def state(self, room: str) -> Metas:
        """Everybody in the room."""
        metas: Metas = {}
        for entry in self._rooms.get(room, {}).values():
            _add(metas, entry)
        return metas

    def track(self, room: str, owner: Owner, entry: Entry) -> Diff:
        """The owner is present with this entry, in the place of the one he had."""
        entries = self._rooms.setdefault(room, {})
        former, diff = entries.get(owner), Diff()
        if former == entry:
            return diff
        if former is not None:
            _add(diff.leaves, former)
        entries[owner] = entry
        _add(diff.joins, entry)
        return diff

    def untrack(self, room: str, owner: Owner) -> Diff:
        """The owner is not present any more."""
        diff, entries = Diff(), self._rooms.get(room, {})
        former = entries.pop(owner, None)
        if former is not None:
            _add(diff.leaves, former)
        if not entries:
            self._rooms.pop(room, None)
        return diff

    def entries_of(self, instance: str) -> Iterator[tuple[str, int, Entry]]:
        """The entries of an instance: room, number, entry."""
        for room, entries in self._rooms.items():
            for (whose, number), entry in entries.items():
                if whose == instance:
                    yield room, number, entry

    def replace(self, instance: str, entries: Iterable[tuple[str, int, Entry]]) -> dict[str, Diff]:
        """An instance's entries are these from now on; none of them when it is gone. Returns the diff of each room."""
        stated = {(room, number): entry for room, number, entry in entries}
        known = {(room, number): entry for room, number, entry in self.entries_of(instance)}
        diffs: dict[str, Diff] = {}
        for room, number in known.keys() - stated.keys():
            self._merge(diffs, room, self.untrack(room, (instance, number)))
        for (room, number), entry in stated.items():
            self._merge(diffs, room, self.track(room, (instance, number), entry))
        return diffs

    @staticmethod
    def _merge(diffs: dict[str, Diff], room: str, diff: Diff) -> None:
        if not diff:
            return
        into = diffs.setdefault(room, Diff())
        for mine, its in ((into.joins, diff.joins), (into.leaves, diff.leaves)):
            for key, metas in its.items():
                mine.setdefault(key, {"metas": []})["metas"] += metas["metas"]
