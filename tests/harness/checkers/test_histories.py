"""Stored histories keep their verdicts: files in `bad` break what their name says, files in `good` break nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.checkers.judge import CHECKERS, judge
from harness.history.journal import read_history
from harness.target import Budgets

STORED = Path(__file__).with_name("histories")
BUDGETS = Budgets(
    queue_ttl=6, match=1, notify=1, disconnect=3, tolerance=0.5, heal=2, session_max_age=100, overtaking=2
)


@pytest.mark.parametrize("path", sorted(STORED.glob("bad/*.ndjson")), ids=lambda path: path.stem)
def test_bad(path: Path) -> None:
    """The requirement in front of the file's name is broken."""
    requirement = "-".join(path.stem.split("-")[:2])
    judgement = judge(read_history(path), BUDGETS)
    assert requirement in judgement.violations | judgement.warnings


@pytest.mark.parametrize("path", sorted(STORED.glob("good/*.ndjson")), ids=lambda path: path.stem)
def test_good(path: Path) -> None:
    """Nothing is broken."""
    assert judge(read_history(path), BUDGETS).violations == {}


def test_every_requirement_has_a_bad_history() -> None:
    """The stored histories cover the table of checkers."""
    assert {"-".join(path.stem.split("-")[:2]) for path in STORED.glob("bad/*.ndjson")} == set(CHECKERS)
