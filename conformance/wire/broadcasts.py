"""Broadcasts as a client sends them: text, and the binary frames of vsn 2.0.0 (PROTOCOL 1.2). No I/O."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

_PUSHED, _TOLD = 3, 4
_JSON = 1


@dataclass(frozen=True, slots=True)
class Told:
    """A binary broadcast of a server (kind 4)."""

    topic: str
    event: str
    payload: bytes
    json: bool


def broadcast(event: str, payload: Any) -> dict[str, Any]:
    """The payload of a text broadcast."""
    return {"type": "broadcast", "event": event, "payload": payload}


def binary_push(join_ref: str, ref: str, topic: str, event: str, payload: bytes, *, json: bool) -> bytes:
    """A binary broadcast of a client (kind 3)."""
    parts = [part.encode() for part in (join_ref, ref, topic, event)]
    head = struct.pack("7B", _PUSHED, *map(len, parts), 0, _JSON if json else 0)
    return head + b"".join(parts) + payload


def read_told(data: bytes) -> Told | None:
    """A binary broadcast of a server; None for what is none."""
    if len(data) < 5 or data[0] != _TOLD:
        return None
    _, topic, event, meta, encoding = struct.unpack_from("5B", data)
    at = 5 + topic + event + meta
    if at > len(data):
        return None
    names = data[5 : 5 + topic], data[5 + topic : 5 + topic + event]
    return Told(names[0].decode(errors="replace"), names[1].decode(errors="replace"), data[at:], encoding == _JSON)
