"""The channel state machine: what it sends, and what each frame means to it."""

from __future__ import annotations

from typing import Any

import pytest

from harness.protocol.channel import Binding, Changed, Channel, Closed, Happening, Joined, Ready, Refused
from harness.protocol.malformed import Malformed
from harness.protocol.phoenix import Frame

BINDINGS = (
    Binding("INSERT", "chat_sessions", "user1_id=eq.U"),
    Binding("INSERT", "chat_sessions", "user2_id=eq.U"),
)
TOPIC = "realtime:matchmaking:U"
ECHO = [{**binding.params(), "id": number} for number, binding in enumerate(BINDINGS, 11)]


def frame(event: str, payload: Any, ref: str | None = None, join_ref: str | None = None) -> Frame:
    return Frame(TOPIC, event, payload, ref, join_ref)


def reply(status: str, response: Any, ref: str = "6") -> Frame:
    return frame("phx_reply", {"status": status, "response": response}, ref)


def channel() -> Channel:
    """A channel whose join has gone out with ref 6."""
    made = Channel("matchmaking:U", BINDINGS)
    made.join("6", "jwt")
    return made


def joined() -> Channel:
    made = channel()
    made.take(reply("ok", {"postgres_changes": ECHO}))
    return made


def insert(*ids: int) -> Frame:
    data = {"schema": "public", "table": "chat_sessions", "type": "INSERT", "record": {"id": "S"}, "errors": None}
    return frame("postgres_changes", {"ids": list(ids), "data": data})


def test_the_join_is_the_captured_one() -> None:
    """PROTOCOL 1.4, as captured from the official client."""
    sent = Channel("matchmaking:U", BINDINGS).join("6", "jwt")
    assert sent == Frame(
        TOPIC,
        "phx_join",
        {
            "config": {
                "broadcast": {"ack": False, "self": False},
                "presence": {"key": "", "enabled": False},
                "postgres_changes": [
                    {"event": "INSERT", "schema": "public", "table": "chat_sessions", "filter": "user1_id=eq.U"},
                    {"event": "INSERT", "schema": "public", "table": "chat_sessions", "filter": "user2_id=eq.U"},
                ],
                "private": False,
            },
            "access_token": "jwt",
        },
        "6",
        "6",
    )


SYSTEM_OK = {"channel": "x", "extension": "postgres_changes", "message": "Subscribed to PostgreSQL", "status": "ok"}
SYSTEM_BAD = {**SYSTEM_OK, "message": "invalid column for filter nope", "status": "error"}


@pytest.mark.parametrize(
    ("came", "means"),
    [
        (reply("ok", {"postgres_changes": ECHO}), Joined()),
        (reply("ok", {"postgres_changes": ECHO}, ref="5"), None),
        (reply("error", {"reason": "ChannelRateLimitReached: Too many channels"}),
         Refused("ChannelRateLimitReached: Too many channels", retry=True)),
        (reply("error", "x"), Refused("no reason given", retry=True)),
        (frame("system", SYSTEM_OK), Ready()),
        (frame("system", SYSTEM_BAD), Refused("invalid column for filter nope", retry=False)),
        (frame("system", {"extension": "system", "status": "ok"}), None),
        (frame("phx_close", {}, "6"), Closed()),
        (frame("phx_close", {}, "3"), None),
        (frame("phx_error", {"reason": "channel_crash"}, "6"), Refused("phx_error: channel_crash", retry=True)),
        (frame("presence_state", {}), None),
        (frame("system", SYSTEM_OK, join_ref="3"), None),
        (frame("system", SYSTEM_OK, join_ref="6"), Ready()),
    ],
)  # fmt: skip
def test_each_frame_means_what_the_protocol_says(came: Frame, means: Happening | None) -> None:
    """PROTOCOL 1.4, 1.6 and 1.7; frames of an earlier join mean nothing."""
    assert channel().take(came) == means


@pytest.mark.parametrize(
    "echoed",
    [[], ECHO[:1], list(reversed(ECHO)), [{**ECHO[0], "filter": None}, ECHO[1]], ["x", "y"], "none"],
)
def test_bindings_that_differ_by_index_are_a_mismatch(echoed: Any) -> None:
    """PROTOCOL 1.4: the client compares event, schema, table and filter by index, and does not retry."""
    happening = channel().take(reply("ok", {"postgres_changes": echoed}))
    assert happening == Refused("mismatch between server and client bindings for postgres changes", retry=False)


def test_an_absent_filter_equals_null() -> None:
    """PROTOCOL 1.4: undefined equals null."""
    made = Channel("c", (Binding("*", "messages"),))
    made.join("1", "jwt")
    echoed = [{"event": "*", "schema": "public", "table": "messages", "filter": None, "id": 1}]
    assert made.take(reply("ok", {"postgres_changes": echoed}, ref="1")) == Joined()


def test_a_change_for_one_of_our_bindings_is_told() -> None:
    """PROTOCOL 1.5: one frame, with the ids of all matching bindings."""
    happening = joined().take(insert(99, 12))
    assert isinstance(happening, Changed)
    assert happening.change.record == {"id": "S"}


def test_a_change_for_no_binding_of_ours_is_ignored() -> None:
    """Ids of somebody else's bindings are not ours."""
    assert joined().take(insert(99)) is None


def test_after_leaving_nothing_means_anything() -> None:
    """PROTOCOL 1.6: the leave carries the join_ref; late frames are ignored."""
    made = joined()
    assert made.leave("7") == Frame(TOPIC, "phx_leave", {}, "7", "6")
    assert made.take(insert(11)) is None


def test_a_token_is_pushed_under_the_join() -> None:
    """PROTOCOL 1.6."""
    assert joined().renew("9", "new") == frame("access_token", {"access_token": "new"}, "9", "6")


@pytest.mark.parametrize("payload", [None, {"ids": [11]}, {"ids": 11, "data": {}}, {"ids": [11], "data": {"type": 1}}])
def test_a_change_of_another_shape_is_malformed(payload: Any) -> None:
    """The reader drops such a frame instead of dying of it."""
    with pytest.raises(Malformed):
        joined().take(frame("postgres_changes", payload))
