"""A step holds or breaks by findings, budgets and thresholds, and never by the generator's own limit."""

from __future__ import annotations

from typing import Any

import pytest

from harness.checkers.steps import ceiling_of, joining_span, load_of, shown_step, step_of, verdict_of
from harness.history.op import Op, Outcome, Via
from harness.results.ceiling import Step
from harness.results.finding import Verdict
from harness.results.generator import GeneratorHealth
from harness.results.run import TargetFigures, ThresholdResult
from harness.results.spread import Spread
from harness.target import Budgets


def joins(rate: float, count: int, *, answered: float) -> list[Op]:
    """Users who are due at that rate from second 100 on, and answered at another."""
    return [
        Op(n, 100 + n / rate, 100.01 + n / answered, "t.swarm.0", f"u{n}", "d1", "join", Outcome.OK, Via.HTTP, {}, 0,
           100 + n / rate)
        for n in range(count)
    ]  # fmt: skip


def figures(**more: Any) -> TargetFigures:
    given: dict[str, Any] = {"name": "t", "verdict": Verdict.VALID, "joins": 400, "contended_joins": 9}
    return TargetFigures(**(given | {"correct_matches": 200, "correct_matches_per_s": 50.0} | more))


def judged(ops: list[Op] | None = None, **more: Any) -> Step:
    return step_of(100.0, ops or joins(100, 400, answered=100), figures(**more), Budgets(), {})


def test_the_achieved_rate_is_that_of_the_answers() -> None:
    """An answer that is late by the same time for all takes nothing from it; one that falls behind does."""
    assert load_of(joins(100, 400, answered=100)).achieved == pytest.approx(100, rel=0.001)
    assert load_of(joins(100, 400, answered=90)).achieved == pytest.approx(90, rel=0.001)
    refused = [op if op.n % 2 else Op(op.n, op.t0, op.t1, "", op.user, "", "join", Outcome.FAIL, Via.HTTP, due=op.due)
               for op in joins(100, 400, answered=100)]  # fmt: skip
    assert load_of(refused).achieved == pytest.approx(50, rel=0.01)
    assert load_of([]).offered is None
    assert joining_span(joins(100, 401, answered=100)) == pytest.approx((100.0, 104.01))


def test_what_holds() -> None:
    """Nothing found, as many answers as users, waits within the budget; also where no two joins met."""
    assert judged().verdict == "held"
    assert judged(verdict=Verdict.UNKNOWN, contended_joins=0, reason="no race was run").verdict == "held"


@pytest.mark.parametrize(
    ("more", "broke", "cause"),
    [
        ({"violations": {"MM-S1": 3, "MM-L3": 1}, "verdict": Verdict.INVALID}, ("MM-S1", "MM-L3"), "MM-S1 × 3"),
        ({"join_to_match_ms": Spread(count=9, p99=1020.0)}, ("match",), "join to match 1,020 ms at p99 (1,010 ms"),
        ({"join_ms": Spread(count=9, p99=1300.0)}, ("answer",), "joins answered after 1,300 ms at p99 (1,000 ms"),
        (
            {"thresholds": (ThresholdResult(text="join_ms.p99<5", value=9.0, held=False, sentence="it is 9"),)},
            ("join_ms.p99<5",), "join_ms.p99<5 (it is 9)",
        ),
    ],
)  # fmt: skip
def test_what_breaks(more: dict[str, Any], broke: tuple[str, ...], cause: str) -> None:
    """Each with its figures; the wait may be as long as an ideal matcher's and the budget."""
    step = judged(**more)
    assert (step.verdict, step.broke) == ("broke", broke)
    assert cause in step.cause


def test_falling_behind_breaks() -> None:
    """Fewer than 98 % of the offered joins answered in their time."""
    step = judged(joins(100, 400, answered=97))
    assert (step.verdict, step.broke) == ("broke", ("achieved",))
    assert step.cause == "97.0 of 100.0 joins/s were answered (97%)"
    assert judged(joins(100, 400, answered=99)).verdict == "held"
    assert judged(joins(100, 100, answered=94)).verdict == "held", "63 ms: a short step may be so late"


def test_the_generator_is_no_fault_of_the_target() -> None:
    """Its trouble makes a step unknown, unless a requirement broke: that is proven all the same."""
    trouble = GeneratorHealth(trouble="the generator measured itself: its loop lagged")
    step = judged(generator=trouble)
    assert (step.verdict, step.broke) == ("unknown", ("generator",))
    assert judged(generator=trouble, violations={"MM-S1": 1}).verdict == "broke"
    assert judged(verdict=Verdict.UNKNOWN, reason="the checkers failed").verdict == "unknown"


def step(rate: float, verdict: str, **more: Any) -> Step:
    return Step(users_per_s=rate, verdict=verdict, correct_matches_per_s=rate / 2, **more)  # type: ignore[arg-type]


def test_the_ceiling_is_the_last_below_the_first_that_broke() -> None:
    """What held above a break is not counted; the cause is what the lowest break says, with the target's metrics."""
    metrics = {"find_match_calls": 400.0, "system_busy": 30.0}
    steps = [
        step(10, "held"), step(40, "held"), step(80, "broke", broke=("MM-S1",), cause="MM-S1 × 9"),
        step(20, "broke", broke=("MM-L3",), cause="MM-L3 × 1", metrics=metrics), step(15, "held"), step(15, "held"),
    ]  # fmt: skip
    ceiling = ceiling_of(steps)
    assert (ceiling.users_per_s, ceiling.correct_matches_per_s, ceiling.broke_users_per_s) == (15, 7.5, 20)
    assert ceiling.cause == (
        "MM-L3 × 1 — lock contention: 30 of 400 calls of find_match were told 'System busy'; "
        "lost wake-ups: nobody looks again at who was told so, or came too late"
    )
    assert shown_step(steps) == 5
    verdict, reason = verdict_of(ceiling)
    assert verdict is Verdict.VALID
    assert reason.startswith("15 users/s held (7.5 correct matches/s); at 20 users/s MM-L3 × 1")


def test_a_double_match_is_named() -> None:
    """Beside what the target says of itself; without metrics, alone."""
    ceiling = ceiling_of([step(10, "held"), step(20, "broke", broke=("MM-S1",), cause="MM-S1 × 2")])
    assert ceiling.cause == "MM-S1 × 2 — double matches: nobody looks whether who is matched is in a session already"


def test_most_of_the_steps_at_a_rate_count() -> None:
    """The majority; where it is one against one, the rate does not hold."""
    repeated = [step(20, "broke"), step(20, "held"), step(10, "held"), step(20, "held"), step(30, "broke")]
    assert ceiling_of(repeated).users_per_s == 20
    assert shown_step(repeated) == 3
    fallen = [step(10, "held"), step(20, "held"), step(20, "broke", cause="MM-S1 × 1"), step(30, "broke")]
    assert (ceiling_of(fallen).users_per_s, ceiling_of(fallen).cause) == (10, "MM-S1 × 1")
    assert shown_step(fallen) == 0


def test_ceilings_that_are_not_known() -> None:
    """The generator was the limit, nothing broke, or nothing held."""
    limited = ceiling_of([step(10, "held"), step(20, "unknown", broke=("generator",), cause="it lagged")])
    assert limited.generator_was_limit
    assert verdict_of(limited)[0] is Verdict.UNKNOWN
    assert "at least" in verdict_of(limited)[1]
    assert verdict_of(ceiling_of([step(10, "held")])) == (
        Verdict.UNKNOWN, "10 users/s held (5 correct matches/s), and nothing broke",
    )  # fmt: skip
    none = ceiling_of([step(10, "broke", cause="MM-S1 × 1"), step(5, "broke", cause="MM-S1 × 2")])
    assert verdict_of(none) == (Verdict.INVALID, "no step held: at 5 users/s MM-S1 × 2")
