"""The end of a measuring run: histories merged, judged, concluded; complete or cut short."""

from __future__ import annotations

from collections.abc import Sequence

from harness.cli.conclusion import conclude
from harness.cli.judging import Kept, Terms, collected, judged
from harness.cli.targets import Opened
from harness.results.finding import Verdict
from harness.results.run import TargetFigures
from harness.results.store import RunFolder
from harness.target import Target


class Measured(Kept):
    """The fields that every measuring run has in common."""

    verdict: Verdict
    reason: str
    targets: tuple[TargetFigures, ...]


def concluded(there: Opened | None, folder: RunFolder, *, interrupted: bool, require: Sequence[str] = ()) -> Measured:
    """Merges what the generators left in the run's folder and judges it by the target's terms."""
    targets = [] if there is None else [there.target]
    return concluded_of(targets, folder, interrupted=interrupted, require=require)


def concluded_of(
    measured: Sequence[Target], folder: RunFolder, *, interrupted: bool, require: Sequence[str] = ()
) -> Measured:
    """As `concluded`, of several targets, each judged by its own terms; the verdict is the worst of theirs."""
    ops = collected(sorted(folder.path.glob("history.*.ndjson")), folder.history_file)
    terms = Terms.of_several(measured, complete=not interrupted, require=require)
    targets = judged(ops, terms)
    verdict, reason = conclude(targets, interrupted=interrupted)
    return Measured(verdict=verdict, reason=reason, targets=targets, **terms.kept())
