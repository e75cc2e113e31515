"""Thousands of pairs on the virtual network without any target, each judged by the theory of NATs.

Nobody searches, and signals go from hand to hand, so that the clock may be virtual: what is measured is whether peers
connect, and what an attempt costs the processor.
"""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from harness.errors import Trouble
from harness.network import theory
from harness.network.mix import Mix
from harness.network.nat import NatKind, Turn
from harness.network.vnet.clock import Pace
from harness.network.vnet.lab import VirtualLab
from harness.network.vnet.loop import run
from harness.peer.peer import connect_peer
from harness.peer.result import PairResult, pair_result
from harness.peer.stage import Role, Stage
from harness.peer.wire import wires

PATIENCE = 30.0
"""Virtual seconds that an attempt may take: two peers without UDP need 11, and none that connects more than that."""
AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class VirtualPair:
    """Two users to be tried."""

    mix: str
    one: NatKind
    other: NatKind
    turn: Turn

    @property
    def expected(self) -> bool:
        """Whether they connect in theory."""
        return theory.connects(self.one, self.other, self.turn)


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A pair that connected against the theory, or did not."""

    pair: VirtualPair
    stage: Stage


@dataclass
class Tally:
    """What became of all pairs so far, by mix and arm."""

    attempted: Counter[tuple[str, Turn]] = field(default_factory=Counter)
    connected: Counter[tuple[str, Turn]] = field(default_factory=Counter)
    expected: Counter[tuple[str, Turn]] = field(default_factory=Counter)
    stages: Counter[Stage] = field(default_factory=Counter)
    relayed: int = 0
    """Pairs whose path led over a relay."""
    contradictions: list[Contradiction] = field(default_factory=list)

    def note(self, pair: VirtualPair, result: PairResult) -> None:
        """Takes what became of a pair."""
        key, connected = (pair.mix, pair.turn), result.stage is Stage.CONNECTED
        self.attempted[key] += 1
        self.connected[key] += connected
        self.expected[key] += pair.expected
        self.stages[result.stage] += 1
        self.relayed += connected and result.relay_used
        if connected is not pair.expected:
            self.contradictions.append(Contradiction(pair, result.stage))


def drawn(mixes: Sequence[Mix], turns: Sequence[Turn], pairs: int, seed: int) -> Iterator[VirtualPair]:
    """Pairs of all mixes in turn, with the arms interleaved; the same seed draws the same ones."""
    each = -(-pairs // len(mixes))
    members = {mix.name: mix.draw(seed, each) for mix in mixes}
    for number in range(pairs):
        turn, name = number // len(mixes), mixes[number % len(mixes)].name
        yield VirtualPair(name, *members[name][turn], turns[turn % len(turns)])


def run_virtual_pairs(
    mixes: Sequence[Mix],
    turns: Sequence[Turn],
    *,
    pairs: int,
    seed: int,
    progress: Callable[[Tally], None] = lambda _: None,
) -> Tally:
    """Tries so many pairs on a virtual network of its own, on an event loop of its own.

    Args:
        mixes: the populations, in turn.
        turns: the arms, in turn.
        pairs: how many.
        seed: of what is drawn, and of the network.
        progress: is called after each pair.

    Raises:
        Trouble: there is nothing to try, or a NAT is not what it says.
    """
    if pairs < 1 or not mixes or not turns:
        raise Trouble("no pairs are no run", "ask for at least one pair, one mix and one arm")
    with _rarely_collected():
        return run(lambda _: _all(drawn(mixes, turns, pairs, seed), seed, progress), Pace.VIRTUAL)


@contextmanager
def _rarely_collected() -> Iterator[None]:
    """Cycles are looked for after more objects than usual, and not among those that were there before."""
    usual = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(10_000, 10, 5)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


async def _all(pairs: Iterator[VirtualPair], seed: int, progress: Callable[[Tally], None]) -> Tally:
    tally = Tally()

    async def one_after_another(lab: VirtualLab) -> None:
        for pair in pairs:
            tally.note(pair, await _tried(lab, pair))
            progress(tally)

    async with VirtualLab(seed) as lab:
        await lab.prove()
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(one_after_another(lab))
    return tally


async def _tried(lab: VirtualLab, pair: VirtualPair) -> PairResult:
    left, right = wires()
    with lab.place(pair.one, pair.turn) as here, lab.place(pair.other, pair.turn) as there:
        return pair_result(
            *await asyncio.gather(
                connect_peer(left, Role.OFFERER, here, PATIENCE), connect_peer(right, Role.ANSWERER, there, PATIENCE)
            )
        )
