"""RT-36 and RT-37: who is present on a topic."""

from __future__ import annotations

from typing import Any

from conformance.scenario import requires
from conformance.trial import Trial
from conformance.wire.realtime import BOTH, EVENT, Join, RealtimeSocket, must, socket_of
from harness.protocol.phoenix import Frame


@requires("RT-36")
async def test_rt_36_a_newcomer_is_shown_who_is_there(trial: Trial) -> None:
    """A track is answered ok; who joins then gets `presence_state` with the key, the map and a `phx_ref`."""
    person = await trial.enter()
    async with socket_of(trial, person) as here:
        join = await _join(here, person.user, "me")
        await _track(trial, here, join, {"mood": "curious"})
        for vsn in BOTH:
            async with socket_of(trial, vsn=vsn) as newcomer:
                await _join(newcomer, person.user, "")
                state = await newcomer.heard(lambda one: one.event == "presence_state" and one.payload != {})
                must(
                    _shows(state, "me"),
                    trial,
                    here,
                    newcomer,
                    sent=f"a join in {vsn} where somebody is",
                    came=f"{state}",
                )


@requires("RT-37")
async def test_rt_37_coming_and_going_are_told(trial: Trial) -> None:
    """The others get a `presence_diff` when somebody tracks, when he stops, and when his socket is closed."""
    person = await trial.enter()
    async with socket_of(trial) as watcher:
        await _join(watcher, person.user, "watcher")
        for end in ("untrack", "close"):
            async with socket_of(trial, person) as comes:
                join = await _join(comes, person.user, end)
                await _track(trial, comes, join, {"n": 1})
                came = await watcher.heard(_diff("joins", end))
                must(
                    came, trial, comes, watcher, sent="a track", came=f"no presence_diff with his key in {EVENT:.0f} s"
                )
                if end == "untrack":
                    payload = {"type": "presence", "event": "untrack"}
                    await comes.reply(await comes.push(join.topic, "presence", payload, join.ref))
                    gone = await watcher.heard(_diff("leaves", end))
                    must(gone, trial, comes, watcher, sent="an untrack", came="no presence_diff that he left")
            gone = await watcher.heard(_diff("leaves", end))
            must(gone, trial, comes, watcher, sent="the end of a socket", came="no presence_diff that its user left")


async def _join(socket: RealtimeSocket, name: str, key: str) -> Join:
    return await socket.join(f"presence:{name}", presence={"key": key, "enabled": True})


async def _track(trial: Trial, socket: RealtimeSocket, join: Join, meta: dict[str, Any]) -> None:
    payload = {"type": "presence", "event": "track", "payload": meta}
    reply = await socket.reply(await socket.push(join.topic, "presence", payload, join.ref))
    must(
        reply is not None and reply.payload.get("status") == "ok",
        trial,
        socket,
        sent="a track",
        came=f"the reply {reply}",
    )


def _shows(state: Frame | None, key: str) -> bool:
    metas = state.payload.get(key, {}).get("metas", []) if state is not None else []
    return bool(metas) and metas[0].get("mood") == "curious" and isinstance(metas[0].get("phx_ref"), str)


def _diff(side: str, key: str) -> Any:
    return lambda one: one.event == "presence_diff" and key in one.payload.get(side, {})
