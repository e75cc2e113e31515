"""Pure rules from what was measured to a verdict: what holds, what is broken, and what cannot be tested here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.checkers.statistics import wilson_of_trials
from harness.results.claims import ClaimFigure, ClaimMeasured, ClaimVerdict
from harness.results.run import RequirementResult

TOLERANCE = 1.5
"""An approximate figure (`~`) holds where what was measured is at most so many times larger or smaller."""
_BROKEN = {"fail", "warn"}


def about(value: float, low: float, high: float | None = None) -> bool:
    """Whether a measured value agrees with an approximate one, or with an approximate range."""
    return low / TOLERANCE <= value <= (low if high is None else high) * TOLERANCE


def figure(value: float, n: int | None = None) -> ClaimFigure:
    """A measured value, rounded to four significant digits."""
    return ClaimFigure(value=float(f"{value:.4g}"), n=n)


def share(successes: int, n: int) -> ClaimFigure:
    """A share from 0 to 1 with its interval; nothing of nothing is 0."""
    interval = wilson_of_trials(successes, n) if n else None
    return ClaimFigure(value=round(successes / n, 4) if n else 0.0, n=n, interval_95=interval)


def share_text(successes: int, n: int) -> str:
    """`3 of 400 = 0.8 % (0.3–2.2 %)`."""
    counted = share(successes, n)
    if counted.interval_95 is None:
        return f"{successes} of {n}"
    low, high = (f"{100 * bound:.3g}" for bound in counted.interval_95)
    return f"{successes:,} of {n:,} = {100 * counted.value:.3g} % ({low}–{high} %)"


def ruled(holds: bool, measured: str, **figures: ClaimFigure) -> ClaimMeasured:
    """A claim that was tested."""
    return ClaimMeasured(verdict="holds" if holds else "broken", measured=measured, figures=figures)


def untestable(because: str, measured: str = "", **figures: ClaimFigure) -> ClaimMeasured:
    """A claim that this machine cannot test, with what it can show all the same."""
    return ClaimMeasured(verdict="not testable here", because=because, measured=measured, figures=figures)


def by_requirements(results: Mapping[str, RequirementResult], ids: Sequence[str]) -> ClaimMeasured:
    """A claim that equals requirements of the conformance suite: it holds where all of them pass."""
    found = {name: results[name].status if name in results else "not-verified" for name in ids}
    told = [_told(name, results.get(name)) for name in ids]
    verdict: ClaimVerdict = "holds" if set(found.values()) == {"pass"} else "not testable here"
    if _BROKEN & set(found.values()):
        verdict = "broken"
    because = "the suite could not verify " + ", ".join(name for name, status in found.items() if status != "pass")
    return ClaimMeasured(
        verdict=verdict, measured="; ".join(told), because=because if verdict == "not testable here" else "",
        requirements={name: str(status) for name, status in found.items()},
    )  # fmt: skip


def joined_by_and(first: ClaimMeasured, second: ClaimMeasured) -> ClaimMeasured:
    """A claim that holds only where both do: broken where one is, not testable where one is and none is broken."""
    order: tuple[ClaimVerdict, ...] = ("broken", "not testable here", "holds")
    kept: dict[str, Any] = {
        "measured": "; ".join(said for said in (first.measured, second.measured) if said),
        "because": "; ".join(said for said in (first.because, second.because) if said),
        "figures": {**first.figures, **second.figures},
        "requirements": {**first.requirements, **second.requirements},
    }
    verdict = min((first.verdict, second.verdict), key=order.index)
    if verdict != "not testable here":
        kept["because"] = ""
    return ClaimMeasured(verdict=verdict, **kept)


def _told(name: str, result: RequirementResult | None) -> str:
    if result is None:
        return f"{name}: not tested"
    return f"{name} ({result.title}): {result.status}"
