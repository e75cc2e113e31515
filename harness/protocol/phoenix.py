"""Frames of Phoenix channels as Supabase Realtime speaks them: text, versions 1.0.0 and 2.0.0, both ways."""

from __future__ import annotations

from typing import Any, Literal

import orjson
from msgspec import Struct

from harness.protocol.malformed import Malformed

Vsn = Literal["1.0.0", "2.0.0"]
"""The serialiser that the `vsn` query parameter of the socket chooses (PROTOCOL 1.1)."""

HEARTBEAT_TOPIC = "phoenix"


class Frame(Struct, gc=False):
    """One message of a socket. `ref` ties a reply to its push; `join_ref` ties a push to one join of its topic."""

    topic: str
    event: str
    payload: Any
    ref: str | None = None
    join_ref: str | None = None


def encode(frame: Frame, vsn: Vsn) -> str:
    """The text that a client sends: an object in 1.0.0, an array in 2.0.0 (PROTOCOL 1.2)."""
    if vsn == "2.0.0":
        return orjson.dumps([frame.join_ref, frame.ref, frame.topic, frame.event, frame.payload]).decode()
    shape = {
        "topic": frame.topic,
        "event": frame.event,
        "payload": frame.payload,
        "ref": frame.ref,
        "join_ref": frame.join_ref,
    }
    return orjson.dumps(shape).decode()


def decode(text: str | bytes, vsn: Vsn) -> Frame:
    """Reads a text frame that a server sent.

    Raises:
        Malformed: not JSON, or not the shape of this version.
    """
    try:
        data = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"a frame must be JSON: {error}") from None
    return _from_array(data) if vsn == "2.0.0" else _from_object(data)


def _from_array(data: Any) -> Frame:
    if not isinstance(data, list) or len(data) != 5:
        raise Malformed(f"a frame of vsn 2.0.0 must be an array of five, not {_kind(data)}")
    join_ref, ref, topic, event, payload = data
    return _frame(topic, event, payload, ref, join_ref)


def _from_object(data: Any) -> Frame:
    if not isinstance(data, dict):
        raise Malformed(f"a frame of vsn 1.0.0 must be an object, not {_kind(data)}")
    missing = {"topic", "event", "payload", "ref"} - set(data)
    if missing:
        raise Malformed(f"a frame of vsn 1.0.0 must have the key {min(missing)}")
    return _frame(data["topic"], data["event"], data["payload"], data["ref"], None)


def _frame(topic: Any, event: Any, payload: Any, ref: Any, join_ref: Any) -> Frame:
    if not isinstance(topic, str) or not isinstance(event, str):
        raise Malformed("topic and event of a frame must be strings")
    return Frame(topic, event, payload, ref, join_ref)


def _kind(data: Any) -> str:
    return f"an array of {len(data)}" if isinstance(data, list) else type(data).__name__


def heartbeat(ref: str) -> Frame:
    """The sign of life that a client sends every 25 s (PROTOCOL 1.3)."""
    return Frame(HEARTBEAT_TOPIC, "heartbeat", {}, ref)
