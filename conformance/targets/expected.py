"""Strict lists of expected failures: read, and compared with what came."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from conformance.outcome import Outcome
from conformance.requirements import CATALOGUE
from harness.errors import Trouble

_DECIDED = {"pass", "fail", "warn"}


class Expected(BaseModel):
    """One known failure, and why it is one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    reason: str = Field(min_length=10)
    always: bool = True
    """False for a race that one run in several catches: then a pass is no surprise."""


def read_expected(source: str) -> dict[str, Expected]:
    """The known failures in a file, or of a built-in target by its name, by requirement.

    Raises:
        Trouble: no such list, or it is malformed, or it names a requirement that is not in the catalogue.
    """
    built_in = files("conformance.targets") / f"{source}.toml"
    file = built_in if built_in.is_file() else Path(source)
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
        entries = [Expected.model_validate(entry) for entry in data.get("expected", [])]
    except (OSError, UnicodeDecodeError) as error:
        raise Trouble(f"the list of expected failures {source} cannot be read ({error})", "check its path") from None
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise Trouble(f"the list of expected failures {source} is malformed ({error})", "mend it") from None
    unknown = next((entry.id for entry in entries if entry.id not in CATALOGUE), None)
    if unknown is not None:
        raise Trouble(f"{source} expects {unknown} to fail, which is not in the catalogue", "name a requirement")
    return {entry.id: entry for entry in entries}


def deviations(expected: Mapping[str, Expected], outcomes: Iterable[Outcome]) -> list[str]:
    """How the outcomes differ from the list, one sentence each. What was not decided differs from nothing."""
    said = []
    for outcome in outcomes:
        id_, known = outcome.requirement.id, expected.get(outcome.requirement.id)
        if outcome.status not in _DECIDED:
            continue
        if outcome.status != "pass" and known is None:
            said.append(f"{id_} failed, and is not among the expected failures: {outcome.detail}")
        if outcome.status == "pass" and known is not None and known.always:
            said.append(f"{id_} passed, and was expected to fail: {known.reason}")
    return said
