"""Whether a step of a climb held: findings, budgets, thresholds, the generator's own health; and the ceiling of all."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from harness.checkers.ideal import ideal_waits
from harness.history.op import OK, Op
from harness.results.ceiling import Ceiling, Step, StepVerdict, holding
from harness.results.finding import Verdict
from harness.results.run import TargetFigures
from harness.target import Budgets

KEPT_UP = 0.98
"""So large a share of the offered rate must be achieved."""
_BEHIND = 0.1
"""Seconds by which answers may come later than they should in a short step, of which this is more than those 2 %."""
_ALL = 0.99
"""The achieved rate is that of so large a share of the answers: a straggler is no backlog."""


class Load(NamedTuple):
    """How the joins of a step went. Rates are per second, the wait is in seconds."""

    offered: float | None
    achieved: float | None
    behind: float
    """By how much longer answers came than users were due."""
    span: float
    """From the first due time to the last answer."""
    ideal_p99: float
    """The 99th percentile of the waits for an ideal matcher."""


def joining_span(ops: Iterable[Op]) -> tuple[float, float]:
    """From the first due time to the last answer of a join: seconds of the history's clock."""
    spans = [(op.due, op.t1) for op in ops if op.op == "join" and op.due is not None and op.t1 is not None]
    return min((due for due, _ in spans), default=0.0), max((end for _, end in spans), default=0.0)


def load_of(ops: Iterable[Op]) -> Load:
    """The load of one history: due times of joins, and their answers.

    The achieved rate is that at which answers came. Where the target keeps up, they come as fast as users are due, only
    later; where it does not, they fall behind.
    """
    joins = [op for op in ops if op.op == "join" and op.due is not None]
    dues = sorted(op.due for op in joins if op.due is not None)
    ends = sorted(op.t1 for op in joins if op.t1 is not None and op.outcome is OK)
    if len(dues) < 2 or len(ends) < 2:
        return Load(None, None, 0.0, 0.0, 0.0)
    ideal = sorted(ideal_waits(dues))
    p99 = ideal[max(0, math.ceil(len(ideal) * 0.99) - 1)]
    counted = ends[: max(2, math.ceil(len(ends) * _ALL))]
    least = _ALL * (dues[-1] - dues[0])
    late = max(0.0, counted[-1] - counted[0] - least) if len(ends) == len(dues) else math.inf
    return Load(_pace(dues), _pace(counted, least), late, max(ends) - dues[0], p99)


def _pace(moments: Sequence[float], least: float = 0.0) -> float:
    """So many per second, from the first to the last of them, over `least` seconds at least."""
    passed = max(least, moments[-1] - moments[0])
    return round((len(moments) - 1) / passed, 3) if passed > 0 else 0.0


def step_of(
    users_per_s: float, ops: Sequence[Op], figures: TargetFigures, budgets: Budgets, metrics: dict[str, float]
) -> Step:
    """A step as it is judged: the generator first, then requirements, then budgets, then thresholds."""
    load = load_of(ops)
    verdict, broke = _judged(figures, load, budgets)
    rate = figures.correct_matches_per_s or (figures.correct_matches / load.span if load.span else 0.0)
    return Step(
        users_per_s=users_per_s,
        offered_per_s=load.offered,
        achieved_per_s=load.achieved,
        users=figures.joins,
        correct_matches=figures.correct_matches,
        correct_matches_per_s=round(rate, 3),
        join_p99_ms=figures.join_ms.p99,
        join_to_match_p99_ms=figures.join_to_match_ms.p99,
        verdict=verdict,
        broke=tuple(broke),
        cause=", ".join(broke.values()),
        metrics=metrics,
    )


def _judged(figures: TargetFigures, load: Load, budgets: Budgets) -> tuple[StepVerdict, dict[str, str]]:
    """The verdict, and what broke by its name, each with its figures."""
    wrong = {requirement: f"{requirement} × {count}" for requirement, count in figures.violations.items()}
    if figures.generator is not None and figures.generator.trouble and not wrong:
        return "unknown", {"generator": figures.generator.trouble}
    if not figures.joins or (figures.verdict is Verdict.UNKNOWN and figures.contended_joins):
        return "unknown", {"verdict": figures.reason}
    wrong |= _budgets(figures, load, budgets)
    wrong |= {one.text: f"{one.text} ({one.sentence})" for one in figures.thresholds if not one.held}
    return ("broke" if wrong else "held"), wrong


def _budgets(figures: TargetFigures, load: Load, budgets: Budgets) -> dict[str, str]:
    """The budgets that did not hold: the rate, the wait beyond the ideal matcher's, and the answer of a join."""
    found = {}
    offered, achieved = load.offered or 0.0, load.achieved or 0.0
    if achieved < KEPT_UP * offered and load.behind > _BEHIND:
        share = achieved / offered
        found["achieved"] = f"{achieved:,.1f} of {offered:,.1f} joins/s were answered ({share:.0%})"
    allowed, wait = (load.ideal_p99 + budgets.match) * 1000, figures.join_to_match_ms.p99
    if wait is not None and wait > allowed:
        found["match"] = f"join to match {wait:,.0f} ms at p99 ({allowed:,.0f} ms are allowed)"
    answer = figures.join_ms.p99
    if answer is not None and answer > budgets.match * 1000:
        found["answer"] = f"joins answered after {answer:,.0f} ms at p99 ({budgets.match * 1000:,.0f} ms are allowed)"
    return found


# ---------------------------------------------------------------- of all steps together


def ceiling_of(steps: Sequence[Step]) -> Ceiling:
    """The highest rate that holds below the lowest that does not, and why not more.

    A rate that was tried several times does what most of its steps did; the last of those stands for it. Where they are
    equally many (the search was cut short, say) it does not hold.
    """
    by_rate: dict[float, list[Step]] = {}
    for step in steps:
        by_rate.setdefault(step.users_per_s, []).append(step)
    told = [_told(tries) for _, tries in sorted(by_rate.items())]
    lowest = next((step for step in told if step.verdict != "held"), None)
    held = [step for step in told if lowest is None or step.users_per_s < lowest.users_per_s]
    highest = held[-1] if held else None
    return Ceiling(
        users_per_s=highest.users_per_s if highest else None,
        correct_matches_per_s=highest.correct_matches_per_s if highest else None,
        broke_users_per_s=lowest.users_per_s if lowest else None,
        generator_was_limit=lowest is not None and lowest.verdict == "unknown",
        broke=lowest.broke if lowest else (),
        cause=cause_of(lowest) if lowest else "nothing broke",
        metrics=lowest.metrics if lowest else {},
        steps=tuple(steps),
    )


def _told(tries: Sequence[Step]) -> Step:
    """The last of the steps at one rate that ended as most of them did."""
    held = [step.verdict == "held" for step in tries]
    holds = holding(held) is True
    return [step for step, was in zip(tries, held, strict=True) if was is holds][-1]


def shown_step(steps: Sequence[Step]) -> int:
    """The place of the step whose figures stand for the target: the last that held, else the lowest."""
    held = ceiling_of(steps).users_per_s
    if held is not None:
        return max(n for n, step in enumerate(steps) if step.users_per_s == held and step.verdict == "held")
    return min(range(len(steps)), key=lambda n: (steps[n].users_per_s, -n))


def verdict_of(ceiling: Ceiling) -> tuple[Verdict, str]:
    """Valid where a ceiling is known, unknown where the generator was the limit, invalid where no step held."""
    if ceiling.users_per_s is None:
        verdict = Verdict.UNKNOWN if ceiling.generator_was_limit else Verdict.INVALID
        return verdict, f"no step held: at {ceiling.broke_users_per_s:,.4g} users/s {ceiling.cause}"
    held = f"{ceiling.users_per_s:,.4g} users/s held ({ceiling.correct_matches_per_s:,.4g} correct matches/s)"
    if ceiling.broke_users_per_s is None:
        return Verdict.UNKNOWN, f"{held}, and nothing broke"
    if ceiling.generator_was_limit:
        limit = "the generator was the limit" if "generator" in ceiling.broke else ceiling.cause
        return Verdict.UNKNOWN, f"the ceiling is at least that: {held}, and then {limit}"
    return Verdict.VALID, f"{held}; at {ceiling.broke_users_per_s:,.4g} users/s {ceiling.cause}"


def cause_of(step: Step) -> str:
    """What broke, and what the target said of itself then."""
    told = explained(step.metrics, step.broke)
    return f"{step.cause} — {told}" if told else step.cause


def explained(metrics: Mapping[str, float], broke: Collection[str]) -> str:
    """What broke by the name of its cause, and the target's metrics that tell of a bottleneck (docs/operation.md)."""
    said = []
    calls, busy = metrics.get("find_match_calls", 0.0), metrics.get("system_busy", 0.0)
    if busy:
        said.append(f"lock contention: {busy:,.0f} of {calls:,.0f} calls of find_match were told 'System busy'")
    said += [text for requirements, text in _CAUSES if requirements & set(broke)]
    said += [text.format(metrics[name]) for name, least, text in _BOTTLENECKS if metrics.get(name, 0.0) >= least]
    return "; ".join(said)


_CAUSES = (
    ({"MM-L2", "MM-L3"}, "lost wake-ups: nobody looks again at who was told so, or came too late"),
    ({"MM-S1"}, "double matches: nobody looks whether who is matched is in a session already"),
)
"""What it means that one of these requirements broke."""
_BOTTLENECKS = (
    ("lock_wait_ms", 5.0, "batches waited {:,.1f} ms for the lock of matching"),
    ("batch_joins", 8.0, "{:,.1f} joins to a batch"),
    ("batch_ms", 10.0, "a batch took {:,.1f} ms"),
    ("feed_lag_ms", 100.0, "the change feed lagged {:,.0f} ms"),
    ("pool_wait_ms", 5.0, "{:,.1f} ms for a connection of the pool"),
    ("loop_lag_ms", 20.0, "the server's loop lagged {:,.0f} ms"),
)
"""What is told of, from which mean on."""
