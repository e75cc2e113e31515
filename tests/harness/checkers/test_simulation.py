"""The judge against a simulated matcher: silent about every legal execution, and not blind to a known fault."""

from __future__ import annotations

import random
from types import ModuleType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from harness.checkers.judge import judge
from harness.history.clock import Clock, on_reference
from harness.history.op import Op
from harness.results.finding import Judgement

SIMULATED = [*(f"MM-S{n}" for n in range(1, 8)), "MM-L1", "MM-L2", "MM-L3", "MM-L5"]
"""The faults that the simulated target knows; stories show the others."""

RELAXED = settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    derandomize=True,
)

HOW = {
    "MM-S5": {"does": ("once", "go"), "devices": 1, "honest": True, "arrives": 19.0},
    "MM-S6": {"does": ("once", "once", "leave"), "devices": 1, "honest": True},
    "MM-S7": {"does": ("once", "session", "session", "wait"), "devices": 1, "honest": True, "arrives": 7.0},
    "MM-L1": {"does": ("once", "once", "poll"), "devices": 1, "honest": True},
    "MM-L2": {"does": ("once", "once", "poll"), "devices": 1, "honest": True},
    "MM-L3": {"does": ("once",), "devices": 1, "honest": True, "arrives": 9.5},
    "MM-L5": {"does": ("once", "poll", "poll", "go"), "devices": 1, "honest": True},
}
"""What users do in order that a fault shows clearly; where nothing is said, they do everything."""


@given(seed=st.integers(0, 2**32), users=st.integers(2, 7), acts=st.integers(2, 12), grid=st.booleans())
@RELAXED
def test_no_false_alarm(simulator: ModuleType, seed: int, users: int, acts: int, grid: bool) -> None:
    """Whatever a right target and its users do, and however little of it is seen, the judge finds nothing."""
    judgement = judge(simulator.simulate(seed, users, acts, grid=grid), simulator.BUDGETS)
    assert not judgement.violations, sentences(judgement)
    assert not any("failed" in result.detail for result in judgement.results)


@given(seed=st.integers(0, 2**32), users=st.integers(2, 5), acts=st.integers(2, 8), how=st.sampled_from(sorted(HOW)))
@RELAXED
def test_no_false_alarm_among_calm_users(simulator: ModuleType, seed: int, users: int, acts: int, how: str) -> None:
    """The same where users do little, so that more is certain and more can be said wrongly."""
    judgement = judge(simulator.simulate(seed, users, acts, **HOW[how]), simulator.BUDGETS)
    assert not judgement.violations, sentences(judgement)


@given(seed=st.integers(0, 2**32), users=st.integers(2, 5), fresh=st.booleans(), kept=st.floats(0.3, 0.95))
@RELAXED
def test_no_false_alarm_when_half_is_missing(
    simulator: ModuleType, seed: int, users: int, fresh: bool, kept: float
) -> None:
    """Sights that were not recorded take certainty away and add none."""
    ops = simulator.simulate(seed, users, 8)
    chosen = [op for op in ops if op.op not in {"push", "poll", "told"} or (op.n * 2654435761 % 1000) / 1000 < kept]
    judgement = judge(chosen, simulator.BUDGETS, fresh_users=fresh)
    assert set(judgement.violations) <= {"MM-L1"}, sentences(judgement)


@given(seed=st.integers(0, 2**32), users=st.integers(2, 6), acts=st.integers(2, 8), error=st.floats(0.0, 0.4))
@RELAXED
def test_no_false_alarm_over_several_clocks(
    simulator: ModuleType, seed: int, users: int, acts: int, error: float
) -> None:
    """Users are spread over three machines, whose clocks are wrong by as much as is stated."""
    rng = random.Random(seed)
    clocks = [Clock(f"m{n}", rng.uniform(-1e4, 1e4), error if n else 0.0) for n in range(3)]
    wrong = [rng.uniform(-clock.error, clock.error) for clock in clocks]
    merged = []
    for op in simulator.simulate(seed, users, acts):
        at = int(op.user[1:] or 0) % 3 if op.user else 0
        off = clocks[at].offset + wrong[at]
        stamped = replace(op, t0=op.t0 - off, t1=None if op.t1 is None else op.t1 - off)
        merged.append(on_reference(stamped, clocks[at]))
    judgement = judge(merged, simulator.BUDGETS)
    assert not judgement.violations, sentences(judgement)


@pytest.mark.parametrize("requirement", SIMULATED)
def test_a_fault_is_found_where_it_shows(simulator: ModuleType, provers: ModuleType, requirement: str) -> None:
    """In runs of a target with one fault, each history that plainly proves it is called invalid by that name."""
    proven = 0
    for seed in range(150):
        ops = simulator.simulate(seed, 2 + seed % 5, 3 + seed % 6, fault=requirement, **HOW.get(requirement, {}))
        if provers.PROVERS[requirement](ops, simulator.BUDGETS):
            proven += 1
            judgement = judge(ops, simulator.BUDGETS)
            assert requirement in judgement.violations, (seed, judgement.reason)
            assert judgement.verdict == "invalid"
    assert proven >= 5, "the simulation no longer shows this fault"


def test_the_order_of_the_ops_does_not_matter(simulator: ModuleType) -> None:
    """A history says the same however its lines are ordered."""
    ops: list[Op] = simulator.simulate(5, 5, 8, fault="MM-S1")
    assert judge(ops, simulator.BUDGETS) == judge(ops[::-1], simulator.BUDGETS)


def sentences(judgement: Judgement) -> str:
    return "\n".join(f"{f.requirement}: {f.sentence}" for result in judgement.results for f in result.findings)
