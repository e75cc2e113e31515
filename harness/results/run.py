"""What a run says: the versioned models of run.json and of `--json`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from harness.results.ceiling import Ceiling
from harness.results.claims import ClaimRow
from harness.results.connections import Connections
from harness.results.costs import Costs
from harness.results.finding import Finding, Verdict
from harness.results.fingerprint import Fingerprint
from harness.results.generator import GeneratorHealth
from harness.results.joining import JoinRate
from harness.results.spread import Spread
from harness.target import Budgets, Capabilities

SCHEMA = "gurukul.run/2"

Status = Literal["pass", "fail", "warn", "not-verified", "not-applicable", "unknown", "error"]
ConformVerdict = Literal["conformant", "partial", "not-conformant", "unknown"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)


class Pairs(_Model):
    """What became of the WebRTC pairs: a pair is one session, connected when both its members connected."""

    attempted: int = 0
    connected: int = 0
    success_rate: float | None = None
    interval_95: tuple[float, float] | None = None
    """Wilson score interval of the success rate."""
    time_to_connect_ms: Spread = Spread()
    failures_by_stage: dict[str, int] = Field(default_factory=dict)
    """Failed pairs by the stage at which the first member failed; the stages are exclusive."""


class Timeline(_Model):
    """New matches over time, counted in steps from the first join on."""

    step: float = 1.0
    """Seconds of one step."""
    matches_per_s: tuple[float, ...] = ()
    waiting: tuple[int, ...] = ()
    """Users who had joined and had not yet seen a match, at the end of each step."""


class PersonaFigures(_Model):
    """What the users of one persona had to wait, where personas are mixed."""

    users: int = 0
    """Who joined."""
    join_to_match_ms: Spread = Spread()


class Quantile(_Model):
    """One point of a distribution: this share of the samples (in percent) took at most so many milliseconds."""

    percent: float
    at_most_ms: float


class Expectations(_Model):
    """What a target was expected to break, and whether it did."""

    findings: tuple[str, ...] = ()
    """Expected requirement ids; each entry is one id, or several joined by `|` of which one is enough."""
    met: bool = True
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()


class ThresholdResult(_Model):
    """What the figures say to one threshold that was required of them."""

    text: str
    """As it was written."""
    value: float | None = None
    """The figure; None where it was not measured, or has no bound."""
    held: bool
    sentence: str


class TargetFigures(_Model):
    """What was measured of one target. Void as a figure unless the verdict is `valid`."""

    name: str
    verdict: Verdict
    reason: str = ""
    ops: int = 0
    """Ops in its history: one that holds less was cut off."""
    joins: int = 0
    """Joins that took effect or may have."""
    contended_joins: int = 0
    matches: int = 0
    correct_matches: int = 0
    """Matches that no safety finding names."""
    correct_matches_per_s: float = 0.0
    violations: dict[str, int] = Field(default_factory=dict)
    violations_per_million_joins: dict[str, float] = Field(default_factory=dict)
    """The same, by what they come to in a million joins: comparable between runs of different length."""
    checked: dict[str, int] = Field(default_factory=dict)
    """How many cases of each requirement the history put to the test; those with none are left out."""
    encounters: dict[str, int] = Field(default_factory=dict)
    """How often the run met what its scenario is for: races, ghosts, storms, refusals (docs/swarms.md)."""
    unmatched_users: int = 0
    """Users who joined and whom nobody ever saw in a session."""
    join_ms: Spread = Spread()
    """From when a join was sent to its answer."""
    join_to_match_ms: Spread = Spread()
    """From when a join was due (or began) to the user's own first sight of his session: waits that ended so."""
    both_notified_ms: Spread = Spread()
    """By session: from when the later of its two joins was due (or began) until both members had seen it."""
    mean_wait_ms: float | None = None
    """The mean of the same waits, of users who came when they were due; None in a closed model."""
    ideal_wait_ms: float | None = None
    """The mean with a matcher that pairs whoever waits with the next who is due, at once: there is no shorter one."""
    ideal_excess_ms: float | None = None
    """By how much the mean wait is above it."""
    poll_ms: Spread = Spread()
    """From when a poll was sent to its answer."""
    heartbeat_ms: Spread = Spread()
    """From when a heartbeat was sent to its answer."""
    heartbeats_unanswered: int = 0
    """Heartbeats that had no answer, though their sockets stood for another second or more."""
    sockets_lost: int = 0
    """How often a socket broke without its user's doing."""
    censored_waits: int = 0
    """Waits that did not: they were under way when the run ended, or the user left. They are in no percentile."""
    join_to_match_quantiles: tuple[Quantile, ...] = ()
    personas: dict[str, PersonaFigures] = Field(default_factory=dict)
    """By persona, where personas are mixed: so it shows who pays for what the others do."""
    pairs: Pairs = Pairs()
    connections: Connections | None = None
    """The same pairs by arm, beside theory; None where nobody tried to connect."""
    offered_per_s: float | None = None
    achieved_per_s: float | None = None
    arrivals_dropped: int = 0
    generator: GeneratorHealth | None = None
    """How those did who made the load; None where nobody noted it."""
    joining: JoinRate | None = None
    """Joins as fast as they are answered; None where that was not measured."""
    costs: Costs | None = None
    """What a correct match cost; None where nobody counted."""
    ceiling: Ceiling | None = None
    """Where it was sought. Then all other figures are those of the last step that held, or of the lowest."""
    duration: float = 0.0
    """Seconds from the first join to the last new match."""
    timeline: Timeline = Timeline()
    first_witness: dict[str, Finding] = Field(default_factory=dict)
    """The first finding of each broken requirement."""
    expectations: Expectations | None = None
    thresholds: tuple[ThresholdResult, ...] = ()
    samples: dict[str, tuple[float, ...]] = Field(default_factory=dict)
    """Of each figure of times, by its name: at most 1,000 measurements, evenly chosen, in the order of their
    beginnings. Two runs are compared by them (docs/comparing.md)."""


class RequirementResult(_Model):
    """What the conformance suite says of one requirement."""

    id: str
    level: str
    status: Status
    evidence: str = "E0"
    seconds: float = 0.0
    detail: str = ""
    title: str = ""
    statement: str = ""
    """What is required, as one sentence."""
    clause: str = ""
    """Where that is promised."""
    quote: str = ""
    """The words of that place."""
    why: str = ""
    """What a breach does to a user."""
    chosen: bool = True
    """False where `-k` left its test out."""
    finding: Finding | None = None


class _Run(_Model):
    schema_: Literal["gurukul.run/2"] = Field("gurukul.run/2", alias="schema")
    fingerprint: Fingerprint
    reason: str = ""
    interrupted: bool = False
    """The run was cut short: what it holds is partial."""
    budgets: dict[str, Budgets] = Field(default_factory=dict)
    """The budgets that each part was judged by, by `<target>` or `<target>.<part>`, so that it can be judged again."""
    capabilities: Capabilities = Capabilities()
    """What the targets offer, without the address of a database: also for judging again."""
    offers: dict[str, Capabilities] = Field(default_factory=dict)
    """The same by target, where several were measured that do not offer the same."""
    require: tuple[str, ...] = ()
    """The thresholds that the figures had to hold."""
    fresh_users: bool = True
    """False where users came from a fixed list, and may have brought something from an earlier run."""


class ConformRun(_Run):
    """One run of the conformance suite."""

    kind: Literal["conform"] = "conform"
    target: str
    argument: str = ""
    """How the command line named the target, to test it again; empty where nobody gave a name."""
    verdict: ConformVerdict
    requirements: tuple[RequirementResult, ...] = ()


class ConformSetRun(_Run):
    """The conformance suite on several targets, side by side; the verdict is the worst of theirs."""

    kind: Literal["conform-set"] = "conform-set"
    verdict: ConformVerdict
    conformance: tuple[ConformRun, ...] = ()


class _MeasuredRun(_Run):
    verdict: Verdict
    targets: tuple[TargetFigures, ...] = ()


class BenchRun(_MeasuredRun):
    """The main job: both engines, conformance, swarm and peers, side by side."""

    kind: Literal["bench"] = "bench"
    conformance: tuple[ConformRun, ...] = ()


class SwarmRun(_MeasuredRun):
    """One swarm, against one target or against several, one after the other."""

    kind: Literal["swarm"] = "swarm"
    scenario: str = ""
    judges: tuple[str, ...] = ()
    """The requirements that the scenario says it can judge."""


class PeersRun(_MeasuredRun):
    """Pairs of peers through one target."""

    kind: Literal["peers"] = "peers"


class JudgeRun(_MeasuredRun):
    """A stored history, judged again."""

    kind: Literal["judge"] = "judge"


class ClaimsRun(_Run):
    """The design document's figures and promises, one by one; valid where every experiment could be made."""

    kind: Literal["claims"] = "claims"
    verdict: Verdict
    claims: tuple[ClaimRow, ...] = ()


Run = Annotated[
    BenchRun | ConformRun | ConformSetRun | SwarmRun | PeersRun | JudgeRun | ClaimsRun, Field(discriminator="kind")
]
RUN: TypeAdapter[Any] = TypeAdapter(Run)


def dump_run(run: _Run) -> str:
    """A run as the text of run.json: indented, keys as in the format's description."""
    return run.model_dump_json(indent=2, by_alias=True) + "\n"
