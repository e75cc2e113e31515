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
from harness.history.recorder import Recorder
from harness.network.loopback import Loopback
from harness.peer.ports import Network
from harness.target import Target

log = logging.getLogger(__name__)

NETWORKS: dict[str, Callable[[], Network]] = {"loopback": Loopback}
"""The networks that pairs can live on."""
PATIENCE = 8.0
"""How long one of a pair waits for a match, in seconds; who waits longer has been lost."""
_TALK = (1.0, 2.0)
_DRAIN = 1.5


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
    attempt is an op `connect`; users who wait for `PATIENCE` seconds without a match leave.

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
        await scene.quiet.hold(recorder, _DRAIN)


async def _all_pairs(
    scene: Scene, seeds: list[tuple[int, int]], concurrency: int, progress: Callable[[PairProgress], None]
) -> None:
    state = PairProgress(len(seeds))
    free = asyncio.Semaphore(concurrency)

    async def one(pair: tuple[int, int]) -> None:
        async with free:
            journeys = await _pair(scene, pair)
        state.finished += 1
        state.connected += sum(journey is not None and journey.stage.value == "connected" for journey in journeys)
        state.unmatched += sum(journey is None or not journey.matched for journey in journeys)
        progress(state)

    async with asyncio.TaskGroup() as group:
        for pair in seeds:
            group.create_task(one(pair))


async def _pair(scene: Scene, seeds: tuple[int, int]) -> tuple[Journey | None, Journey | None]:
    """Brings two users in, then lets both join at once."""
    both_in = asyncio.Barrier(2)
    first, second = await asyncio.gather(*(_half(scene, seed, both_in) for seed in seeds))
    return first, second


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
