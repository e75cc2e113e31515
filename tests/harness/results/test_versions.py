"""Runs of older versions are read, and others are refused in clear words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.errors import Trouble
from harness.results.run import SCHEMA, BenchRun
from harness.results.store import load_run, parse_run
from harness.results.versions import UPGRADES, VERSION, upgraded

RUNS = Path(__file__).parent / "runs"


@pytest.mark.parametrize("path", sorted(RUNS.glob("*.json")), ids=lambda path: path.stem)
def test_a_run_of_an_older_version_is_read(path: Path) -> None:
    """What was measured is as it was; what was not measured then is empty."""
    run = load_run(path)
    old = json.loads(path.read_text())
    assert run.schema_ == SCHEMA
    assert (run.kind, run.fingerprint.seed) == (old["kind"], old["fingerprint"]["seed"])
    if isinstance(run, BenchRun):
        assert run.targets[0].violations == old["targets"][0]["violations"]
        assert run.targets[0].samples == {}
        assert {suite.schema_ for suite in run.conformance} == {SCHEMA}


def test_there_is_a_step_from_each_version_and_a_run_to_show_it() -> None:
    """No version is left out, and each has a stored run among these tests."""
    assert sorted(UPGRADES) == list(range(1, VERSION))
    assert {int(path.stem.split("-")[1]) for path in RUNS.glob("*.json")} == set(UPGRADES)


@pytest.mark.parametrize("version", ["0", "9", "-1", "1.5", "²", "", "x"])
def test_a_version_that_there_is_not(version: str) -> None:
    """Newer, never there, or no number: refused, with the origin."""
    with pytest.raises(Trouble, match=r"^here") as trouble:
        upgraded({"schema": f"gurukul.run/{version}"}, "here")
    assert trouble.value.remedy


def test_a_run_of_another_schema_says_what_it_is() -> None:
    """A kill matrix is no run, and the error says what was given."""
    with pytest.raises(Trouble, match=r"is not a run of this harness: it says that it is gurukul.mutants/1"):
        upgraded({"schema": "gurukul.mutants/1"}, "here")


@pytest.mark.parametrize("suites", [3, [3], None])
def test_an_old_run_that_is_damaged(suites: object) -> None:
    """What cannot even be brought to the next version is said to be damaged."""
    with pytest.raises(Trouble, match="damaged"):
        parse_run({"schema": "gurukul.run/1", "kind": "bench", "conformance": suites}, "here")
