"""Binary broadcasts as the captured client sends them, and as servers tell them."""

from __future__ import annotations

import pytest

from conformance.wire.broadcasts import Told, binary_push, broadcast, read_told


def test_a_push_is_the_captured_one() -> None:
    """The bytes are those that the unmodified client sends (PROTOCOL 1.2)."""
    captured = b"\x03\x01\x02\x11\x0b\x00\x01" + b"9" + b"10" + b"realtime:matching" + b"match_found"
    made = binary_push("9", "10", "realtime:matching", "match_found", b'{"sessionId":"s1"}', json=True)
    assert made == captured + b'{"sessionId":"s1"}'


def test_what_a_server_tells_is_read() -> None:
    """Kind 4: topic, event, whether it is JSON, and the payload to the end; what a server says beside it is passed."""
    assert read_told(b"\x04\x01\x02\x01\x00tevm\xff") == Told("t", "ev", b"\xff", json=False)
    assert read_told(b"\x04\x01\x01\x00\x01te{}") == Told("t", "e", b"{}", json=True)


@pytest.mark.parametrize("data", [b"", b"\x04", b"\x03\x01\x01\x00\x00te", b"\x04\xff\x01\x00\x00te"])
def test_what_is_none_is_none(data: bytes) -> None:
    """Another kind, and one that is cut short, are no broadcasts."""
    assert read_told(data) is None


def test_a_text_broadcast() -> None:
    """Type, event and payload, as JavaScript sends them."""
    assert broadcast("e", {"a": 1}) == {"type": "broadcast", "event": "e", "payload": {"a": 1}}
