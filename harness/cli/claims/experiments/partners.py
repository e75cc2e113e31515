"""A partner who closes his tab in the middle of a call: whether the other's own connection tells him so, and when."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass

from harness.cli.claims.claim import Place
from harness.cli.claims.experiments.company import Calls, calls_of, company
from harness.client.participant import Participant
from harness.errors import Trouble
from harness.network.loopback import Loopback
from harness.peer.peer import Peer, PeerState
from harness.peer.presence import Rules, stay
from harness.peer.stage import Role

_CONNECTING = 30.0
_PATIENCE = 15.0
"""Seconds in which the one who is left must notice."""


@dataclass(frozen=True)
class PartnerFacts:
    """Calls in which one side closed its tab."""

    calls: int
    noticed_s: tuple[float, ...]
    """Seconds until the other side's connection was `disconnected`, or the session over, where it was noticed."""


async def partners(place: Place) -> PartnerFacts:
    """Real calls, one after the other, which end without a word."""
    trials = place.size(5, 2)
    async with place.deployed("partners") as deployed, company(deployed.target, 2 * trials) as people:
        calls = calls_of(deployed)
        seen = [await _call(calls, one, other) for one, other in zip(people[::2], people[1::2], strict=True)]
    return PartnerFacts(trials, tuple(round(seconds, 2) for seconds in seen if seconds is not None))


async def _call(calls: Calls, one: Participant, other: Participant) -> float | None:
    """Two users meet and connect; one closes his tab. After how many seconds the other knows; None where he does not.

    Raises:
        Trouble: they were not matched, or not connected.
    """
    await asyncio.gather(one.subscribe_matches(), other.subscribe_matches())
    session = await calls.meet(one, other)
    stays, leaves = (one, other) if session.offerer == one.user else (other, one)
    async with AsyncExitStack() as stack:
        ours, theirs = [
            await stack.enter_async_context(Peer(role, Loopback())) for role in (Role.OFFERER, Role.ANSWERER)
        ]
        channels = stays.signalling(session), leaves.signalling(session)
        await asyncio.gather(*(channel.open() for channel in channels))
        results = await asyncio.gather(ours.connect(channels[0], _CONNECTING), theirs.connect(channels[1], _CONNECTING))
        if not all(result.connected for result in results):
            raise Trouble(f"two peers on loopback were not connected: {[result.stage.value for result in results]}")
        lost, over = asyncio.Event(), asyncio.Event()
        ours.changed = lambda state: lost.set() if state is PeerState.DISCONNECTED else None
        staying = asyncio.create_task(stay(ours, channels[0], over, Rules(renegotiations=0)))
        waiting = asyncio.create_task(lost.wait())
        try:
            began = asyncio.get_running_loop().time()
            await asyncio.gather(leaves.vanish("close"), theirs.vanish())
            done, _ = await asyncio.wait({staying, waiting}, timeout=_PATIENCE, return_when=asyncio.FIRST_COMPLETED)
            return asyncio.get_running_loop().time() - began if done else None
        finally:
            over.set()
            waiting.cancel()
            await asyncio.gather(staying, waiting, return_exceptions=True)
