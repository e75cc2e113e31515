"""One channel of a socket as a state machine: which frames it sends, and what each frame that comes in means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from msgspec import Struct

from harness.protocol.changes import Change, read_change
from harness.protocol.malformed import Malformed
from harness.protocol.phoenix import Frame


@dataclass(frozen=True, slots=True)
class Binding:
    """One `postgres_changes` subscription: an event of a table, and a filter `column=eq.value` or none."""

    event: str
    table: str
    filter: str | None = None
    schema: str = "public"

    def params(self) -> dict[str, str]:
        """As it stands in the join; the server must echo it at the same index (PROTOCOL 1.4)."""
        params = {"event": self.event, "schema": self.schema, "table": self.table}
        if self.filter is not None:
            params["filter"] = self.filter
        return params


@dataclass(frozen=True, slots=True)
class Joined:
    """The join was accepted: what supabase-js calls SUBSCRIBED. Changes may still be lost (PROTOCOL 1.4)."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The database subscription stands: no change that commits from now on is lost."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The join or the database subscription was refused; `retry` says whether the clients join again."""

    reason: str
    retry: bool


@dataclass(frozen=True, slots=True)
class Closed:
    """The server closed the channel; the clients do not join again (PROTOCOL 1.9)."""


class Changed(Struct, frozen=True, gc=False):
    """A row changed that one of the bindings asks for."""

    change: Change


Happening = Joined | Ready | Refused | Closed | Changed


class Channel:
    """A topic, its bindings, and the join that is valid at the moment.

    Args:
        name: the topic without `realtime:`.
        bindings: the database changes to hear of, in the order of the join.
    """

    __slots__ = ("_join_ref", "bindings", "ids", "name", "topic")

    def __init__(self, name: str, bindings: tuple[Binding, ...]) -> None:
        self.name = name
        self.topic = f"realtime:{name}"
        self.bindings = bindings
        self.ids: frozenset[int] = frozenset()
        self._join_ref: str | None = None

    def join(self, ref: str, access_token: str) -> Frame:
        """The join, as supabase-js sends it (PROTOCOL 1.4). It replaces any earlier join of this channel."""
        self._join_ref = ref
        self.ids = frozenset()
        config = {
            "broadcast": {"ack": False, "self": False},
            "presence": {"key": "", "enabled": False},
            "postgres_changes": [binding.params() for binding in self.bindings],
            "private": False,
        }
        return Frame(self.topic, "phx_join", {"config": config, "access_token": access_token}, ref, ref)

    def leave(self, ref: str) -> Frame:
        """The leave; nothing that comes afterwards means anything to this channel."""
        frame = Frame(self.topic, "phx_leave", {}, ref, self._join_ref)
        self._join_ref = None
        return frame

    def renew(self, ref: str, access_token: str) -> Frame:
        """The push of a refreshed token; it has no reply (PROTOCOL 1.6)."""
        return Frame(self.topic, "access_token", {"access_token": access_token}, ref, self._join_ref)

    def take(self, frame: Frame) -> Happening | None:
        """What a frame of this topic means; None for one that belongs to an earlier join or says nothing to us.

        Raises:
            Malformed: the payload does not have the shape of its event.
        """
        if self._join_ref is None or frame.join_ref not in {None, self._join_ref}:
            return None
        if not isinstance(frame.payload, dict):
            raise Malformed(f"the payload of {frame.event} must be an object")
        match frame.event:
            case "phx_reply":
                return self._replied(frame) if frame.ref == self._join_ref else None
            case "system":
                return _system(frame.payload)
            case "postgres_changes":
                return self._changed(frame.payload)
            case "phx_close":
                return Closed() if frame.ref == self._join_ref else None
            case "phx_error":
                return Refused(f"phx_error: {frame.payload.get('reason', '')}", retry=True)
        return None

    def _replied(self, frame: Frame) -> Happening:
        response = frame.payload.get("response")
        answer = response if isinstance(response, dict) else {}
        if frame.payload.get("status") != "ok":
            return Refused(str(answer.get("reason", "no reason given")), retry=True)
        echoed = answer.get("postgres_changes", [])
        if not isinstance(echoed, list) or not self._same(echoed):
            return Refused("mismatch between server and client bindings for postgres changes", retry=False)
        self.ids = frozenset(entry["id"] for entry in echoed if isinstance(entry.get("id"), int))
        return Joined()

    def _same(self, echoed: list[Any]) -> bool:
        """The official client compares by index, an absent key being null."""
        wanted = [binding.params() for binding in self.bindings]
        if len(echoed) != len(wanted):
            return False
        keys = ("event", "schema", "table", "filter")
        return all(
            isinstance(theirs, dict) and all(ours.get(key) == theirs.get(key) for key in keys)
            for ours, theirs in zip(wanted, echoed, strict=True)
        )

    def _changed(self, payload: dict[str, Any]) -> Changed | None:
        ids, change = read_change(payload)
        return Changed(change) if self.ids.intersection(ids) else None


def _system(payload: dict[str, Any]) -> Happening | None:
    if payload.get("extension") != "postgres_changes":
        return None
    if payload.get("status") == "ok":
        return Ready()
    return Refused(str(payload.get("message", "no reason given")), retry=False)
