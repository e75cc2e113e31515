"""What became of one attempt to connect, as one side saw it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from harness.peer.quality import Quality
from harness.peer.stage import Role, Stage, stage_of_pair


@dataclass(frozen=True)
class PeerResult:
    """One side's view. `times` are seconds since the match, for the steps of `spans.Step` that were reached."""

    role: Role
    """The role in the end: after glare, one who offered may have answered."""
    stage: Stage
    detail: str = ""
    path: str = ""
    """Types of the candidate pair in use, local then remote (`host/host`); empty when none was."""
    relay_protocol: str = ""
    """How this side reached its own relay (`udp`, `tcp`, `tls`); empty where it used none."""
    times: dict[str, float] = field(default_factory=dict)
    attempt: int = 1
    """1, and 1 more for each new peer connection after a loss: aiortc has no ICE restart, so this is renegotiation."""
    glare: bool = False
    """Whether both sides offered at once."""
    quality: Quality = field(default_factory=Quality)
    disorder: dict[str, int] = field(default_factory=dict)
    """How many numbered signals of the other side are `missing`, `repeated` and `late`, harmful or not."""

    @property
    def connected(self) -> bool:
        """Whether everything that was asked for went both ways."""
        return self.stage is Stage.CONNECTED

    @property
    def relay_used(self) -> bool:
        """Whether a relay of either side is in use, as far as this side can see (not whether one was needed)."""
        return "relay" in self.path.split("/")

    def value(self) -> dict[str, Any]:
        """What a history keeps of it; what is empty is left out, but for the four that always were there."""
        kept = {"stage": self.stage.value, "detail": self.detail, "path": self.path, "times": self.times}
        more = {
            "relay_protocol": self.relay_protocol or None,
            "attempt": self.attempt if self.attempt > 1 else None,
            "glare": self.glare or None, "disorder": self.disorder or None,
            "rtt": self.quality.rtt, "jitter": self.quality.jitter, "loss": self.quality.loss, "mos": self.quality.mos,
        }  # fmt: skip
        return kept | {name: one for name, one in more.items() if one is not None}


@dataclass(frozen=True, slots=True)
class PairResult:
    """Both sides of a pair."""

    stage: Stage
    types: tuple[str, str]
    """The candidate type of each side, in their order. Both may be relays: each side nominates a pair of its own."""
    relay_used: bool


def pair_result(one: PeerResult, other: PeerResult) -> PairResult:
    """What both views together say; pure.

    A side's own type is `host` or `relay` in its own view; where it is no relay, the partner knows whether it appears
    as `host`, `srflx` or `prflx`.
    """
    types = (_type(one, other), _type(other, one))
    return PairResult(stage_of_pair(one.stage, other.stage), types, "relay" in types)


def _type(side: PeerResult, partner: PeerResult) -> str:
    own, seen = side.path.partition("/")[0], partner.path.partition("/")[2]
    return own if own == "relay" or not seen else seen
