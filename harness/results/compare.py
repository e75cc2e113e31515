"""The comparison of two runs: each figure with its interval, better, worse, or no difference by a stated test."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import partial
from statistics import fmean
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from harness.errors import Trouble
from harness.results.ceiling import AGREE
from harness.results.comparable import cautions, comparable
from harness.results.costs import TOLERANCES
from harness.results.difference import Difference, paired_difference, percentile, quickest_difference, share_difference
from harness.results.finding import Verdict
from harness.results.run import BenchRun, ConformRun, ConformSetRun, TargetFigures
from harness.results.store import StoredRun

ComparedVerdict = Literal["worse", "better", "no difference", "unknown"]

TOLERANCE = 0.25
"""A time or a rate that moved by less than this share of the base is no difference: machines vary that much."""
_LEAST_MS = 2.0
"""Nor is a time that moved by less than so many milliseconds."""
_QUICKEST = 5.0
_POINTS = (_QUICKEST, 50.0, 95.0)
_ANSWERS = {"join_ms": 1, "join_to_match_ms": 3, "both_notified_ms": 3}
_MANY = 10
"""How many answers a time consists of, each of which a busy machine may delay: by so many times the loop lag by which
the generators differ may it move. The quickest answers met hardly any delay: their own spread tells of it."""
_TAIL = 400
"""The 95th percentile of a slice is compared where there are so many samples, 20 to a slice."""
_PAIRED = "signed-rank interval of paired slices"
_RESAMPLED = "interval of a block bootstrap"
_SHARES = "interval of the difference of two shares"
_EXACT = "exact"
_RED = frozenset({"fail", "warn"})


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_by_name=True, serialize_by_alias=True)


class Side(_Model):
    """One of the two runs, as it names itself."""

    kind: str
    created: str
    commit: str


class Compared(_Model):
    """One figure of one target on both sides. Its unit stands in its name."""

    target: str
    figure: str
    base: float | str | None
    new: float | str | None
    difference: float | None = None
    interval_99: tuple[float, float] | None = None
    """Of the difference; None where it was compared exactly, or could not be."""
    verdict: ComparedVerdict
    test: str
    detail: str = ""


class Comparison(_Model):
    """What `gurukul compare` says."""

    schema_: Literal["gurukul.compare/1"] = Field("gurukul.compare/1", alias="schema")
    base: Side
    new: Side
    tolerance: float
    verdict: ComparedVerdict
    reason: str
    cautions: tuple[str, ...] = ()
    figures: tuple[Compared, ...] = ()


def compare(
    base: StoredRun, new: StoredRun, *, tolerance: float = TOLERANCE, aside: Collection[str] = ()
) -> Comparison:
    """Compares two runs of the same kind.

    Args:
        base: the one that is compared with.
        new: the one that is compared.
        tolerance: the share of the base by which a time or a rate may move.
        aside: names of `harness.results.comparable.FIELDS` that need not match.

    Raises:
        Trouble: the runs cannot be compared; it says why.
    """
    reasons = comparable(base, new, aside)
    if reasons:
        raise Trouble(
            f"these runs cannot be compared: {'; '.join(reasons)}",
            "measure both with the same command on the same machine (docs/comparing.md)",
        )
    rows = tuple(_rows(base, new, tolerance))
    verdict, reason = _concluded(rows)
    return Comparison(
        base=_side(base), new=_side(new), tolerance=tolerance, verdict=verdict, reason=reason,
        cautions=cautions(base, new), figures=rows,
    )  # fmt: skip


def _side(run: StoredRun) -> Side:
    return Side(kind=run.kind, created=run.fingerprint.created, commit=run.fingerprint.commit)


def _concluded(rows: Iterable[Compared]) -> tuple[ComparedVerdict, str]:
    """The worst of the figures that could be compared."""
    by_verdict: dict[ComparedVerdict, list[str]] = {}
    for row in rows:
        by_verdict.setdefault(row.verdict, []).append(f"{row.target}: {row.figure}")
    if found := by_verdict.get("worse"):
        return "worse", ", ".join(found)
    if found := by_verdict.get("better"):
        return "better", ", ".join(found)
    if found := by_verdict.get("no difference"):
        return "no difference", f"none of {len(found)} figures differs"
    return "unknown", "no figure could be compared"


def _rows(base: StoredRun, new: StoredRun, tolerance: float) -> Iterator[Compared]:
    figures = {target.name: target for target in getattr(new, "targets", ())}
    for before in getattr(base, "targets", ()):
        yield from _target(before, figures[before.name], tolerance)
    suites = {suite.target: suite for suite in _suites(new)}
    for suite in _suites(base):
        yield from _requirements(suite, suites[suite.target])


# ---------------------------------------------------------------- what was measured


def _target(base: TargetFigures, new: TargetFigures, tolerance: float) -> Iterator[Compared]:
    yield _verdicts(base, new)
    if base.verdict is Verdict.VALID and new.verdict is Verdict.VALID:
        yield from _times(base, new, tolerance)
        yield from _rates(base, new, tolerance)
        yield from _shares(base, new)
        yield from _counters(base, new)
        yield from _ceilings(base, new)
    elif base.verdict is Verdict.INVALID and new.verdict is Verdict.INVALID:
        yield from _violations(base, new)


def _verdicts(base: TargetFigures, new: TargetFigures) -> Compared:
    """Exactly; what is not known is neither better nor worse."""
    both = (base.verdict, new.verdict)
    verdict: ComparedVerdict = "unknown" if Verdict.UNKNOWN in both else "no difference"
    if both == (Verdict.VALID, Verdict.INVALID):
        verdict = "worse"
    elif both == (Verdict.INVALID, Verdict.VALID):
        verdict = "better"
    void = "" if both == (Verdict.VALID, Verdict.VALID) else "figures of a target that is not valid are void"
    return Compared(
        target=base.name, figure="verdict", base=base.verdict.value, new=new.verdict.value, verdict=verdict,
        test=_EXACT, detail=void,
    )  # fmt: skip


def _times(base: TargetFigures, new: TargetFigures, tolerance: float) -> Iterator[Compared]:
    for name in sorted(base.samples.keys() | new.samples.keys()):
        before, after = base.samples.get(name, ()), new.samples.get(name, ())
        fewest = min(len(before), len(after))
        for percent in _POINTS if fewest >= _TAIL else _POINTS[:2]:
            values = [percentile(side, percent) if side else None for side in (before, after)]
            margin = max(_LEAST_MS, tolerance * (values[0] or 0.0))
            if percent == _QUICKEST:
                difference, test = quickest_difference(before, after, percent), _RESAMPLED
                margin = max(margin, *(_delayed(side) for side in (before, after)))
            else:
                difference, test = paired_difference(before, after, partial(percentile, percent=percent)), _PAIRED
                margin = max(margin, _ANSWERS.get(name, _MANY) * _lag(base, new))
            yield _judged(base.name, f"{name}.p{percent:g}", values, difference, margin, test, up="worse")


def _delayed(values: Sequence[float]) -> float:
    """How far even the quickest answers lie apart: by what the machine delayed all of them, in milliseconds."""
    return percentile(values, _QUICKEST) - percentile(values, 1.0) if values else 0.0


def _lag(base: TargetFigures, new: TargetFigures) -> float:
    """By how many milliseconds one generator's loop was later than the other's, at 99 % of all moments."""
    lags = [side.generator.loop_lag_p99_ms if side.generator is not None else 0.0 for side in (base, new)]
    return abs(lags[1] - lags[0])


def _rates(base: TargetFigures, new: TargetFigures, tolerance: float) -> Iterator[Compared]:
    values = [base.correct_matches_per_s, new.correct_matches_per_s]
    if any(values):
        difference = _faster(base, new)
        margin = tolerance * values[0]
        yield _judged(base.name, "correct_matches_per_s", values, difference, margin, _PAIRED, up="better")


def _faster(base: TargetFigures, new: TargetFigures) -> Difference | None:
    """The mean rates of paired stretches of both timelines; None where a run was too short, or has other steps."""
    before, after = (side.timeline for side in (base, new))
    if before.step != after.step:
        return None
    return paired_difference(before.matches_per_s, after.matches_per_s, fmean)


def _shares(base: TargetFigures, new: TargetFigures) -> Iterator[Compared]:
    counts = [(base.unmatched_users, base.joins), (new.unmatched_users, new.joins)]
    yield from _share(base.name, "unmatched_users of joins", counts, up="worse")
    pairs = [(side.pairs.connected, side.pairs.attempted) for side in (base, new)]
    yield from _share(base.name, "pairs.success_rate", pairs, up="better")


def _counters(base: TargetFigures, new: TargetFigures) -> Iterator[Compared]:
    """Counters of a match, exactly but for the little that even the same load differs by (`TOLERANCES`)."""
    for name, tolerance in TOLERANCES.items():
        before, after = (getattr(side.costs, name, None) for side in (base, new))
        if before is not None and after is not None:
            allowed = tolerance * before
            yield _exactly(
                base.name, f"costs.{name}", before, after, allowed, f"exact within {tolerance:.0%}", up="worse"
            )


def _ceilings(base: TargetFigures, new: TargetFigures) -> Iterator[Compared]:
    """Correct matches per second of the last steps that held: two of the same target are one rung apart at most."""
    before, after = (side.ceiling.correct_matches_per_s if side.ceiling else None for side in (base, new))
    if before is not None and after is not None:
        figure, allowed = "ceiling.correct_matches_per_s", AGREE * before
        yield _exactly(base.name, figure, before, after, allowed, f"within {AGREE:.0%}", up="better")


def _exactly(
    target: str, figure: str, base: float, new: float, allowed: float, test: str, *, up: ComparedVerdict
) -> Compared:
    difference = new - base
    verdict: ComparedVerdict = "no difference"
    if abs(difference) > allowed:
        verdict = up if difference > 0 else "better" if up == "worse" else "worse"
    return Compared(
        target=target, figure=figure, base=base, new=new, difference=round(difference, 4), verdict=verdict, test=test,
        detail=f"{difference:+,.4g}, {test}",
    )  # fmt: skip


def _violations(base: TargetFigures, new: TargetFigures) -> Iterator[Compared]:
    """As shares of the joins: how often a race is lost is a matter of chance."""
    for requirement in sorted(base.violations.keys() | new.violations.keys()):
        counts = [(min(side.violations.get(requirement, 0), side.joins), side.joins) for side in (base, new)]
        yield from _share(base.name, f"violations.{requirement} of joins", counts, up="worse")


def _share(target: str, figure: str, counts: list[tuple[int, int]], up: ComparedVerdict) -> Iterator[Compared]:
    (one, of_one), (other, of_other) = counts
    if of_one and of_other:
        difference = share_difference(one, of_one, other, of_other)
        yield _judged(target, figure, [one / of_one, other / of_other], difference, 0.0, _SHARES, up=up)


def _judged(
    target: str,
    figure: str,
    values: list[float] | list[float | None],
    difference: Difference | None,
    margin: float,
    test: str,
    *,
    up: ComparedVerdict,
) -> Compared:
    """A figure is worse or better when the whole interval of its difference lies beyond the margin."""
    base, new = (None if value is None else round(value, 4) for value in values)
    if difference is None:
        few = "too little was measured"
        return Compared(target=target, figure=figure, base=base, new=new, verdict="unknown", test=test, detail=few)
    verdict: ComparedVerdict = "no difference"
    if difference.low > margin:
        verdict = up
    elif difference.high < -margin:
        verdict = "better" if up == "worse" else "worse"
    return Compared(
        target=target, figure=figure, base=base, new=new, difference=round(difference.estimate, 4),
        interval_99=(round(difference.low, 4), round(difference.high, 4)), verdict=verdict, test=test,
        detail=f"beyond ±{margin:.3g}" if margin else "",
    )  # fmt: skip


# ---------------------------------------------------------------- what was checked


def _suites(run: StoredRun) -> tuple[ConformRun, ...]:
    if isinstance(run, ConformRun):
        return (run,)
    return run.conformance if isinstance(run, BenchRun | ConformSetRun) else ()


def _requirements(base: ConformRun, new: ConformRun) -> Iterator[Compared]:
    """The requirements of which the status changed, and how many kept theirs: exactly."""
    after = {result.id: result.status for result in new.requirements}
    same = 0
    for result in base.requirements:
        status = after.get(result.id, "not-verified")
        if status == result.status:
            same += 1
            continue
        red = (result.status in _RED, status in _RED)
        verdict: ComparedVerdict = "worse" if red == (False, True) else "no difference"
        if red == (True, False):
            verdict = "better" if status == "pass" else "unknown"
        elif status == "fail" and result.status == "warn":
            verdict = "worse"
        yield Compared(
            target=base.target, figure=result.id, base=result.status, new=status, verdict=verdict, test=_EXACT
        )
    if same:
        text = f"{same} requirements"
        yield Compared(
            target=base.target, figure="the same status", base=text, new=text, verdict="no difference", test=_EXACT
        )


def dump_comparison(comparison: Comparison) -> str:
    """A comparison as JSON, indented."""
    return comparison.model_dump_json(indent=2, by_alias=True) + "\n"
