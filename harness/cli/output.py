"""What a verb leaves: run.json, the page, the summary on the terminal, and JSON for a program."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from harness.cli import streams
from harness.cli.running import EXIT_OF, Exit, say
from harness.errors import Trouble
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
    """Stores a run, shows it, says where it is, and returns the exit status that it means.

    Raises:
        Trouble: something of that could not be written; all the rest was done.
    """
    each(
        lambda: folder.save(run),
        lambda: show(run, json=json, html=html, junit=junit),
        lambda: say(f"run: {folder.path}"),
    )
    return exit_status(run)


def each(*steps: Callable[[], object]) -> None:
    """Takes every step, whatever becomes of those before it: what was measured must not be lost for a full disk.

    Raises:
        Trouble: the first that came of a step; any other is said.
    """
    troubles = []
    for step in steps:
        try:
            step()
        except Trouble as trouble:
            troubles.append(trouble)
    for more in troubles[1:]:
        say(f"error: {more}")
    if troubles:
        raise troubles[0]


def show(run: StoredRun, *, json: str, html: Path | None, junit: Path | None = None) -> None:
    """The page, the JUnit report, the summary on standard output (or error when the JSON goes there), the JSON."""
    each(
        lambda: write_reports(run, html=html, junit=junit),
        lambda: summarise(run, to_stderr=json == "-"),
        lambda: write_json(run, json),
    )


def write_reports(run: StoredRun, *, html: Path | None, junit: Path | None) -> None:
    """The page and the JUnit report, where they are asked for."""
    page = [partial(write_page, run, html)] if html is not None else []
    each(*page, *([partial(_write_junit, run, junit)] if junit is not None else []))


def _write_junit(run: StoredRun, path: Path) -> None:
    from harness.report.junit import junit_report

    write_text(path, junit_report(run))


def write_json(run: StoredRun, json: str) -> None:
    """The same facts for a program, where they are asked for; `-` is standard output."""
    if json == "-":
        streams.put(dump_run(run))
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
    from harness.report.terminal import summary

    streams.show(summary(run), to_stderr=to_stderr)


def write_page(run: StoredRun, path: Path) -> None:
    """Writes the HTML page. Raises Trouble when the place cannot be written."""
    from harness.report.html import page

    write_text(path, page(run))
