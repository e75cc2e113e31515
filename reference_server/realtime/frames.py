"""The two frame formats of the Realtime wire: what a client sends and what it is sent (PROTOCOL 1.2)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from reference_server.nesting import is_writable

Version = Literal["1.0.0", "2.0.0"]
VERSIONS: tuple[Version, ...] = ("1.0.0", "2.0.0")


class Malformed(ValueError):
    """A frame that cannot be read: it is logged and dropped, the socket stays open."""


@dataclass(frozen=True, slots=True)
class Push:
    """One frame of a client. `ref` and `join_ref` are repeated to the client as they came."""

    topic: str
    event: str
    payload: Any
    ref: Any = None
    join_ref: Any = None


@dataclass(frozen=True, slots=True)
class UserBroadcast:
    """A broadcast that came as a binary frame: `payload` is what the user sent, JSON text or any bytes."""

    event: str
    payload: bytes
    json: bool


@dataclass(frozen=True, slots=True)
class Payload:
    """A broadcast that came as JSON: the frame's payload as it came, `{"type": "broadcast", "event": …, …}`."""

    body: Any


Message = UserBroadcast | Payload

_PUSHED, _TOLD = 3, 4  # the kinds of binary frame: towards the server, towards the client
_PUSH_HEAD = struct.Struct("7B")
_SHALLOW = 200
LONGEST_NAME = 255
"""Bytes of a topic or an event in a binary frame, which writes their lengths as one byte each."""


def decode(version: Version, text: str | bytes) -> Push:
    """Reads a client's frame; the payload of a binary one is a `UserBroadcast`.

    Raises:
        Malformed: not JSON, or not of this version's shape.
    """
    if version == "2.0.0" and isinstance(text, bytes) and text[:1] == bytes((_PUSHED,)):
        return _decode_binary(text)
    try:
        frame = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"not JSON ({error})") from error
    if _opens(text) > _SHALLOW and not is_writable(frame):
        raise Malformed("nested too deep")
    fields = _fields_v1(frame) if version == "1.0.0" else _fields_v2(frame)
    join_ref, ref, topic, event, payload = fields
    if not isinstance(topic, str) or not isinstance(event, str):
        raise Malformed("topic and event must be strings")
    if not _is_ref(ref) or not _is_ref(join_ref):
        raise Malformed("ref and join_ref must be strings or null")
    return Push(topic, event, payload, ref, join_ref)


def _opens(text: str | bytes) -> int:
    """How many arrays and objects begin in a text, at most: it is nested no deeper than that."""
    return text.count(b"[") + text.count(b"{") if isinstance(text, bytes) else text.count("[") + text.count("{")


def _decode_binary(data: bytes) -> Push:
    if len(data) < _PUSH_HEAD.size:
        raise Malformed("a binary frame cut short")
    _kind, *lengths, encoding = _PUSH_HEAD.unpack_from(data)
    if encoding not in {0, 1}:
        raise Malformed(f"a payload of unknown encoding {encoding}")
    parts, at = list[bytes](), _PUSH_HEAD.size
    for length in lengths:
        parts.append(data[at : at + length])
        at += length
    if at > len(data):
        raise Malformed("a binary frame cut short")
    parts.pop()  # what the client says of its message beside it: the real server tells nobody either
    payload = data[at:]
    try:
        join_ref, ref, topic, event = (part.decode() for part in parts)
        if encoding == 1:
            orjson.loads(payload)
    except ValueError as error:
        raise Malformed(f"a binary frame whose text is none ({error})") from error
    told = UserBroadcast(event, payload, encoding == 1)
    return Push(topic, "broadcast", told, ref or None, join_ref or None)


def _fields_v1(frame: Any) -> tuple[Any, ...]:
    if not isinstance(frame, dict):
        raise Malformed("a frame of version 1.0.0 is an object")
    missing = [key for key in ("topic", "event", "payload") if key not in frame]
    if missing:
        raise Malformed(f"without {' and '.join(missing)}")
    return frame.get("join_ref"), frame.get("ref"), frame["topic"], frame["event"], frame["payload"]


def _fields_v2(frame: Any) -> tuple[Any, ...]:
    if not isinstance(frame, list) or len(frame) != 5:
        raise Malformed("a frame of version 2.0.0 is an array of five")
    return tuple(frame)


def _is_ref(ref: Any) -> bool:
    # The clients count in strings; Phoenix repeats whatever scalar came.
    return ref is None or isinstance(ref, (str, int))


def encode(version: Version, topic: str, event: str, payload: Any, *, ref: Any = None, join_ref: Any = None) -> str:
    """Writes a frame to a client. Version 1.0.0 has exactly four keys and never `join_ref`."""
    if version == "1.0.0":
        return orjson.dumps({"topic": topic, "event": event, "payload": payload, "ref": ref}).decode()
    return orjson.dumps([join_ref, ref, topic, event, payload]).decode()


def encode_broadcast(version: Version, topic: str, message: Message) -> str | bytes | None:
    """Writes a broadcast to a client. None where its version cannot carry it: bytes that are no JSON, in 1.0.0; names
    that are longer than `LONGEST_NAME`, in a binary frame."""
    if isinstance(message, Payload):
        return encode(version, topic, "broadcast", message.body)
    if version == "1.0.0":
        if not message.json:
            return None
        body = {"type": "broadcast", "event": message.event, "payload": orjson.Fragment(message.payload)}
        return encode(version, topic, "broadcast", body)
    names = (topic.encode(), message.event.encode(), b"")
    if max(map(len, names)) > LONGEST_NAME:
        return None
    head = bytes((_TOLD, *map(len, names), int(message.json)))
    return b"".join((head, *names, message.payload))


def encode_change(version: Version, topic: str, ids: tuple[int, ...], data: bytes) -> str:
    """Writes a `postgres_changes` frame around its already encoded `data` (PROTOCOL 1.5)."""
    payload = b'{"ids":%b,"data":%b}' % (orjson.dumps(ids), data)
    if version == "1.0.0":
        frame = b'{"topic":%b,"event":"postgres_changes","payload":%b,"ref":null}' % (orjson.dumps(topic), payload)
    else:
        frame = b'[null,null,%b,"postgres_changes",%b]' % (orjson.dumps(topic), payload)
    return frame.decode()


def version_of(vsn: str | None) -> Version | None:
    """The version that the upgrade's `vsn` names: 1.0.0 where it is absent, None for one that is not served."""
    if vsn is None:
        return "1.0.0"
    return vsn if vsn in VERSIONS else None
