"""The summary on a terminal."""

from __future__ import annotations

from rich.console import Console

from harness.report.terminal import bench_table, summary
from harness.results.run import BenchRun
from harness.results.store import StoredRun


def text_of(run: StoredRun, width: int = 120) -> str:
    """What a terminal of this width shows."""
    console = Console(width=width, record=True, file=None, quiet=False, force_terminal=False)
    with console.capture() as captured:
        console.print(summary(run))
    return captured.get()


def test_engines_stand_side_by_side(bench: BenchRun) -> None:
    """One line holds the figure of both engines."""
    line = next(line for line in text_of(bench).splitlines() if "correct matches per s" in line)
    assert "14.2 (void)" in line and "24.5" in line


def test_a_figure_of_an_invalid_history_is_called_void(bench: BenchRun) -> None:
    """A rate counts for nothing when the matches were wrong."""
    valid = bench.model_copy(update={"targets": (bench.targets[1],)})
    assert "(void)" in text_of(bench) and "(void)" not in text_of(valid)


def test_the_first_witness_is_shown(bench: BenchRun) -> None:
    """A finding comes with its sentence and with what each user saw, on a clock that starts with the first of it."""
    text = text_of(bench)
    assert "was in two sessions at once" in text
    assert "+0.100 s" in text and "poll sees session 111111…" in text


def test_the_verdict_stands_last(bench: BenchRun) -> None:
    """The eye ends where the terminal ends."""
    assert text_of(bench).rstrip().splitlines()[-1].startswith("verdict  valid: hardened is valid")


def test_a_narrow_terminal_loses_nothing(bench: BenchRun) -> None:
    """Cells are folded, never cut."""
    assert "…" not in text_of(bench, width=60).split("what was checked")[0]


def test_a_conformance_run_alone(bench: BenchRun) -> None:
    """Requirements and verdict, without an empty table of figures."""
    text = text_of(bench.conformance[0])
    assert "MM-L1" in text and "not-conformant" in text and "what was measured" not in text


def test_the_bench_table_is_the_summary(bench: BenchRun) -> None:
    """The name that the bench calls shows the same."""
    console = Console(width=120)
    with console.capture() as captured:
        console.print(bench_table(bench))
    assert captured.get() == text_of(bench)
