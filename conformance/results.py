"""From outcomes to a stored conformance run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from conformance.outcome import Outcome, overall
from harness.errors import Trouble, remedy
from harness.results.fingerprint import take_fingerprint
from harness.results.run import ConformRun, RequirementResult, dump_run
from harness.results.store import write_text
from harness.target import Target


def conform_run(target: Target, outcomes: Sequence[Outcome], *, interrupted: bool = False) -> ConformRun:
    """The run that these outcomes make; the budgets that each history was judged by go with it."""
    return ConformRun(
        fingerprint=take_fingerprint(settings={"time": target.time}),
        target=target.name,
        verdict="unknown" if interrupted else overall(outcomes),
        reason="the run was interrupted" if interrupted else _reason(outcomes),
        interrupted=interrupted,
        budgets={target.name: target.budgets},
        requirements=tuple(_result(outcome) for outcome in outcomes),
    )


def write_results(path: Path, target: Target, outcomes: Sequence[Outcome], *, interrupted: bool = False) -> None:
    """Writes the run as JSON, in one step. Raises Trouble when the file cannot be written."""
    run = conform_run(target, outcomes, interrupted=interrupted)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Trouble(
            f"the folder {path.parent} cannot be made ({error.strerror})", remedy(error, "choose another one")
        ) from None
    write_text(path, dump_run(run))


def _result(outcome: Outcome) -> RequirementResult:
    rule = outcome.requirement
    return RequirementResult(
        id=rule.id, level=rule.level, status=outcome.status, evidence=rule.evidence, seconds=round(outcome.seconds, 3),
        detail=_detail(outcome), title=rule.title, finding=outcome.finding,
        statement=rule.statement, clause=rule.clause, quote=rule.quote, why=rule.why, chosen=outcome.chosen,
    )  # fmt: skip


def _detail(outcome: Outcome) -> str:
    """What came; for a breach also what was required, and why it matters."""
    if outcome.finding is None:
        return outcome.detail
    rule = outcome.requirement
    return f"{outcome.detail}. Required: {rule.statement} ({rule.clause}) Why it matters: {rule.why}"


def _reason(outcomes: Sequence[Outcome]) -> str:
    """Why the verdict is what it is: the requirements that decide it."""
    for status, words in (
        ("fail", "broken"),
        ("error", "could not be tested:"),
        ("unknown", "not enough evidence for"),
    ):
        ids = [outcome.requirement.id for outcome in outcomes if outcome.status == status]
        if ids:
            return f"{words} {', '.join(ids)}"
    missing = [outcome for outcome in outcomes if outcome.status in {"not-verified", "not-applicable"}]
    ids = [outcome.requirement.id for outcome in missing if outcome.chosen]
    left_out = len(missing) - len(ids)
    said = [f"not verified: {', '.join(ids)}"] if ids else []
    said += [f"{left_out} requirements were not chosen"] if left_out else []
    return "; ".join(said) or "every requirement is met"
