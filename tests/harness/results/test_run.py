"""run.json holds what the format promises, and reads back as it was written."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from harness.results.finding import CheckResult, Finding, Verdict
from harness.results.fingerprint import Fingerprint
from harness.results.run import (
    RUN,
    BenchRun,
    ConformRun,
    ConformSetRun,
    Expectations,
    JudgeRun,
    Pairs,
    PeersRun,
    Quantile,
    RequirementResult,
    SwarmRun,
    TargetFigures,
    Timeline,
    dump_run,
)
from harness.results.spread import Spread
from harness.target import Budgets

PRINT = Fingerprint(created="2026-01-01T00:00:00+00:00", seed=3)
FINDING = Finding(requirement="MM-S1", sentence="two at once", users=("a",), witness=({"n": 1},))
FIGURES = TargetFigures(
    name="documented",
    verdict=Verdict.INVALID,
    violations={"MM-S1": 2},
    join_to_match_ms=Spread(count=1, p50=1.0, p95=1.0, p99=1.0, max=1.0),
    join_to_match_quantiles=(Quantile(percent=50, at_most_ms=1.0),),
    pairs=Pairs(attempted=2, connected=1, success_rate=0.5, interval_95=(0.1, 0.9), failures_by_stage={"dtls": 1}),
    timeline=Timeline(step=1.0, matches_per_s=(1.0, 2.0), waiting=(1, 0)),
    first_witness={"MM-S1": FINDING},
    expectations=Expectations(findings=("MM-S1",), met=True),
)
CONFORM = ConformRun(
    fingerprint=PRINT,
    target="documented",
    verdict="not-conformant",
    requirements=(RequirementResult(id="MM-S1", level="MUST", status="fail", detail="two at once", finding=FINDING),),
)
RUNS = {
    "bench": BenchRun(
        fingerprint=PRINT, verdict=Verdict.VALID, targets=(FIGURES,), conformance=(CONFORM,),
        budgets={"documented.swarm": Budgets(match=2)},
    ),
    "conform": CONFORM,
    "conform-set": ConformSetRun(fingerprint=PRINT, verdict="not-conformant", conformance=(CONFORM,)),
    "swarm": SwarmRun(fingerprint=PRINT, verdict=Verdict.UNKNOWN, scenario="burst", interrupted=True),
    "peers": PeersRun(fingerprint=PRINT, verdict=Verdict.VALID),
    "judge": JudgeRun(fingerprint=PRINT, verdict=Verdict.VALID),
}  # fmt: skip


@pytest.mark.parametrize("kind", RUNS)
def test_a_run_survives_its_file(kind: str) -> None:
    """Each kind of run reads back as it was, with its kind and the version of the format."""
    text = dump_run(RUNS[kind])
    data = json.loads(text)
    assert data["schema"] == "gurukul.run/2"
    assert data["kind"] == kind
    assert RUN.validate_json(text) == RUNS[kind]


def test_a_bench_has_the_promised_keys() -> None:
    """The keys that programs rely on are there, by name."""
    data = json.loads(dump_run(RUNS["bench"]))
    assert {"schema", "fingerprint", "targets"} <= data.keys()
    target = data["targets"][0]
    assert {
        "name", "verdict", "joins", "matches", "correct_matches_per_s", "violations", "unmatched_users",
        "join_to_match_ms", "pairs",
    } <= target.keys()  # fmt: skip
    assert {"p50", "p95", "p99", "max"} <= target["join_to_match_ms"].keys()
    assert {
        "attempted", "connected", "success_rate", "interval_95", "time_to_connect_ms", "failures_by_stage",
    } <= target["pairs"].keys()  # fmt: skip
    assert {"p50", "p95", "p99"} <= target["pairs"]["time_to_connect_ms"].keys()
    assert target["violations"] == {"MM-S1": 2}


def test_a_conformance_run_has_the_promised_keys() -> None:
    """Target, verdict and, for each requirement, what the format promises."""
    data = json.loads(dump_run(CONFORM))
    assert {"target", "verdict", "requirements"} <= data.keys()
    assert {"id", "level", "status", "evidence", "seconds", "detail"} <= data["requirements"][0].keys()


@pytest.mark.parametrize(
    ("field", "value"), [("status", "skipped"), ("status", ""), ("level", None), ("another", 1)]
)  # fmt: skip
def test_a_status_is_one_of_the_words(field: str, value: object) -> None:
    """Another status, or a key that the format does not know, is refused."""
    data = {"id": "MM-S1", "level": "MUST", "status": "pass", field: value}
    with pytest.raises(ValidationError):
        RequirementResult.model_validate(data)


def test_the_verdict_of_a_check() -> None:
    """A finding makes it invalid; nothing checked makes it unknown, never valid."""
    assert CheckResult(requirement="MM-S1", checked=0).verdict is Verdict.UNKNOWN
    assert CheckResult(requirement="MM-S1", checked=1).verdict is Verdict.VALID
    assert CheckResult(requirement="MM-S1", checked=0, findings=(FINDING,)).verdict is Verdict.INVALID
