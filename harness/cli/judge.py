"""`gurukul judge`: a stored history, judged again, offline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.cli.conclusion import conclude, conclude_bench, with_expectations
from harness.cli.judging import Terms, judged
from harness.cli.output import exit_status, show
from harness.cli.running import say
from harness.errors import Trouble
from harness.history.journal import merge_histories, read_history
from harness.history.op import Op
from harness.results.fingerprint import take_fingerprint
from harness.results.run import BenchRun, ConformSetRun, JudgeRun, TargetFigures
from harness.results.store import StoredRun, load_run
from harness.target import load_target


def judge(histories: Sequence[Path], json: str, verbose: int, target: Path | None = None) -> int:
    """Judges histories as one; returns the exit status.

    By the terms of the run that the first belongs to; where it belongs to none, by those of a target file.
    """
    files = [file for path in histories for file in journals_of(path)]
    ops = read_together(files)
    file = files[0]
    run = _run_of(file)
    if run is None:
        by = f"those of {target}" if target is not None else "the default ones (--target FILE names others)"
        say(f"no run.json beside it: judged by budgets that are {by}")
    elif verbose:
        say(f"judged by the budgets of {run.kind} run {file.parent}")
    terms = Terms.of_run(run) if run is not None else _terms_of(target)
    targets = judged(ops, terms)
    targets = tuple(_counted_before(target, run) for target in targets)
    interrupted = run is not None and run.interrupted
    if isinstance(run, BenchRun):
        targets = tuple(with_expectations(target) for target in targets)
        verdict, reason = conclude_bench(targets, run.conformance, interrupted=interrupted)
    else:
        verdict, reason = conclude(targets, interrupted=interrupted)
    fingerprint = run.fingerprint if run is not None else take_fingerprint()
    again = JudgeRun(
        fingerprint=fingerprint, verdict=verdict, reason=reason, interrupted=interrupted, targets=targets,
        **terms.kept(),
    )  # fmt: skip
    show(again, json=json, html=None)
    return exit_status(again)


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
    """The ops of several journals on one clock, in the order of their starts; one journal is read as it is."""
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


def _run_of(history: Path) -> StoredRun | None:
    """The run that a history belongs to: run.json beside it, or above it (a requirement's own history)."""
    for folder in list(history.absolute().parents)[:3]:
        if (folder / "run.json").exists():
            run = load_run(folder)
            several = run.conformance if isinstance(run, ConformSetRun) else ()
            return next((one for one in several if one.target == history.parent.name), run)
    return None
