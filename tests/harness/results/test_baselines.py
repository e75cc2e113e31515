"""The committed baselines are read by this version, compare with themselves, and are named with their commands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.results.compare import compare
from harness.results.store import load_run

RESULTS = Path(__file__).parents[3] / "results"
BASELINES = sorted((RESULTS / "baselines").glob("*.json"))


@pytest.mark.parametrize("path", [path for path in BASELINES if path.stem != "claims"], ids=lambda path: path.stem)
def test_a_baseline_compares_with_itself(path: Path) -> None:
    """No difference, for runs of every kind."""
    run = load_run(path)
    assert compare(run, run).verdict == "no difference"
    assert not run.interrupted


def test_each_baseline_has_its_command() -> None:
    """The README names every file and no other, each with a command of ours."""
    text = (RESULTS / "README.md").read_text()
    said = dict(re.findall(r"^\| `([\w-]+\.json)` \| `(gurukul [^`]+)` \|$", text, re.MULTILINE))
    assert said.keys() == {path.name for path in BASELINES}
