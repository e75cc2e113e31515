"""Both frame formats, in and out."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from reference_server.realtime.frames import Malformed, Push, Version, decode, encode, encode_change, version_of

TOPIC = "realtime:matching"


@pytest.mark.parametrize(
    ("version", "text"),
    [
        ("1.0.0", '{"topic":"realtime:matching","event":"phx_join","payload":{"a":1},"ref":"2","join_ref":"1"}'),
        ("2.0.0", '["1","2","realtime:matching","phx_join",{"a":1}]'),
    ],
)
def test_both_versions_read_the_same_push(version: Version, text: str) -> None:
    """The same push is understood in either version."""
    assert decode(version, text) == Push(TOPIC, "phx_join", {"a": 1}, "2", "1")


def test_refs_may_be_null_or_absent() -> None:
    """supabase-py sends a null ref with its heartbeats, and version 1 may leave join_ref out."""
    push = decode("1.0.0", '{"topic":"phoenix","event":"heartbeat","payload":{},"ref":null}')
    assert (push.ref, push.join_ref) == (None, None)


@pytest.mark.parametrize(
    ("version", "text"),
    [
        ("1.0.0", "not json"),
        ("1.0.0", "[]"),
        ("1.0.0", '{"topic":"t","event":"e"}'),
        ("1.0.0", '{"topic":1,"event":"e","payload":{}}'),
        ("2.0.0", '["1","2","t","e"]'),
        ("2.0.0", '["1","2","t","e",{},1]'),
        ("2.0.0", '["1","2",null,"e",{}]'),
        ("2.0.0", '[{},"2","t","e",{}]'),
        ("2.0.0", '{"topic":"t","event":"e","payload":{}}'),
        ("2.0.0", b"\x03\x01\x00\xff"),
        ("2.0.0", '["1","2","t","e",{"a":"\\ud800"}]'),
        ("2.0.0", '["1","2","t","e",' + "[" * 250 + "]" * 250 + "]"),
        ("1.0.0", '{"topic":"t","event":"e","payload":' + '{"a":' * 2000 + "1" + "}" * 2001),
    ],
)
def test_what_is_no_frame_is_malformed(version: Version, text: str | bytes) -> None:
    """Anything else is refused as a whole."""
    with pytest.raises(Malformed):
        decode(version, text)


@pytest.mark.parametrize("version", ["1.0.0", "2.0.0"])
def test_what_was_read_can_be_written(version: Version) -> None:
    """A payload that is taken, however deep, can be told on inside a broadcast."""
    payload = orjson.loads('{"a":' * 230 + "[" + "[1]," * 300 + "2]" + "}" * 230)
    push = decode(version, encode(version, TOPIC, "broadcast", payload, ref="2"))
    assert encode(version, TOPIC, "broadcast", {"type": "broadcast", "event": "e", "payload": push.payload})


def test_version_1_has_exactly_four_keys() -> None:
    """A version 1 frame to the client never has join_ref, and its ref is null where there is none."""
    frame: dict[str, Any] = orjson.loads(encode("1.0.0", TOPIC, "system", {"a": 1}, join_ref="9"))
    assert frame == {"topic": TOPIC, "event": "system", "payload": {"a": 1}, "ref": None}


def test_version_2_is_an_array_of_five() -> None:
    """A version 2 frame is [join_ref, ref, topic, event, payload]."""
    assert orjson.loads(encode("2.0.0", TOPIC, "system", {}, join_ref="9")) == ["9", None, TOPIC, "system", {}]


def test_a_change_is_the_same_in_both_versions() -> None:
    """The frames built around encoded data equal frames built from objects, quotes in topics included."""
    topic = 'realtime:a"b'
    payload = {"ids": [1, 2], "data": {"x": None}}
    for version in ("1.0.0", "2.0.0"):
        made = encode_change(version, topic, (1, 2), b'{"x":null}')  # type: ignore[arg-type]
        assert orjson.loads(made) == orjson.loads(encode(version, topic, "postgres_changes", payload))  # type: ignore[arg-type]


def test_which_versions_are_served() -> None:
    """An upgrade without vsn speaks 1.0.0; other versions are not served."""
    assert [version_of(vsn) for vsn in (None, "1.0.0", "2.0.0", "3.0.0", "")] == ["1.0.0", "1.0.0", "2.0.0", None, None]
