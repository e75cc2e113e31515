"""Where the users of a run live: each behind a NAT for life, each session in an arm, each peer at its own place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from itertools import cycle

from harness.actor.peers_plan import PeersPlan
from harness.history.op import Via
from harness.history.recorder import Recorder
from harness.network.lab import Lab, Place
from harness.network.mix import Mix
from harness.network.nat import NatKind, Turn


class Population:
    """Users behind NATs that are drawn from a mix, and the arms that their sessions take in turn.

    Args:
        lab: the network, entered.
        mix: what the kinds of NAT are drawn from.
        turns: the arms. Whoever sees a session first puts it into the next one, so that both members are in the same.
    """

    def __init__(self, lab: Lab, mix: Mix, turns: Sequence[Turn]) -> None:
        self.lab = lab
        self.mix = mix
        self._turns = tuple(turns)
        self._rotation = cycle(self._turns)
        self._arms: dict[str, Turn] = {}

    def arm(self, session_id: str) -> Turn:
        """The arm of a session, the same each time."""
        if session_id not in self._arms:
            self._arms[session_id] = next(self._rotation)
        return self._arms[session_id]

    def place(self, kind: NatKind, session_id: str) -> Place:
        """A fresh place for one member of a session; close it after the member's sockets. Raises Trouble."""
        return self.lab.place(kind, self.arm(session_id))

    def tell_mix(self, recorder: Recorder) -> None:
        """Records what the kinds of NAT are drawn from, as the op `mix`."""
        shares = {kind.name: share for kind, share in self.mix.shares.items()}
        recorder.begin("", "", "mix", Via.SELF, name=self.mix.name, shares=shares).ok()

    def tell_relay(self, recorder: Recorder) -> None:
        """Records what the relay has carried, as the op `relay`; its arm is named where there was one alone."""
        if (carried := self.lab.relayed_bytes) is not None:
            turn = self._turns[0].value if len(self._turns) == 1 else ""
            recorder.begin("", "", "relay", Via.SELF, turn=turn, bytes=carried).ok()


@asynccontextmanager
async def populated(plan: PeersPlan) -> AsyncIterator[Population | None]:
    """The population of a plan, on a network whose NATs have proven what they are; None on loopback.

    The network `vnet` needs a `VirtualLoop` in real time.

    Raises:
        Trouble: the plan makes no sense, the machine has no such network, or a NAT is not what it says.
    """
    mix = plan.mix
    if mix is None:
        yield None
        return
    async with _lab(plan) as lab:
        await _proven(lab)
        yield Population(lab, mix, plan.arms)


async def _proven(lab: Lab) -> None:
    """Nothing real is under way yet, so that virtual NATs need no real time to be asked."""
    from harness.network.vnet.loop import VirtualLoop

    loop = asyncio.get_running_loop()
    with loop.clock.virtual_time() if isinstance(loop, VirtualLoop) else nullcontext():
        await lab.prove()


def _lab(plan: PeersPlan) -> Lab:
    if plan.network == "vnet":
        from harness.network.vnet.lab import VirtualLab

        return VirtualLab(plan.seed)
    from harness.network.netns.lab import KernelLab

    return KernelLab()
