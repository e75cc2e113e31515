"""Runs to report on: a bench as it comes out, and the small kinds."""

from __future__ import annotations

from typing import Any

import pytest

from harness.lab.chromium import program
from harness.results.finding import Finding, Verdict
from harness.results.fingerprint import Fingerprint
from harness.results.run import (
    BenchRun,
    ConformRun,
    Expectations,
    Pairs,
    Quantile,
    RequirementResult,
    TargetFigures,
    Timeline,
)
from harness.results.spread import Spread

collect_ignore = [] if program() else ["test_browser.py"]  # tests/chromium says that it is not verified

ANN, BEN, CY = (f"{letter * 8}-0000-4000-8000-000000000000" for letter in "abc")
FIRST, SECOND = (f"{digit * 8}-0000-4000-8000-000000000000" for digit in "12")
FINGERPRINT = Fingerprint(
    created="2025-01-02T03:04:05+00:00", commit="0123456789ab", cpu="A processor", cpus=2, memory_bytes=8 << 30,
    kernel="Linux 6.1", versions={"python": "3.11.2"}, settings={"time": "scaled"},
)  # fmt: skip


def op(n: int, t0: float, user: str, kind: str, **value: Any) -> dict[str, Any]:
    """One op of a witness."""
    return {
        "n": n, "t0": t0, "t1": t0 + 0.01, "process": "documented.swarm.0", "user": user, "device": "d1",
        "op": kind, "outcome": "ok", "via": "poll", "value": value, "seed": 0, "due": None,
    }  # fmt: skip


def session(id_: str, user1: str, user2: str) -> dict[str, str]:
    """A session as it stands in a witness."""
    return {"id": id_, "user1": user1, "user2": user2, "status": "active"}


DOUBLE = Finding(
    requirement="MM-S1",
    sentence=f"user {ANN} was in two sessions at once: {FIRST} with {BEN} and {SECOND} with {CY}",
    users=(ANN, BEN, CY),
    sessions=(FIRST, SECOND),
    at=10.2,
    witness=(
        op(1, 10.0, ANN, "join", mode="global"),
        op(2, 10.1, BEN, "poll", session=session(FIRST, BEN, ANN)),
        op(3, 10.2, CY, "poll", session=session(SECOND, CY, ANN)),
    ),
)


def conform(target: str, status: str, verdict: str) -> ConformRun:
    """A conformance run with one requirement of each outcome."""
    rows = [
        ("MM-S1", status, DOUBLE if status == "fail" else None),
        ("MM-S2", "pass", None),
        ("MM-L1", "unknown", None),
    ]
    return ConformRun(
        fingerprint=FINGERPRINT, target=target, verdict=verdict,  # type: ignore[arg-type]
        requirements=tuple(
            RequirementResult(id=id_, level="MUST", status=state, title=f"title of {id_}", finding=finding)  # type: ignore[arg-type]
            for id_, state, finding in rows
        ),
    )  # fmt: skip


def quantiles(*values: float) -> tuple[Quantile, ...]:
    """A distribution by its fastest, its median, its 90th percentile and its slowest sample, in milliseconds."""
    return tuple(Quantile(percent=p, at_most_ms=v) for p, v in zip((0, 50, 90, 100), values, strict=True))


@pytest.fixture
def bench() -> BenchRun:
    """A bench in which the first engine breaks what it is expected to break, and the second does not."""
    documented = TargetFigures(
        name="documented", verdict=Verdict.INVALID, reason="broken: MM-S1 × 9", joins=320, contended_joins=318,
        matches=190, correct_matches=120, correct_matches_per_s=14.2, violations={"MM-S1": 9, "MM-L2": 2},
        unmatched_users=7, join_to_match_ms=Spread(count=300, p50=61.2, p95=2950.0, p99=3010.0, max=3100.5),
        join_to_match_quantiles=quantiles(8, 61, 2400, 3100),
        pairs=Pairs(attempted=24, connected=21, success_rate=0.875, interval_95=(0.69, 0.96),
                    failures_by_stage={"signalling": 3}),
        timeline=Timeline(step=0.1, matches_per_s=(160.0, 20.0, *[0.0] * 8) * 6, waiting=(9, 7, *[4] * 8) * 6),
        first_witness={"MM-S1": DOUBLE},
        expectations=Expectations(findings=("MM-S1", "MM-L2|MM-L3"), met=True),
    )  # fmt: skip
    hardened = TargetFigures(
        name="hardened", verdict=Verdict.VALID, reason="320 joins, 160 matches, nothing broken", joins=320,
        matches=160, correct_matches=160, correct_matches_per_s=24.5,
        join_to_match_ms=Spread(count=320, p50=12.0, p95=31.0, p99=44.0, max=51.0),
        join_to_match_quantiles=quantiles(4, 12, 28, 51),
        pairs=Pairs(attempted=24, connected=24, success_rate=1.0, interval_95=(0.86, 1.0),
                    time_to_connect_ms=Spread(count=24, p50=210.0, p95=330.0, p99=380.0, max=390.0)),
        timeline=Timeline(step=0.1, matches_per_s=(160.0, *[0.0] * 9) * 5, waiting=(2, *[0] * 9) * 5),
    )  # fmt: skip
    return BenchRun(
        fingerprint=FINGERPRINT, verdict=Verdict.VALID, reason="hardened is valid, documented fails as expected",
        targets=(documented, hardened),
        conformance=(conform("documented", "fail", "not-conformant"), conform("hardened", "pass", "unknown")),
    )  # fmt: skip
