"""Two runs beside each other: what is better, what is worse, and what must not be compared at all."""

from __future__ import annotations

import random
from typing import Any

import pytest

from harness.errors import Trouble
from harness.results.ceiling import Ceiling
from harness.results.comparable import FIELDS, cautions, comparable
from harness.results.compare import Compared, Comparison, compare
from harness.results.costs import Costs
from harness.results.finding import Verdict
from harness.results.fingerprint import Fingerprint
from harness.results.run import (
    ClaimsRun,
    ConformRun,
    Pairs,
    RequirementResult,
    SwarmRun,
    TargetFigures,
    Timeline,
)
from harness.target import Budgets

PRINT = Fingerprint(
    created="2026-01-01T00:00:00+00:00", commit="abc", versions={"python": "3.11.4", "starlette": "1.0"}, cpu="fast",
    cpus=2, memory_bytes=8_000_000_000, kernel="Linux 6.8.0-40-generic", seed=1, settings={"users": 200, "rate": 20.0},
)  # fmt: skip


def times(seed: int, added: float = 0.0, count: int = 200) -> tuple[float, ...]:
    random_ = random.Random(seed)
    return tuple(5 + added + random_.expovariate(1.0) for _ in range(count))


def swarm(seed: int = 1, added: float = 0.0, *, count: int = 200, **more: Any) -> SwarmRun:
    """A run of 200 users; `more` is of the target, save fingerprint, budgets and scenario."""
    run = {key: more.pop(key) for key in ("fingerprint", "budgets", "scenario", "interrupted") if key in more}
    figures = {
        "name": "hardened", "verdict": Verdict.VALID, "joins": 200, "matches": 100, "correct_matches": 100,
        "correct_matches_per_s": 10.0, "samples": {"join_ms": times(seed, added, count)},
        "timeline": Timeline(step=0.1, matches_per_s=(10.0, 0.0, 20.0, 10.0) * 25),
        "pairs": Pairs(attempted=100, connected=95, success_rate=0.95),
    }  # fmt: skip
    target = TargetFigures(**{**figures, **more})
    return SwarmRun(**{"fingerprint": PRINT, "verdict": target.verdict, "targets": (target,), "scenario": "x", **run})


def row(comparison: Comparison, figure: str) -> Compared:
    return next(one for one in comparison.figures if one.figure == figure)


def test_a_run_beside_itself() -> None:
    """No difference, in any figure."""
    comparison = compare(swarm(), swarm())
    assert comparison.verdict == "no difference"
    assert {one.verdict for one in comparison.figures} == {"no difference"}
    assert {one.figure for one in comparison.figures} == {
        "verdict", "join_ms.p5", "join_ms.p50", "correct_matches_per_s", "unmatched_users of joins",
        "pairs.success_rate",
    }  # fmt: skip


def test_hundreds_of_runs_of_one_server() -> None:
    """Of 300 pairs that differ by chance alone, at least 19 in 20 are told to be alike."""
    alike = [compare(swarm(n), swarm(1000 + n)).verdict for n in range(300)]
    assert alike.count("no difference") >= 285


def test_hundreds_of_runs_of_a_slower_server() -> None:
    """5 ms more for each join are worse, every time; 5 ms less are better."""
    assert {compare(swarm(n), swarm(1000 + n, 5.0)).verdict for n in range(150)} == {"worse"}
    assert {compare(swarm(n, 5.0), swarm(1000 + n)).verdict for n in range(150)} == {"better"}


def test_a_difference_comes_with_its_interval() -> None:
    """Both values, the difference, the interval around it, the test by its name, and the margin."""
    found = row(compare(swarm(1), swarm(2, 5.0)), "join_ms.p50")
    assert found.interval_99 is not None
    assert found.difference is not None
    assert found.interval_99[0] < found.difference < found.interval_99[1]
    assert found.difference == pytest.approx(5, abs=0.5)
    assert found.test == "signed-rank interval of paired slices"
    assert found.detail.startswith("beyond ±2")


def test_a_small_difference_is_within_the_tolerance() -> None:
    """A share of the base, and never less than two milliseconds."""
    assert compare(swarm(1), swarm(2, 1.7)).verdict == "no difference"
    assert compare(swarm(1), swarm(2, 1.7), tolerance=0.0).verdict == "no difference"
    assert compare(swarm(1), swarm(2, 3.0)).verdict == "worse"
    assert compare(swarm(1), swarm(2, 3.0), tolerance=0.75).verdict == "no difference"


def test_long_runs_have_a_tail() -> None:
    """From 400 samples on the 95th percentile is compared too."""
    base = swarm(1, count=800)
    slow = tuple(value + (20 if n % 10 == 0 else 0) for n, value in enumerate(times(2, count=800)))
    comparison = compare(base, swarm(samples={"join_ms": slow}))
    assert row(comparison, "join_ms.p50").verdict == "no difference"
    assert row(comparison, "join_ms.p95").verdict == "worse"


@pytest.mark.parametrize(
    ("more", "figure"),
    [
        ({"unmatched_users": 30}, "unmatched_users of joins"),
        ({"pairs": Pairs(attempted=100, connected=60, success_rate=0.6)}, "pairs.success_rate"),
        (
            {"correct_matches_per_s": 5.0, "timeline": Timeline(step=0.1, matches_per_s=(5.0, 0.0, 10.0, 5.0) * 25)},
            "correct_matches_per_s",
        ),
        ({"verdict": Verdict.INVALID, "violations": {"MM-S1": 1}}, "verdict"),
    ],
)
def test_what_else_can_be_worse(more: dict[str, Any], figure: str) -> None:
    """Shares, rates and the verdict: worse one way, better the other way."""
    worse, better = compare(swarm(), swarm(**more)), compare(swarm(**more), swarm())
    assert (worse.verdict, row(worse, figure).verdict) == ("worse", "worse")
    assert (better.verdict, row(better, figure).verdict) == ("better", "better")
    assert figure in worse.reason


@pytest.mark.parametrize(("statements", "verdict"), [(10.0, "no difference"), (10.8, "no difference"), (11.5, "worse")])
def test_counters_are_compared_exactly(statements: float, verdict: str) -> None:
    """But for the tolerance that each has; one that a run lacks is not compared."""
    base = swarm(costs=Costs(correct_matches=100, statements=10.0, wal_bytes=3000.0))
    new = swarm(costs=Costs(correct_matches=100, statements=statements, frames=8.0))
    comparison = compare(base, new)
    assert row(comparison, "costs.statements").verdict == verdict
    assert row(comparison, "costs.statements").interval_99 is None
    assert {one.figure for one in comparison.figures if one.figure.startswith("costs")} == {"costs.statements"}
    back = row(compare(new, base), "costs.statements").verdict
    assert back == {"worse": "better"}.get(verdict, verdict)


@pytest.mark.parametrize(("new", "verdict"), [(110.0, "no difference"), (116.0, "better"), (80.0, "worse")])
def test_ceilings_are_compared(new: float, verdict: str) -> None:
    """Matches at the last step that held: a rung of the grid is no difference."""
    base, other = (swarm(ceiling=Ceiling(users_per_s=2 * rate, correct_matches_per_s=rate)) for rate in (100.0, new))
    assert row(compare(base, other), "ceiling.correct_matches_per_s").verdict == verdict


def test_figures_of_an_invalid_target_are_void() -> None:
    """Its times are not compared; how often it breaks what it breaks is, as a share."""
    broken = {"verdict": Verdict.INVALID}
    few, same, many = (swarm(**broken, violations={"MM-S1": count}) for count in (2, 4, 60))
    assert compare(few, same).verdict == "no difference"
    assert compare(few, many).verdict == "worse"
    assert [one.figure for one in compare(few, same).figures] == ["verdict", "violations.MM-S1 of joins"]


def test_an_unknown_target_says_nothing() -> None:
    """Nor does a run with too few samples."""
    assert compare(swarm(), swarm(verdict=Verdict.UNKNOWN)).verdict == "unknown"
    assert row(compare(swarm(), swarm(count=39)), "join_ms.p50").verdict == "unknown"
    assert row(compare(swarm(), swarm(samples={})), "join_ms.p50").new is None


def suite(**statuses: str) -> ConformRun:
    results = tuple(RequirementResult(id=id_, level="MUST", status=status) for id_, status in statuses.items())  # type: ignore[arg-type]
    return ConformRun(fingerprint=PRINT, target="hardened", verdict="conformant", requirements=results)


@pytest.mark.parametrize(
    ("base", "new", "verdict"),
    [
        ("pass", "pass", "no difference"),
        ("pass", "fail", "worse"),
        ("pass", "warn", "worse"),
        ("warn", "fail", "worse"),
        ("fail", "pass", "better"),
        ("fail", "unknown", "unknown"),
        ("pass", "not-verified", "no difference"),
    ],
)
def test_requirements_are_compared_exactly(base: str, new: str, verdict: str) -> None:
    """Red where it was not is worse; green where it was red is better; on any machine."""
    elsewhere = suite(A=new).model_copy(update={"fingerprint": PRINT.model_copy(update={"cpu": "slow"})})
    comparison = compare(suite(A=base), elsewhere)
    assert comparison.verdict == verdict
    assert comparison.figures[0].test == "exact"


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "settings": ({"settings": {"users": 300, "rate": 20.0}}, "settings.users is 200 in base and 300 in new"),
    "seed": ({"seed": 2}, "seed is 1 in base and 2 in new"),
    "cpu": ({"cpu": "slow"}, "cpu is fast in base and slow in new"),
    "cpus": ({"cpus": 4}, "cpus is 2 in base and 4 in new"),
    "memory": ({"memory_bytes": 4_000_000_000}, "memory is 8000000000 in base"),
    "kernel": ({"kernel": "Linux 5.15.0"}, "kernel is Linux 6.8 in base and Linux 5.15 in new"),
    "versions": ({"versions": {"python": "3.12.1"}}, "versions.python is 3.11.4 in base and 3.12.1 in new"),
}


@pytest.mark.parametrize("name", FIELDS)
def test_what_must_match_in_the_fingerprints(name: str) -> None:
    """Each field alone keeps two runs apart and says how it differs, unless it is left aside."""
    change, says = CHANGES[name]
    other = swarm(fingerprint=PRINT.model_copy(update=change))
    (reason,) = comparable(swarm(), other)
    assert says in reason
    assert comparable(swarm(), other, [name]) == ()
    with pytest.raises(Trouble, match=r"these runs cannot be compared: the fingerprint's"):
        compare(swarm(), other)


def test_what_may_differ() -> None:
    """When, which commit, the server's libraries, the kernel's patch level, a little memory, the load before."""
    changes = {
        "created": "2027", "commit": "def", "versions": {"python": "3.11.4", "starlette": "2.0"},
        "kernel": "Linux 6.8.0-41-generic", "memory_bytes": 8_100_000_000, "load_1m": 9.0,
    }  # fmt: skip
    other = swarm(fingerprint=PRINT.model_copy(update=changes))
    assert comparable(swarm(), other) == ()
    (caution,) = cautions(swarm(), other)
    assert "new was busy" in caution


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (suite(A="pass"), "base is a run of swarm and new one of conform"),
        (swarm(interrupted=True), "new was interrupted"),
        (swarm(scenario="burst"), "the scenario is x in base and burst in new"),
        (swarm(name="staging"), "the targets are hardened in base and staging in new"),
        (swarm(budgets={"hardened": Budgets(match=9.0)}), "judged by other budgets"),
        (ClaimsRun(fingerprint=PRINT, verdict=Verdict.VALID), "new is a run of claims"),
    ],
)
def test_runs_that_must_not_be_compared(other: Any, says: str) -> None:
    """Another kind, scenario, target or budget, or a part of a run: the reason says which."""
    assert any(says in reason for reason in comparable(swarm(), other))
