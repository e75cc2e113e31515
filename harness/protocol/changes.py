"""Rows as the target shows them: what a `postgres_changes` event says, and the session or message in a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from msgspec import Struct

from harness.protocol.malformed import Malformed


class Change(Struct, frozen=True, gc=False):
    """One change of one row. `record` is empty for a DELETE; `old` has the primary key alone, or is empty."""

    event: str
    table: str
    record: dict[str, Any]
    old: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SessionSeen:
    """A session as somebody saw it: its two members, its status, and who must make the WebRTC offer."""

    id: str
    user1: str
    user2: str
    status: str
    offerer: str

    @property
    def active(self) -> bool:
        """Whether it was active when it was seen."""
        return self.status == "active"

    def partner_of(self, user: str) -> str:
        """The other member; the caller's own id where somebody was matched with himself."""
        return self.user2 if user == self.user1 else self.user1

    def value(self) -> dict[str, str]:
        """As it stands in a history: `{id, user1, user2, status, offerer}`."""
        return {
            "id": self.id, "user1": self.user1, "user2": self.user2, "status": self.status, "offerer": self.offerer,
        }  # fmt: skip


class MessageSeen(Struct, frozen=True, gc=False):
    """A row of `messages` as somebody saw it; `content` is None for one without text."""

    id: str
    session: str
    sender: str
    content: str | None


def read_change(payload: dict[str, Any]) -> tuple[frozenset[int], Change]:
    """The binding ids and the change of a `postgres_changes` payload (PROTOCOL 1.5).

    Raises:
        Malformed: a part is missing or has another type.
    """
    data = payload.get("data")
    ids = payload.get("ids")
    if not isinstance(data, dict) or not isinstance(ids, list):
        raise Malformed("postgres_changes must have ids (an array) and data (an object)")
    event, table = data.get("type"), data.get("table")
    if not isinstance(event, str) or not isinstance(table, str):
        raise Malformed("the data of postgres_changes must have type and table")
    return frozenset(id_ for id_ in ids if isinstance(id_, int)), Change(
        event, table, data.get("record") or {}, data.get("old_record") or {}
    )


def session_of(row: Any) -> SessionSeen:
    """Reads a row of `chat_sessions`. A row without `status` (the poll selects active ones) counts as active.

    Raises:
        Malformed: not an object, or an id is missing.
    """
    id_, user1, user2 = _texts(row, "chat_sessions", "id", "user1_id", "user2_id")
    offerer = row.get("offerer_id")
    status = row.get("status", "active")
    return SessionSeen(id_, user1, user2, str(status), offerer if isinstance(offerer, str) else user1)


def message_of(row: Any) -> MessageSeen:
    """Reads a row of `messages`. Raises Malformed as `session_of` does."""
    id_, session, sender = _texts(row, "messages", "id", "session_id", "sender_id")
    content = row.get("content")
    return MessageSeen(id_, session, sender, content if isinstance(content, str) else None)


def match_of(reply: Any, user: str) -> SessionSeen | None:
    """The session that the reply to a join names, if it names one: `{match: {session_id, partner_id, offerer_id}}`.

    The offerer stands as its first member, the other as the second.

    Raises:
        Malformed: there is a match, but not of this shape.
    """
    match = reply.get("match") if isinstance(reply, dict) else None
    if match is None:
        return None
    id_, partner, offerer = _texts(match, "match", "session_id", "partner_id", "offerer_id")
    return SessionSeen(id_, offerer, partner if offerer == user else user, "active", offerer)


def status_of(reply: Any) -> str:
    """Where a user stands, from the reply to his question: `{status}`. Raises Malformed as `session_of` does."""
    return _texts(reply, "the status", "status")[0]


def _texts(row: Any, what: str, *keys: str) -> list[str]:
    if not isinstance(row, dict):
        raise Malformed(f"{what} must be an object, not {type(row).__name__}")
    values = [row.get(key) for key in keys]
    for key, value in zip(keys, values, strict=True):
        if not isinstance(value, str):
            raise Malformed(f"{what} must have {key}, a string")
    return [str(value) for value in values]
