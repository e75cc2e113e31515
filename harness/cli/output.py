"""What a verb leaves: run.json, the page, the summary on the terminal, and JSON for a program."""

from __future__ import annotations

import sys
from pathlib import Path

from harness.cli.running import EXIT_OF, Exit, say
from harness.report.rows import figures_of
from harness.results.finding import Verdict
from harness.results.run import ConformRun, ConformSetRun, dump_run
from harness.results.store import RunFolder, StoredRun, write_text

_EXIT_OF_SUITE = {
    "conformant": Exit.VALID, "partial": Exit.VALID, "not-conformant": Exit.INVALID, "unknown": Exit.UNKNOWN,
}  # fmt: skip


_WORST = (Exit.INVALID, Exit.TROUBLE, Exit.UNKNOWN, Exit.VALID)
"""A target that is wrong for certain weighs more than one that could not be tested."""


def publish(run: StoredRun, folder: RunFolder, *, json: str, html: Path | None, junit: Path | None = None) -> int:
    """Stores a run, shows it, and returns the exit status that it means."""
    folder.save(run)
    show(run, json=json, html=html, junit=junit)
    say(f"run: {folder.path}")
    return exit_status(run)


def show(run: StoredRun, *, json: str, html: Path | None, junit: Path | None = None) -> None:
    """The page, the JUnit report, the summary on standard output (or error when the JSON goes there), the JSON."""
    write_reports(run, html=html, junit=junit)
    summarise(run, to_stderr=json == "-")
    write_json(run, json)


def write_reports(run: StoredRun, *, html: Path | None, junit: Path | None) -> None:
    """The page and the JUnit report, where they are asked for."""
    if html is not None:
        write_page(run, html)
    if junit is not None:
        from harness.report.junit import junit_report

        write_text(junit, junit_report(run))


def write_json(run: StoredRun, json: str) -> None:
    """The same facts for a program, where they are asked for; `-` is standard output."""
    if json == "-":
        sys.stdout.write(dump_run(run))
        sys.stdout.flush()
    elif json:
        write_text(Path(json), dump_run(run))


def exit_status(run: StoredRun) -> Exit:
    """0 valid, 1 invalid or valid with a broken threshold, 2 unknown (its figures are void), 3 our own trouble."""
    if isinstance(run, ConformSetRun):
        return min((exit_status(one) for one in run.conformance), key=_WORST.index)
    if isinstance(run.verdict, Verdict):
        broken = any(not threshold.held for target in figures_of(run) for threshold in target.thresholds)
        return Exit.INVALID if broken and run.verdict is Verdict.VALID else EXIT_OF[run.verdict]
    if isinstance(run, ConformRun) and run.verdict == "unknown" and not run.interrupted:
        errors = any(result.status == "error" for result in run.requirements)
        return Exit.TROUBLE if errors else Exit.UNKNOWN
    return _EXIT_OF_SUITE[run.verdict]


def summarise(run: StoredRun, *, to_stderr: bool = False) -> None:
    """The run in tables."""
    from rich.console import Console

    from harness.report.terminal import summary

    console = Console(stderr=to_stderr, highlight=False)
    if not console.is_terminal:
        console = Console(stderr=to_stderr, highlight=False, width=140)
    console.print(summary(run))


def write_page(run: StoredRun, path: Path) -> None:
    """Writes the HTML page. Raises Trouble when the place cannot be written."""
    from harness.report.html import page

    write_text(path, page(run))
