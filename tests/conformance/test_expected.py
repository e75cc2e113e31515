"""Strict lists of expected failures."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.outcome import Outcome
from conformance.requirements import CATALOGUE
from conformance.targets.expected import Expected, deviations, read_expected
from harness.errors import Trouble
from harness.results.run import Status

KNOWN = {
    "MM-S1": Expected(id="MM-S1", reason="it never looks"),
    "MM-S7": Expected(id="MM-S7", reason="it looks too late", always=False),
}


def outcome(requirement: str, status: Status) -> Outcome:
    """An outcome with a detail that can be recognised."""
    return Outcome(CATALOGUE[requirement], status, 0.0, "what came")


def test_the_documented_engine_has_a_list() -> None:
    """The built-in list names what the documented engine breaks, each with its reason."""
    known = read_expected("documented")
    assert {"MM-S1", "MM-L2", "MM-L3", "MM-L5"} <= known.keys()
    assert all(entry.reason.endswith(".") for entry in known.values())


def test_what_is_as_expected_is_no_surprise() -> None:
    """Known failures that fail, the rest that passes, and what was not decided."""
    came: list[tuple[str, Status]] = [("MM-S1", "fail"), ("MM-S2", "pass"), ("MM-S3", "unknown"), ("MM-S4", "error")]
    assert deviations(KNOWN, [outcome(*each) for each in came]) == []


def test_an_unexpected_pass_is_a_surprise() -> None:
    """A list that outlived its reason would hide the next fault; a race that is seldom caught may pass."""
    assert deviations(KNOWN, [outcome("MM-S1", "pass")]) == ["MM-S1 passed, and was expected to fail: it never looks"]
    assert deviations(KNOWN, [outcome("MM-S7", "pass")]) == []


def test_an_unexpected_failure_is_a_surprise() -> None:
    """What is not on the list may not fail."""
    assert deviations(KNOWN, [outcome("MM-S2", "fail")]) == [
        "MM-S2 failed, and is not among the expected failures: what came"
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[expected", "malformed"),
        ('[[expected]]\nid = "MM-S1"\n', "malformed"),
        ('[[expected]]\nid = "MM-S1"\nreason = "too short"\nwhy = "?"\n', "malformed"),
        ('[[expected]]\nid = "MM-X9"\nreason = "a good long reason"\n', "not in the catalogue"),
    ],
)
def test_a_bad_list_is_trouble(tmp_path: Path, text: str, says: str) -> None:
    """A list that cannot be meant stops the run before it starts."""
    file = tmp_path / "list.toml"
    file.write_text(text)
    with pytest.raises(Trouble, match=says):
        read_expected(str(file))


def test_a_missing_list_is_trouble() -> None:
    """Neither a built-in name nor a file."""
    with pytest.raises(Trouble, match="cannot be read"):
        read_expected("no-such-target")
