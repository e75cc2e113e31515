"""The state machine of one socket, without one: what no client's frame may do to it."""

from __future__ import annotations

import json
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from reference_server.auth.claims import Claims
from reference_server.plans import PLANS
from reference_server.realtime.channel import Rights
from reference_server.realtime.connection import Authorize, Connection, Joined, Left, SendLate
from reference_server.realtime.frames import Version
from reference_server.realtime.quotas import Quotas

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=8,
)
TOPICS = st.sampled_from(["realtime:a", "realtime:b", "realtime:", "phoenix", "x"])
EVENTS = st.sampled_from(["phx_join", "phx_leave", "access_token", "broadcast", "heartbeat", "presence", "y"])
CONFIG = st.fixed_dictionaries(
    {},
    optional={
        "broadcast": JSON,
        "presence": JSON | st.just({"enabled": True}),
        "private": JSON,
        "postgres_changes": JSON
        | st.lists(st.fixed_dictionaries({"event": JSON, "table": JSON, "filter": JSON}), max_size=2),
    },
)
PAYLOADS = JSON | st.fixed_dictionaries({"config": JSON | CONFIG}, optional={"access_token": JSON | st.just("token")})


def connection(version: Version, clock: list[float] | None = None) -> Connection:
    """A connection to which every token is good until second 100."""
    time = clock or [0.0]
    return Connection(
        1,
        version,
        "key",
        lambda _token, _leeway: Claims("anon", None, 100.0, {}),
        lambda: time[0],
        Quotas(PLANS["none"], lambda: time[0]),
    )


@given(
    st.sampled_from(["1.0.0", "2.0.0"]),
    st.lists(st.tuples(TOPICS, EVENTS, PAYLOADS, st.none() | st.text(max_size=2)), max_size=12),
)
def test_no_frame_breaks_it(version: Version, pushes: list[tuple[str, str, Any, str | None]]) -> None:
    """Whatever a client sends, in whatever order: it is answered or dropped, and what is joined once is left once."""
    machine = connection(version)
    effects = []
    for topic, event, payload, ref in pushes:
        if version == "1.0.0":
            text = json.dumps({"topic": topic, "event": event, "payload": payload, "ref": ref, "join_ref": ref})
        else:
            text = json.dumps([ref, ref, topic, event, payload])
        made = machine.receive(text)
        asked = [effect.channel for effect in made if isinstance(effect, Authorize)]
        effects += made + [more for channel in asked for more in machine.authorized(channel, Rights())]
    effects += machine.close()
    joined = {effect.channel for effect in effects if isinstance(effect, Joined)}
    left = [effect.channel for effect in effects if isinstance(effect, Left)]
    assert set(left) >= joined
    assert len(left) == len(set(left))
    assert not machine.channels
    assert not any(channel.open for channel in joined)


@given(st.sampled_from(["1.0.0", "2.0.0"]), st.binary(max_size=40) | st.text(max_size=40))
def test_no_garbage_breaks_it(version: Version, garbage: str | bytes) -> None:
    """Bytes and texts that are no frames are dropped without a word."""
    assert connection(version).receive(garbage) == []


def test_a_token_that_ran_out_is_not_taken_for_another_channel() -> None:
    """A token that was good when the first channel was joined is judged again for the next."""
    clock = [0.0]
    machine = connection("2.0.0", clock)
    join = orjson.dumps(["1", "1", "realtime:a", "phx_join", {}])
    assert isinstance(machine.receive(join)[-1], Joined)
    clock[0] = 103.5
    (answer,) = machine.receive(orjson.dumps(["2", "2", "realtime:b", "phx_join", {}]))
    assert isinstance(answer, SendLate)
    reason = orjson.loads(answer.frame)[4]["response"]["reason"]
    assert reason == "InvalidJWTToken: Token has expired 3 seconds ago"
