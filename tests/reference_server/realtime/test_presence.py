"""Presence: the pure bookkeeping, and what clients are told over the wire (PROTOCOL 1.6)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_server.db import Database
from reference_server.realtime.presence import Diff, Entry, Presence
from reference_server.settings import Settings
from tests.reference_server.realtime.conftest import PROMPT, VERSIONS, Client, Site, running_site

TOPIC = "realtime:room"


def track(meta: Any, event: str = "track") -> dict[str, Any]:
    return {"type": "presence", "event": event, "payload": meta}


async def enter(client: Client, key: str) -> Any:
    """Joins with presence; returns what the client is shown."""
    reply = await client.join(TOPIC, presence={"key": key, "enabled": True})
    assert reply.payload["status"] == "ok"
    state = await client.receive()
    assert state.event == "presence_state"
    return state.payload


async def push(client: Client, payload: Any, ref: str = "5") -> Any:
    await client.send(TOPIC, "presence", payload, ref, "1")
    return (await client.receive()).payload


@pytest.mark.parametrize("version", VERSIONS)
async def test_who_is_there_and_who_comes_and_goes(site: Site, version: str) -> None:
    """A newcomer is shown all; everybody, the one who tracks too, is told of joins and leaves with their metas."""
    async with site.client(version) as one:
        assert await enter(one, "a") == {}
        assert (await push(one, track({"n": 1})))["status"] == "ok"
        joined = (await one.receive()).payload
        (meta,) = joined["joins"]["a"]["metas"]
        assert (meta["n"], joined["leaves"]) == (1, {})
        async with site.client() as other:
            assert await enter(other, "b") == {"a": {"metas": [meta]}}
            await push(other, track({}))
            assert set((await other.receive()).payload["joins"]) == {"b"}
            assert set((await one.receive()).payload["joins"]) == {"b"}
        gone = await one.receive()
        assert (gone.event, gone.ref, set(gone.payload["leaves"])) == ("presence_diff", None, {"b"})


async def test_tracking_again_replaces_and_untracking_removes(site: Site) -> None:
    """A second map comes as a join with the first one as a leave, with another phx_ref; the same map is no news."""
    async with site.client() as client:
        await enter(client, "a")
        await push(client, track({"n": 1}))
        (first,) = (await client.receive()).payload["joins"]["a"]["metas"]
        assert (await push(client, track({"n": 1})))["status"] == "ok"
        await push(client, track({"n": 2}))
        changed = (await client.receive()).payload
        assert changed["leaves"] == {"a": {"metas": [first]}}
        (second,) = changed["joins"]["a"]["metas"]
        assert (second["n"], second["phx_ref"] != first["phx_ref"]) == (2, True)
        assert (await push(client, track(None, "UNTRACK")))["status"] == "ok"
        assert (await client.receive()).payload == {"joins": {}, "leaves": {"a": {"metas": [second]}}}


async def test_without_a_key_the_server_makes_one(site: Site) -> None:
    """Two devices without a key are two, under ids of version 1."""
    async with site.client() as one, site.client() as other:
        for client in (one, other):
            await enter(client, "")
            await push(client, track({}))
        joined = [(await one.receive()).payload["joins"] for _ in range(2)]
        keys = {key for joins in joined for key in joins}
        assert len(keys) == 2
        assert all(len(key) == 36 and key[14] == "1" for key in keys)


async def test_tracking_enables_presence(site: Site) -> None:
    """A channel that joined without presence is shown everybody when it first tracks."""
    async with site.client() as one, site.client() as late:
        await enter(one, "a")
        await push(one, track({}))
        await one.receive()
        await late.join(TOPIC, presence={"key": "b"})
        assert (await push(late, track({})))["status"] == "ok"
        assert set((await late.receive()).payload) == {"a"}
        assert set((await late.receive()).payload["joins"]) == {"b"}


async def test_pushes_that_are_refused(site: Site) -> None:
    """A map must be tracked; an event must be known; the sixth push within half a minute ends the channel."""
    async with site.client() as client:
        await enter(client, "a")
        answer = await push(client, track("text"))
        assert answer == {"status": "error", "response": {"reason": "Presence track payload must be a map"}}
        assert (await push(client, track({}, "dance")))["status"] == "error"
        for _ in range(3):
            assert (await push(client, track({}, "untrack")))["status"] == "ok"
        await client.send(TOPIC, "presence", track({}), "9", "1")
        said, closed = await client.receive(), await client.receive()
        assert (said.event, said.payload["status"]) == ("system", "error")
        assert said.payload["message"] == "Client presence rate limit exceeded"
        assert closed.event == "phx_close"


@pytest.mark.parametrize(
    ("meta", "flood", "said"),
    [
        ({"filler": "x" * 257_000}, False, "Track message size exceeded"),
        ({}, True, "Too many presence messages per second"),
    ],
)
async def test_over_the_plans_ceilings(installed: Database, meta: Any, flood: bool, said: str) -> None:
    """A map that is too large, and more presence messages than the plan allows, end the channel."""
    time = [0.0]
    async with running_site(installed, Settings(plan="free", **PROMPT), lambda: time[0]) as site, site.client() as one:
        await enter(one, "a")
        if flood:
            site.realtime.quotas.presences.add(1000)
            time[0] += 5
        await one.send(TOPIC, "presence", track(meta), "5", "1")
        assert (await one.receive()).payload["message"] == said
        assert (await one.receive()).event == "phx_close"


def applied(state: dict[str, list[Any]], diff: Diff) -> dict[str, list[Any]]:
    """A client's view after a diff: joins are added, then leaves are taken out by their phx_ref."""
    view = {key: list(metas) for key, metas in state.items()}
    for key, metas in diff.joins.items():
        view.setdefault(key, []).extend(metas["metas"])
    for key, metas in diff.leaves.items():
        gone = [meta["phx_ref"] for meta in metas["metas"]]
        view[key] = [meta for meta in view[key] if meta["phx_ref"] not in gone]
    return {key: metas for key, metas in view.items() if metas}


ENTRY = st.tuples(st.sampled_from("ab"), st.integers(0, 3))
OWNERS = st.tuples(st.sampled_from(["here", "there"]), st.integers(1, 3))


def entry_of(owner: tuple[str, int], drawn: tuple[str, int]) -> Entry:
    """An entry whose reference is its owner's own."""
    return Entry(drawn[0], {"phx_ref": f"{owner} {drawn[1]}"})


@given(
    st.lists(
        st.tuples(OWNERS, ENTRY | st.none()) | st.tuples(st.just("there"), st.dictionaries(st.integers(1, 3), ENTRY)),
        max_size=25,
    )
)
def test_diffs_lead_to_the_state(steps: list[tuple[Any, Any]]) -> None:
    """Whoever starts with the state and takes every diff sees exactly who is there, in whatever order things come."""
    presence, view = Presence(), dict[str, list[Any]]()
    for who, what in steps:
        if who == "there":
            stated = [("room", number, entry_of((who, number), entry)) for number, entry in what.items()]
            diffs = presence.replace("there", stated)
            view = applied(view, diffs.get("room", Diff()))
        else:
            known = entry_of(who, what) if what else None
            diff = presence.track("room", who, known) if known else presence.untrack("room", who)
            view = applied(view, diff)
    order = lambda metas: sorted(meta["phx_ref"] for meta in metas)  # noqa: E731
    wanted = {key: order(metas["metas"]) for key, metas in presence.state("room").items()}
    assert {key: order(metas) for key, metas in view.items()} == wanted
