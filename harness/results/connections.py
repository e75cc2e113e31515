"""What became of the connections of a run: each arm beside the theory of its pairs, and where the two disagree."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from harness.results.spread import Spread

Kinds = tuple[str, str]
"""The kinds of NAT of a pair's members, in the order of their names: which of the two is whose is left out."""
Interval = tuple[float, float]
"""The 95 % Wilson score interval of a rate."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Level(_Model):
    """How a share or a score spreads over the members who measured it; None where nobody did."""

    count: int = 0
    median: float | None = None
    worst: float | None = None


class Quality(_Model):
    """How good the connections were, as their members measured them."""

    rtt_ms: Spread = Spread()
    jitter_ms: Spread = Spread()
    loss: Level = Level()
    """Shares from 0 to 1."""
    mos: Level = Level()
    """Estimated mean opinion score of audio, 1 to 4.5."""


class NatPair(_Model):
    """The pairs of two kinds of NAT."""

    kinds: Kinds
    attempted: int
    connected: int
    success_rate: float
    interval_95: Interval
    connects: bool | None = None
    """What theory says; None where it does not know a kind."""
    needs_relay: bool | None = None
    """Whether no direct path exists between them."""
    contradictions: int = 0


class PathType(_Model):
    """The connected pairs whose members have these types of candidate in use; `unknown` where neither side told."""

    types: tuple[str, str]
    """In the order of their names."""
    pairs: int
    share: float
    """Of the connected pairs."""
    interval_95: Interval


class Theory(_Model):
    """What is to be expected by the NATs alone."""

    pairs: int = 0
    """Pairs of which the kinds of both members are known."""
    connected: int = 0
    """Those of them that connected."""
    expected: int = 0
    """Those of them that should."""
    relay_needed: int = 0
    """Those of them that have no direct path, whatever the arm offers."""
    mix_rate: float | None = None
    """The share that connects of all pairs that are drawn from the run's mix."""
    mix_in_interval: bool | None = None
    """Whether the interval of the measured rate contains it."""


class Arm(_Model):
    """The pairs that had the same way to a relay."""

    turn: str
    """`none`, `udp`, `tcp` or `tls`."""
    attempted: int = 0
    connected: int = 0
    success_rate: float | None = None
    interval_95: Interval | None = None
    theory: Theory = Theory()
    contradictions: int = 0
    untried: int = 0
    """Pairs that ended before they tried the network, so that theory has no say: what the target owes them failed."""
    alone: int = 0
    """Pairs of which only one member told: they count as attempted, and nothing is known of their partner."""
    relay_used: int = 0
    """Connected pairs of which a member has a relay in use, whether or not one was needed."""
    relay_bytes: int | None = None
    """What the relays of this arm carried; None where nobody counted."""
    glare: int = 0
    """Pairs whose members offered at once."""
    renegotiated: int = 0
    """Pairs that made a further peer connection after a loss."""
    failures_by_stage: dict[str, int] = Field(default_factory=dict)
    """Failed pairs by the stage that explains both members'; the stages are exclusive."""
    nat_pairs: tuple[NatPair, ...] = ()
    path_types: tuple[PathType, ...] = ()
    steps_ms: dict[str, Spread] = Field(default_factory=dict)
    """From a member's match to each step of the handshake, over all members who reached it."""
    quality: Quality = Quality()


class Contradiction(_Model):
    """A pair that connected where theory says that it cannot, or the other way round."""

    session: str
    kinds: Kinds
    turn: str
    expected: bool
    """Whether theory says that it connects."""
    stage: str
    """Where the pair stands."""
    detail: str = ""
    """What its members said of that."""


class Connections(_Model):
    """All connections of one target."""

    network: str = ""
    """Where the peers lived; several joined by a comma."""
    mix: str = ""
    """The mix that the kinds of NAT were drawn from; empty where the history does not tell."""
    unmatched: int = 0
    """Pairs that the target never made. They belong to no arm."""
    relay_bytes: int | None = None
    """What all relays carried; None where nobody counted."""
    arms: tuple[Arm, ...] = ()
    contradictions: tuple[Contradiction, ...] = ()
