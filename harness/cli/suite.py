"""Runs the conformance suite as a child, for `gurukul conform` and for the bench."""

from __future__ import annotations

import re
from pathlib import Path

from harness.cli.progress import Progress
from harness.cli.targets import Opened
from harness.errors import Trouble
from harness.lab.program import run_module
from harness.results.fingerprint import take_fingerprint
from harness.results.run import ConformRun
from harness.results.store import RunFolder, load_run

_WIDTH = 160
_OUTCOME = re.compile(r"[A-Z]+(-[A-Z]+)*-[A-Z]?\d+ ")
"""How a line begins that tells what became of a requirement."""


def results_file(folder: RunFolder, name: str) -> Path:
    """Where the suite's results on a target stand."""
    return folder.path / f"conform-{name}.json"


async def run_suite(opened: Opened, folder: RunFolder, progress: Progress, *, k: str = "") -> ConformRun:
    """Tests a target; returns what came of each requirement.

    When the caller is cancelled the suite keeps what it has, in `results_file`.

    Raises:
        Trouble: the suite could not work (no requirement chosen, the target is out of reach, …).
    """
    name = opened.target.name
    results = results_file(folder, name)
    arguments = [
        "--target",
        str(opened.file),
        "--results",
        str(results),
        "--history",
        str(folder.path / "conform" / name),
    ]
    arguments += ["-k", k] if k else []
    ended = 0

    def heard(line: str) -> None:
        nonlocal ended
        ended += _OUTCOME.match(line) is not None
        progress.note(f"{name}  {line if progress.verbose or len(line) <= _WIDTH else line[: _WIDTH - 1] + '…'}")
        stage.say(f"{ended} requirements done")

    with progress.stage(f"{name}: conformance", "testing") as stage:
        status, why = await run_module("conformance", arguments, folder.logs / f"conform-{name}.log", heard)
        if not results.exists() or (status == 3 and why.startswith("error: ")):
            raise Trouble(why.removeprefix("error: "))
    return suite_of(results)


def suite_of(results: Path) -> ConformRun:
    """Reads stored results of the suite."""
    run = load_run(results)
    if not isinstance(run, ConformRun):
        raise Trouble(f"{results} is not of the conformance suite")
    return run


def troubled_suite(folder: RunFolder, name: str, trouble: Trouble) -> ConformRun:
    """What a suite left that could not test its target: the verdict is unknown, and the trouble is the reason.

    Raises:
        Trouble: this one, where nothing was left.
    """
    results = results_file(folder, name)
    if not results.exists():
        raise trouble
    return suite_of(results).model_copy(update={"verdict": "unknown", "reason": str(trouble)})


def interrupted_suite(folder: RunFolder, name: str) -> ConformRun:
    """What an interrupted suite left, with the verdict that it deserves: unknown."""
    results = results_file(folder, name)
    reason = "the run was interrupted"
    if not results.exists():
        return ConformRun(
            fingerprint=take_fingerprint(), target=name, verdict="unknown", reason=reason, interrupted=True
        )
    return suite_of(results).model_copy(update={"verdict": "unknown", "reason": reason, "interrupted": True})
