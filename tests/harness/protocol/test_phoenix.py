"""Frames of both versions, there and back, and what is no frame."""

from __future__ import annotations

import orjson
import pytest

from harness.protocol.malformed import Malformed
from harness.protocol.phoenix import Frame, Vsn, decode, encode, heartbeat

JOIN = Frame("realtime:a", "phx_join", {"config": {}}, "6", "6")


@pytest.mark.parametrize(
    ("vsn", "expected"),
    [
        ("1.0.0", {"topic": "realtime:a", "event": "phx_join", "payload": {"config": {}}, "ref": "6", "join_ref": "6"}),
        ("2.0.0", ["6", "6", "realtime:a", "phx_join", {"config": {}}]),
    ],
)
def test_a_client_frame_has_the_shape_of_its_version(vsn: Vsn, expected: object) -> None:
    """PROTOCOL 1.2: an object with join_ref in 1.0.0, an array of five in 2.0.0."""
    assert orjson.loads(encode(JOIN, vsn)) == expected


def test_a_v1_server_frame_has_no_join_ref() -> None:
    """PROTOCOL 1.2: server frames of 1.0.0 have four keys."""
    text = '{"topic":"t","event":"system","payload":{"status":"ok"},"ref":null}'
    assert decode(text, "1.0.0") == Frame("t", "system", {"status": "ok"})


def test_a_v2_server_frame_keeps_both_refs() -> None:
    """PROTOCOL 1.2: [join_ref, ref, topic, event, payload]."""
    assert decode(b'["1","2","t","phx_reply",{}]', "2.0.0") == Frame("t", "phx_reply", {}, "2", "1")


@pytest.mark.parametrize("vsn", ["1.0.0", "2.0.0"])
def test_the_heartbeat_goes_to_the_topic_phoenix(vsn: Vsn) -> None:
    """PROTOCOL 1.3."""
    frame = decode(encode(heartbeat("8"), vsn), vsn)
    assert (frame.topic, frame.event, frame.payload, frame.ref, frame.join_ref) == (
        "phoenix",
        "heartbeat",
        {},
        "8",
        None,
    )


@pytest.mark.parametrize(
    ("vsn", "text", "says"),
    [
        ("1.0.0", "<html>", "must be JSON"),
        ("1.0.0", b"\x04\x01\xff", "must be JSON"),
        ("1.0.0", "[1,2,3,4,5]", "must be an object, not an array of 5"),
        ("1.0.0", '{"topic":"t","event":"e","payload":{}}', "must have the key ref"),
        ("1.0.0", '{"topic":7,"event":"e","payload":{},"ref":null}', "must be strings"),
        ("2.0.0", "{}", "must be an array of five, not dict"),
        ("2.0.0", "[1,2]", "not an array of 2"),
        ("2.0.0", '[null,null,"t",null,{}]', "must be strings"),
    ],
)
def test_what_is_no_frame_is_malformed_and_says_why(vsn: Vsn, text: str | bytes, says: str) -> None:
    """Nothing but Malformed may come out of bytes that a server chose."""
    with pytest.raises(Malformed, match=says):
        decode(text, vsn)
