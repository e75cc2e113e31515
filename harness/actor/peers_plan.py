"""What a run of pairs is asked for, and what of it makes no sense."""

from __future__ import annotations

from dataclasses import dataclass

from harness.actor.persona import Persona
from harness.errors import Trouble
from harness.network.mix import Mix, mix_of
from harness.network.nat import Turn

NETWORKS = {"loopback": 4, "vnet": 80, "netns": 40}
"""The networks that pairs can live on, each with how many pairs are under way at once where nobody says."""
DEFAULT_MIX = "design-doc"
HANDSHAKE = 14.0
"""Seconds that a peer behind a NAT tries to connect where nobody says. aiortc itself gives up after a minute.

Where UDP does not reach a server, aiortc gathers for five seconds, the offerer and then the answerer.
"""
HANDSHAKE_OVER_TCP = 20.0
"""The same where an arm reaches the relay without UDP: then such pairs connect, and take eleven seconds at least."""


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
        if self.handshake is not None:
            return self.handshake
        if self.network == "loopback":
            return Persona.handshake
        return HANDSHAKE_OVER_TCP if {Turn.TCP, Turn.TLS} & set(self.arms) else HANDSHAKE

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
