"""What a run of pairs is asked for, and what of it makes no sense."""

from __future__ import annotations

from dataclasses import dataclass

from harness.errors import Trouble
from harness.network.mix import Mix, mix_of
from harness.network.nat import Turn

NETWORKS = {"loopback": 4, "vnet": 100, "netns": 40}
"""The networks that pairs can live on, each with how many pairs are under way at once where nobody says."""
DEFAULT_MIX = "design-doc"
HANDSHAKE = {"loopback": 10.0, "vnet": 20.0, "netns": 20.0}
"""Seconds that a peer tries to connect where nobody says.

aiortc waits for a server that UDP does not reach for five seconds while it gathers, the offerer and then the answerer;
a browser gives checks up after some fifteen seconds, aiortc itself only after a minute.
"""


@dataclass(frozen=True)
class PeersPlan:
    """So many pairs on a network. `checked` before use."""

    pairs: int = 24
    network: str = "loopback"
    nat_mix: str = ""
    """A preset or a file (`mix_of`); empty for the design document's. Loopback has none."""
    turns: tuple[str, ...] = ()
    """The arms, in turn; empty for `none` alone. Loopback has none."""
    concurrency: int | None = None
    """How many pairs are under way at the same time; None for what suits the network."""
    handshake: float | None = None
    """Seconds that a peer tries to connect; None for what suits the network."""
    seed: int = 1

    def checked(self) -> PeersPlan:
        """This plan. Raises Trouble, with the remedy, where it makes no sense."""
        if self.network not in NETWORKS:
            raise Trouble(f"there is no network “{self.network}”", f"use {', '.join(NETWORKS)}")
        if self.pairs < 1 or self.at_once < 1:
            raise Trouble("no pairs are no run", "ask for at least one pair, and at least one at a time")
        if self.network == "loopback" and (self.nat_mix or self.turns):
            remedy = "choose --network vnet or netns, or leave --nat-mix and --turn out"
            raise Trouble("loopback has neither NATs nor a relay", remedy)
        _ = self.mix, self.arms
        return self

    @property
    def at_once(self) -> int:
        """How many pairs are under way at the same time."""
        return NETWORKS[self.network] if self.concurrency is None else self.concurrency

    @property
    def patience(self) -> float:
        """Seconds that a peer tries to connect."""
        return HANDSHAKE[self.network] if self.handshake is None else self.handshake

    @property
    def mix(self) -> Mix | None:
        """What the kinds of NAT are drawn from; None on loopback. Raises Trouble where there is no such mix."""
        return None if self.network == "loopback" else mix_of(self.nat_mix or DEFAULT_MIX)

    @property
    def arms(self) -> tuple[Turn, ...]:
        """The arms in turn. Raises Trouble where there is no such arm."""
        return tuple(map(_arm, self.turns or (Turn.NONE.value,)))


def _arm(name: str) -> Turn:
    try:
        return Turn(name)
    except ValueError:
        raise Trouble(f"there is no arm “{name}”", f"use --turn {', '.join(Turn)}") from None
