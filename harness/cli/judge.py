"""`gurukul judge`: a stored history, judged again, offline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.cli.conclusion import conclude, conclude_bench, with_expectations
from harness.cli.judging import Terms, judged
from harness.cli.output import exit_status, show
from harness.cli.running import say
from harness.errors import Trouble
from harness.history.journal import is_torn, merge_histories, read_history
from harness.history.op import Op
from harness.results.finding import Verdict
from harness.results.fingerprint import take_fingerprint
from harness.results.run import BenchRun, ConformSetRun, JudgeRun, TargetFigures
from harness.results.store import StoredRun, load_run
from harness.target import load_target


def judge(histories: Sequence[Path], json: str, verbose: int, target: Path | None = None) -> int:
    """Judges histories as one; returns the exit status.

    By the terms of a target file, where there is one; else by those of the run that the histories belong to.

    Raises:
        Trouble: histories of several runs, one that cannot be read, or a bad target file.
    """
    files = [file for path in histories for file in journals_of(path)]
    file = files[0]
    home = _home_of(files)
    ops = read_together(files)
    run = None if home is None else _run_in(home, file)
    interrupted = run is not None and run.interrupted
    terms = Terms.of_run(run) if run is not None and target is None else _terms_of(target)
    if run is None or target is not None:
        by = f"those of {target}" if target is not None else "the default ones (--target FILE names others)"
        say(f"{'no run.json beside it: ' if run is None else ''}judged by budgets that are {by}")
    elif verbose:
        say(f"judged by the budgets of {run.kind} run {file.parent}")
    terms = replace(terms, complete=not interrupted)
    targets = judged(ops, terms)
    cut = _cut_off(files, targets, run)
    if cut:
        targets = judged(ops, replace(terms, complete=False))
    targets = tuple(_counted_before(target, run) for target in targets)
    if isinstance(run, BenchRun):
        targets = tuple(with_expectations(target) for target in targets)
        verdict, reason = conclude_bench(targets, run.conformance, interrupted=interrupted)
    else:
        verdict, reason = conclude(targets, interrupted=interrupted)
    if cut:
        verdict, reason = Verdict.UNKNOWN, f"{cut}; {reason}"
    fingerprint = run.fingerprint if run is not None else take_fingerprint()
    again = JudgeRun(
        fingerprint=fingerprint, verdict=verdict, reason=reason, interrupted=interrupted, targets=targets,
        **terms.kept(),
    )  # fmt: skip
    show(again, json=json, html=None)
    return exit_status(again)


_COUNTED: dict[str, Callable[[TargetFigures], int]] = {
    "ops": lambda figures: figures.ops,
    "joins": lambda figures: figures.joins,
    "matches": lambda figures: figures.matches,
}
"""What a run counts, and a history that was cut off has less of; runs of older versions did not count ops."""


def _cut_off(files: Sequence[Path], targets: Sequence[TargetFigures], run: StoredRun | None) -> str:
    """That a history was cut off: in the middle of a line, or of what its run counts. Empty where it is whole."""
    torn = next((file for file in files if is_torn(file)), None)
    if torn is not None:
        return f"the last line of {torn} is torn"
    now = {target.name: target for target in targets}
    for before in getattr(run, "targets", ()):
        if before.ceiling is not None and before.name not in now:
            continue  # of several ceilings, the steps of the first are the run's history
        for what, count in _COUNTED.items():
            has, had = count(now[before.name]) if before.name in now else 0, count(before)
            if has < had:
                return f"the history has {has:,} of the {had:,} {what} that run.json counts of {before.name}"
    return ""


def _terms_of(target: Path | None) -> Terms:
    """What a target file sets, whatever the history calls the target; the defaults without one."""
    return Terms() if target is None else Terms.of(load_target(target))


def journals_of(path: Path) -> list[Path]:
    """The journals that a path means: a file, a run's history.ndjson, or all of a folder that has none.

    Raises:
        Trouble: a folder without any.
    """
    if not path.is_dir():
        return [path]
    if (path / "history.ndjson").exists():
        return [path / "history.ndjson"]
    found = sorted(path.glob("*.ndjson"))
    if not found:
        raise Trouble(f"there is no history in {path}", "name a history.ndjson, or a folder that holds some")
    return found


def read_together(files: Sequence[Path]) -> list[Op]:
    """The ops of several journals on one clock, in the order of their starts; one journal is read as it is.

    One that is named twice is read once.
    """
    files = list({file.resolve(): file for file in files}.values())
    if len(files) == 1:
        return read_history(files[0])
    with TemporaryDirectory(prefix="gurukul-judge-") as folder:
        merged = Path(folder) / "history.ndjson"
        merge_histories(files, merged)
        return read_history(merged)


def _counted_before(target: TargetFigures, run: StoredRun | None) -> TargetFigures:
    """The figures with what was counted beside the history, and cannot be counted again."""
    before = next((one for one in getattr(run, "targets", ()) if one.name == target.name), None)
    return target if before is None else target.model_copy(update={"costs": before.costs})


def _home_of(files: Sequence[Path]) -> Path | None:
    """The folder of the run that histories belong to: run.json is beside them, or above (a requirement's own history).

    Raises:
        Trouble: they belong to several runs.
    """
    homes = dict.fromkeys(
        next((folder for folder in list(file.resolve().parents)[:3] if (folder / "run.json").exists()), None)
        for file in files
    )
    found = [home for home in homes if home is not None]
    if len(found) > 1:
        raise Trouble(f"{found[0]} and {found[1]} are two runs", "judge each alone")
    return found[0] if found else None


def _run_in(home: Path, history: Path) -> StoredRun:
    """The run of a folder; of a conformance suite on several targets the one that the history belongs to."""
    run = load_run(home)
    several = run.conformance if isinstance(run, ConformSetRun) else ()
    return next((one for one in several if one.target == history.parent.name), run)
