"""`gurukul judge`: a stored history, judged again, offline."""

from __future__ import annotations

from pathlib import Path

from harness.cli.conclusion import conclude, conclude_bench, with_expectations
from harness.cli.judging import Terms, judged
from harness.cli.output import exit_status, show
from harness.cli.running import say
from harness.history.journal import read_history
from harness.results.fingerprint import take_fingerprint
from harness.results.run import BenchRun, JudgeRun
from harness.results.store import StoredRun, load_run


def judge(history: Path, json: str, verbose: int) -> int:
    """Judges a history by the budgets of the run that it belongs to; returns the exit status."""
    file = history / "history.ndjson" if history.is_dir() else history
    ops = read_history(file)
    run = _run_of(file)
    if run is None:
        say("no run.json beside it: judged by the default budgets")
    elif verbose:
        say(f"judged by the budgets of {run.kind} run {file.parent}")
    terms = Terms.of_run(run) if run is not None else Terms()
    targets = judged(ops, terms)
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


def _run_of(history: Path) -> StoredRun | None:
    """The run that a history belongs to: run.json beside it, or above it (a requirement's own history)."""
    for folder in list(history.absolute().parents)[:3]:
        if (folder / "run.json").exists():
            return load_run(folder)
    return None
