"""Signals: the JSON in the content of a `messages` row that carries a WebRTC handshake."""

from __future__ import annotations

from typing import Any

import orjson
from msgspec import Struct, field

from harness.protocol.changes import MessageSeen
from harness.protocol.malformed import Malformed

CALL_ENDED = "call-ended"
KINDS = frozenset({"offer", "answer", "ice-candidate", CALL_ENDED})


class Signal(Struct, frozen=True, gc=False):
    """One signal of one sender in one session.

    `kind` is `offer`, `answer`, `ice-candidate` or `call-ended`; `body` is the rest of the content, for instance
    `{"offer": {"type", "sdp"}}`, `{"answer": {…}}`, `{"candidate": {"candidate", "sdpMid", "sdpMLineIndex"}}`.
    `seq` counts the sender's signals in this session from 1; None where the sender does not number them.
    """

    id: str
    session: str
    sender: str
    kind: str
    seq: int | None = None
    body: dict[str, Any] = field(default_factory=dict)


def encode_signal(kind: str, seq: int, body: dict[str, Any]) -> str:
    """The content of a signal: `{"type": kind, …body, "seq": seq}` (PROTOCOL 4; `seq` is ours and others ignore it)."""
    return orjson.dumps({"type": kind, **body, "seq": seq}).decode()


def decode_signal(message: MessageSeen) -> Signal | None:
    """The signal in a message; None for an ordinary chat message.

    Raises:
        Malformed: it says that it is a signal, but does not have the shape of one.
    """
    content = message.content
    if content is None or not content.startswith("{"):
        return None
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    kind = body.pop("type", None)
    if not isinstance(kind, str) or kind not in KINDS:
        return None
    seq = body.pop("seq", None)
    if seq is not None and not isinstance(seq, int):
        raise Malformed(f"the seq of a signal must be an integer, not {seq!r}")
    return Signal(message.id, message.session, message.sender, kind, seq, body)
