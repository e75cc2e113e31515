"""`gurukul compare`: two stored runs, figure by figure; it never talks to a target."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.cli.running import Exit
from harness.cli.streams import put, show
from harness.errors import Trouble
from harness.report.comparison import comparison_markdown, comparison_table
from harness.results.comparable import FIELDS
from harness.results.compare import Comparison, compare, dump_comparison
from harness.results.store import load_run, write_text

FAIL_ON = ("worse", "better", "unknown")


def compared(
    base: Path, new: Path, *, fail_on: Sequence[str], tolerance: float, ignore: Sequence[str], json: str,
    markdown: Path | None,
) -> int:  # fmt: skip
    """Compares two stored runs and shows it; returns the exit status.

    Raises:
        Trouble: a run cannot be read, the two cannot be compared, or an option names what there is not.
    """
    _known("--fail-on", fail_on, FAIL_ON)
    _known("--ignore", ignore, tuple(FIELDS))
    comparison = compare(load_run(base), load_run(new), tolerance=tolerance, aside=ignore)
    if markdown is not None:
        write_text(markdown, comparison_markdown(comparison))
    _show(comparison, json)
    if comparison.verdict in fail_on:
        return Exit.INVALID
    return Exit.UNKNOWN if comparison.verdict == "unknown" else Exit.VALID


def _known(option: str, given: Sequence[str], known: Sequence[str]) -> None:
    for name in given:
        if name not in known:
            raise Trouble(f"{option} {name}: there is no such thing", f"choose of {', '.join(known)}")


def _show(comparison: Comparison, json: str) -> None:
    show(comparison_table(comparison), to_stderr=json == "-")
    if json == "-":
        put(dump_comparison(comparison))
    elif json:
        write_text(Path(json), dump_comparison(comparison))
