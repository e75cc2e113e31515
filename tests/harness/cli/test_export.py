"""`gurukul export` as a program: every format from a stored run, and what it says where it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli.export import FORMAT_NAMES
from harness.cli.main import main

RUNS = Path(__file__).parents[1] / "results" / "runs"
BENCH, PARTIAL = RUNS / "version-1-bench.json", RUNS / "version-1-swarm.json"


@pytest.mark.parametrize("to", FORMAT_NAMES)
def test_each_format(to: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """To standard output and to a file, the same text."""
    out = tmp_path / "out"
    assert main(["export", str(BENCH), "--to", to]) == 0
    said = capsys.readouterr().out
    assert said.strip()
    assert main(["export", str(BENCH), "--to", to, "-o", str(out)]) == 0
    assert out.read_text() == said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([BENCH, "--to", "paper"], "there is no format paper: choose one of github-benchmark, bencher, otava"),
        ([BENCH, BENCH, "--to", "bencher"], "bencher takes one run, and 2 are named"),
        ([PARTIAL, "--to", "bencher"], "there are no figures in"),
        ([BENCH, "--to", "github-benchmark", "--better", "odd"], "smaller or bigger"),
        ([BENCH, "--to", "otava", "-o", "/nowhere/at/all.csv"], "cannot be written"),
        (["nothing.json", "--to", "otava"], "there is no run in nothing.json"),
    ],
)
def test_what_cannot_be_exported(arguments: list[object], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One line that says what is wrong, and exit 3."""
    assert main(["export", *map(str, arguments)]) == 3
    out, err = capsys.readouterr()
    assert says in err
    assert (len(err.splitlines()), out) == (1, "")


def test_a_history_for_otava(capsys: pytest.CaptureFixture[str]) -> None:
    """Several runs are several rows."""
    assert main(["export", str(BENCH), str(BENCH), "--to", "otava"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
