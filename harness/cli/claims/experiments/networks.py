"""Who needs a relay: pairs of peers behind NATs of published populations, with and without TURN."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from harness.actor.virtual_pairs import Tally, run_virtual_pairs
from harness.cli.claims.claim import Place
from harness.network.mix import presets
from harness.network.nat import Turn

FITTED = "design-doc"
"""The mix whose shares were fitted to the document's figure: it can confirm nothing."""
_ARMS = (Turn.UDP, Turn.TCP, Turn.TLS)


@dataclass(frozen=True)
class NetworkFacts:
    """Pairs by mix, and by arm where the engine offers a relay: attempted and connected."""

    relay: bool
    by_mix: dict[str, tuple[int, int]]
    by_arm: dict[str, tuple[int, int]]
    contradictions: int
    """Pairs that came out against the theory of NATs: an error of ours."""


async def networks(place: Place) -> NetworkFacts:
    """The documented client has STUN alone; the hardened one asks for a relay, which it reaches in three ways."""
    mixes = list(presets().values())
    relay = place.engine != "documented"
    turns = _ARMS if relay else (Turn.NONE,)
    pairs = place.size(600, 120)
    tally = await asyncio.to_thread(lambda: run_virtual_pairs(mixes, turns, pairs=pairs, seed=place.seed))
    return facts_of(tally, relay)


def facts_of(tally: Tally, relay: bool) -> NetworkFacts:
    """The counts by mix (all arms together), and by arm (all mixes together)."""
    by_mix: dict[str, tuple[int, int]] = {}
    by_arm: dict[str, tuple[int, int]] = {}
    for (mix, turn), attempted in tally.attempted.items():
        connected = tally.connected[mix, turn]
        for table, key in ((by_mix, mix), (by_arm, turn.value)):
            before = table.get(key, (0, 0))
            table[key] = (before[0] + attempted, before[1] + connected)
    return NetworkFacts(relay, by_mix, by_arm, len(tally.contradictions))
