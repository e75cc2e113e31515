"""Pairs for `gurukul peers`: two users at a time search, are matched by the target, and make a real connection."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass

from harness.actor.journey import Journey
from harness.actor.persona import Persona
from harness.actor.quiet import QuietTime
from harness.actor.scene import Scene
from harness.actor.virtual_user import VirtualUser
from harness.client.dialect import NotAdmitted
from harness.client.participant import Transport, probe
from harness.errors import Trouble
from harness.history.op import Via
from harness.history.recorder import Recorder
from harness.network.loopback import Loopback
from harness.peer.ports import Network
from harness.peer.stage import Stage
from harness.target import Target

log = logging.getLogger(__name__)

NETWORKS: dict[str, Callable[[], Network]] = {"loopback": Loopback}
"""The networks that pairs can live on."""
PATIENCE = 8.0
"""How long one of a pair waits for a match, in seconds; who waits longer has been lost."""
_TALK = (1.0, 2.0)


@dataclass
class PairProgress:
    """How many pairs of users have been sent, and what became of them; a pair counts when both of it are through."""

    pairs: int
    finished: int = 0
    connected: int = 0
    """Users whose connection carried data both ways."""
    unmatched: int = 0
    """Users who were not matched, or could not enter."""


async def run_pairs(
    target: Target,
    recorder: Recorder,
    *,
    pairs: int,
    seed: int,
    network: str = "loopback",
    concurrency: int = 4,
    progress: Callable[[PairProgress], None] = lambda _: None,
) -> None:
    """Sends `2 · pairs` users two by two through the target, each to make one real WebRTC connection.

    The two of a pair join at the same moment; with `concurrency` above 1 they may be matched across pairs. Each side's
    attempt is an op `connect`. Users who wait for `PATIENCE` seconds without a match leave; two by two they count as
    attempts that failed at the stage `match`, under ids of their own (`unmatched-<n>`), for a pair that was never made
    is a pair that did not connect.

    Args:
        target: the deployment.
        recorder: takes the ops.
        pairs: how many.
        seed: of the talk times.
        network: a name of `NETWORKS`.
        concurrency: how many pairs are under way at the same time.
        progress: is called after each pair.

    Raises:
        Trouble: no such network, a number out of range, or the target is out of reach or lets nobody in.
    """
    if network not in NETWORKS:
        raise Trouble(f"there is no network “{network}”", f"use {', '.join(NETWORKS)}")
    if pairs < 1 or concurrency < 1:
        raise Trouble("no pairs are no run", "ask for at least one pair, and at least one at a time")
    persona = Persona(name="pair", talk=_TALK, peer_share=1.0, patience=PATIENCE)
    async with Transport(target) as transport:
        await probe(transport)
        scene = Scene(transport, recorder, persona, NETWORKS[network](), QuietTime())
        await _all_pairs(scene, _seeds(seed, pairs), concurrency, progress)
        await scene.quiet.hold(recorder, target.budgets.match + target.budgets.tolerance)


async def _all_pairs(
    scene: Scene, seeds: list[tuple[int, int]], concurrency: int, progress: Callable[[PairProgress], None]
) -> None:
    state = PairProgress(len(seeds))
    free = asyncio.Semaphore(concurrency)

    async def one(pair: tuple[int, int]) -> None:
        async with free:
            journeys = await _pair(scene, pair)
        for journey in journeys:
            if journey is None or not journey.matched:
                _never_matched(scene.recorder, journey, state.unmatched)
                state.unmatched += 1
            state.connected += journey is not None and journey.stage is Stage.CONNECTED
        state.finished += 1
        progress(state)

    async with asyncio.TaskGroup() as group:
        for pair in seeds:
            group.create_task(one(pair))


def _never_matched(recorder: Recorder, journey: Journey | None, before: int) -> None:
    """Records that a user had nobody to connect to, together with the one before or after him."""
    user = journey.user if journey is not None else ""
    call = recorder.begin(user, "d1", "connect", Via.RTC, id=f"unmatched-{before // 2}", role="")
    call.fail(stage=Stage.MATCH.value, detail="nobody to connect to")


async def _pair(scene: Scene, seeds: tuple[int, int]) -> tuple[Journey | None, Journey | None]:
    """Brings two users in, then lets both join at once."""
    both_in = asyncio.Barrier(2)
    async with asyncio.TaskGroup() as group:
        first, second = (group.create_task(_half(scene, seed, both_in)) for seed in seeds)
    return first.result(), second.result()


async def _half(scene: Scene, seed: int, both_in: asyncio.Barrier) -> Journey | None:
    """One user of a pair; None when he could not enter (the other then plays without him)."""
    try:
        user = await VirtualUser.enter(scene, seed)
    except NotAdmitted as refusal:
        log.warning("a user could not enter: %s", refusal)
        await both_in.wait()
        return None
    try:
        await both_in.wait()
        return await user.play(scene.recorder.now(), lambda: None)
    finally:
        await user.close()


def _seeds(seed: int, pairs: int) -> list[tuple[int, int]]:
    chance = random.Random(f"{seed}/pairs")
    return [(chance.getrandbits(63), chance.getrandbits(63)) for _ in range(pairs)]
