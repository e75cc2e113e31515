"""The published JSON Schema is current, and says of a run what the reader says."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from harness.results.run import dump_run
from harness.results.schema import schema_text
from harness.results.store import load_run

RUNS = sorted((Path(__file__).parent / "runs").glob("*.json"))
PUBLISHED = Path(__file__).parents[3] / "docs" / "run.schema.json"
VALIDATOR = Draft202012Validator(json.loads(schema_text()))


def test_the_published_schema_is_current() -> None:
    """`make schema` was run since the models changed last."""
    assert PUBLISHED.read_text() == schema_text(), "run: make schema"
    Draft202012Validator.check_schema(json.loads(schema_text()))


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_stored_runs_are_what_the_schema_says(path: Path) -> None:
    """What the store writes is valid by the schema."""
    VALIDATOR.validate(json.loads(dump_run(load_run(path))))


DAMAGES: dict[str, dict[str, Any]] = {
    "another version": {"schema": "gurukul.run/1"},
    "another kind": {"kind": "dance"},
    "another verdict": {"verdict": "fine"},
    "an unknown key": {"more": 1},
    "no fingerprint": {"fingerprint": None},
}


@pytest.mark.parametrize("name", DAMAGES)
def test_the_schema_refuses_what_is_no_run(name: str) -> None:
    """A wrong value, or a key that the format does not know."""
    data = {**copy.deepcopy(json.loads(dump_run(load_run(RUNS[0])))), **DAMAGES[name]}
    assert not VALIDATOR.is_valid(data)
