"""Signals: the content of a message, there and back."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from harness.protocol.changes import MessageSeen
from harness.protocol.malformed import Malformed
from harness.protocol.signal import Signal, decode_signal, encode_signal


def message(content: str | None) -> MessageSeen:
    return MessageSeen("M", "S", "A", content)


BODIES: list[tuple[str, dict[str, Any]]] = [
    ("offer", {"offer": {"type": "offer", "sdp": "v=0"}}),
    ("answer", {"answer": {"type": "answer", "sdp": "v=0"}}),
    ("ice-candidate", {"candidate": {"candidate": "…", "sdpMid": "0", "sdpMLineIndex": 0}}),
    ("call-ended", {}),
]


@pytest.mark.parametrize(("kind", "body"), BODIES)
def test_a_signal_survives_the_wire(kind: str, body: dict[str, Any]) -> None:
    """PROTOCOL 4: type and body at the top, and our seq."""
    content = encode_signal(kind, 3, body)
    assert orjson.loads(content) == {"type": kind, **body, "seq": 3}
    assert decode_signal(message(content)) == Signal("M", "S", "A", kind, 3, body)


@pytest.mark.parametrize(
    "content", [None, "", "hello", "{not json", '{"type":"typing"}', '{"no":"type"}', '{"type":[]}', "{}"]
)
def test_a_chat_message_is_no_signal(content: str | None) -> None:
    """People write what they like, braces too."""
    assert decode_signal(message(content)) is None


def test_a_browser_does_not_number_its_signals() -> None:
    """The official application knows no seq."""
    signal = decode_signal(message('{"type":"call-ended"}'))
    assert signal is not None
    assert signal.seq is None


def test_a_seq_that_is_no_integer_is_malformed() -> None:
    """It is ours, so it must be right."""
    with pytest.raises(Malformed, match="seq"):
        decode_signal(message('{"type":"call-ended","seq":"1"}'))


def test_a_signal_of_which_only_the_kind_is_said_has_an_empty_body() -> None:
    """Each its own."""
    one, other = (Signal("m", "s", "u", "call-ended") for _ in range(2))
    assert one.body == {}
    assert one.body is not other.body
