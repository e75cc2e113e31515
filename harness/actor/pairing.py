"""Pairs for `gurukul peers`: two users at a time search, are matched by the target, and make a real connection."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from harness.actor.journey import Journey
from harness.actor.peers_plan import PeersPlan
from harness.actor.persona import Persona
from harness.actor.population import Population
from harness.actor.quiet import QuietTime
from harness.actor.scene import Scene
from harness.actor.virtual_user import VirtualUser
from harness.client.dialect import NotAdmitted
from harness.client.participant import Transport, probe
from harness.errors import Trouble
from harness.history.op import Via
from harness.history.recorder import Recorder
from harness.network.loopback import Loopback
from harness.network.nat import NatKind
from harness.peer.stage import Stage
from harness.target import Target

log = logging.getLogger(__name__)

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
    plan: PeersPlan,
    population: Population | None = None,
    *,
    progress: Callable[[PairProgress], None] = lambda _: None,
) -> None:
    """Sends the users of a plan's pairs two by two through the target, each to make one real WebRTC connection.

    The two of a pair join at the same moment; with several pairs at once they may be matched across pairs. Each side's
    attempt is an op `connect`. Users who wait for `PATIENCE` seconds without a match leave; two by two they count as
    attempts that failed at the stage `match`, under ids of their own (`unmatched-<n>`), for a pair that was never made
    is a pair that did not connect.

    Args:
        target: the deployment.
        recorder: takes the ops.
        plan: how many pairs, how many at once, and how patient they are.
        population: where the users live, as `populated(plan)` has it; None for loopback.
        progress: is called after each pair.

    Raises:
        Trouble: the plan makes no sense, or the target is out of reach or lets nobody in.
    """
    handshake = plan.checked().patience
    persona = Persona(name="pair", talk=_TALK, peer_share=1.0, handshake=handshake, patience=PATIENCE)
    async with Transport(target) as transport:
        await probe(transport)
        scene = Scene(transport, recorder, persona, Loopback(), QuietTime(), population=population)
        with _told(population, recorder), _plainly():
            await _all_pairs(scene, _couples(plan, population), plan.at_once, progress)
        await scene.quiet.hold(recorder, target.budgets.match + target.budgets.tolerance)


@dataclass(frozen=True, slots=True)
class _Member:
    """Who comes: what he does is in the seed, and he lives behind that NAT (None: on loopback)."""

    seed: int
    nat: NatKind | None


_Couple = tuple[_Member, _Member]


@contextmanager
def _told(population: Population | None, recorder: Recorder) -> Iterator[None]:
    """The history tells what the NATs are drawn from, and, however the run ends, what the relay carried."""
    if population is None:
        yield
        return
    population.tell_mix(recorder)
    try:
        yield
    finally:
        population.tell_relay(recorder)


@contextmanager
def _plainly() -> Iterator[None]:
    """Trouble that befell one of many is raised as what it is, and not as a group."""
    try:
        yield
    except BaseExceptionGroup as group:
        found: BaseException | None = group.subgroup(Trouble)
        while isinstance(found, BaseExceptionGroup):
            found = found.exceptions[0]
        if found is None:
            raise
        raise found from None


async def _all_pairs(
    scene: Scene, couples: list[_Couple], concurrency: int, progress: Callable[[PairProgress], None]
) -> None:
    state = PairProgress(len(couples))
    free = asyncio.Semaphore(concurrency)

    async def one(couple: _Couple) -> None:
        async with free:
            journeys = await _pair(scene, couple)
        for journey in journeys:
            if journey is None or not journey.matched:
                _never_matched(scene.recorder, journey, state.unmatched)
                state.unmatched += 1
            state.connected += journey is not None and journey.stage is Stage.CONNECTED
        state.finished += 1
        progress(state)

    async with asyncio.TaskGroup() as group:
        for couple in couples:
            group.create_task(one(couple))


def _never_matched(recorder: Recorder, journey: Journey | None, before: int) -> None:
    """Records that a user had nobody to connect to, together with the one before or after him."""
    user = journey.user if journey is not None else ""
    call = recorder.begin(user, "d1", "connect", Via.RTC, id=f"unmatched-{before // 2}", role="")
    call.fail(stage=Stage.MATCH.value, detail="nobody to connect to")


async def _pair(scene: Scene, couple: _Couple) -> tuple[Journey | None, Journey | None]:
    """Brings two users in, then lets both join at once."""
    both_in = asyncio.Barrier(2)
    async with asyncio.TaskGroup() as group:
        first, second = (group.create_task(_half(scene, member, both_in)) for member in couple)
    return first.result(), second.result()


async def _half(scene: Scene, member: _Member, both_in: asyncio.Barrier) -> Journey | None:
    """One user of a pair; None when he could not enter (the other then plays without him)."""
    try:
        user = await VirtualUser.enter(scene, member.seed, member.nat)
    except NotAdmitted as refusal:
        log.warning("a user could not enter: %s", refusal)
        await both_in.wait()
        return None
    try:
        await both_in.wait()
        return await user.play(scene.recorder.now(), lambda: None)
    finally:
        await user.close()


def _couples(plan: PeersPlan, population: Population | None) -> list[_Couple]:
    """Who comes with whom, drawn by the plan's seed."""
    chance = random.Random(f"{plan.seed}/pairs")
    seeds = [(chance.getrandbits(63), chance.getrandbits(63)) for _ in range(plan.pairs)]
    nats: Sequence[tuple[NatKind | None, NatKind | None]] = [(None, None)] * plan.pairs
    if population is not None:
        nats = population.mix.draw(plan.seed, plan.pairs)
    return [
        (_Member(one, nat), _Member(other, others)) for (one, other), (nat, others) in zip(seeds, nats, strict=True)
    ]
