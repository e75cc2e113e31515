"""The catalogue as data: one model of a requirement, and all of them, read from the TOML files of this folder."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, pattern=r"^[^\n]*$")]
"""Words that stand in a table cell and in a terminal line."""


class Requirement(BaseModel):
    """One thing that a target must (or should) do, and where that is promised."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[A-Z]+(-[A-Z]+)*-[A-Z]?\d+$")
    level: Literal["MUST", "SHOULD"]
    title: Line
    statement: Line
    clause: Line
    """The source: a section of the design document, or of a standard."""
    quote: Line
    """The words of the source."""
    evidence: Literal["E0", "E1", "E2", "E3", "E4"]
    """The least access to the target that shows a breach."""
    why: Line
    """What a breach does to a user."""
    modes: Literal["scaled", "real", "both"] = "both"
    """The time in which it can be shown: with a target's short time-outs, with the document's, or either way."""
    needs: tuple[Literal["secret", "push", "turn", "database", "plan", "crash"], ...] = ()
    """What the target file must give (or the target offer); without it the requirement is not verified."""
    guards: tuple[Line, ...] = ()
    """What must have happened for a pass to mean something; without it the status is `unknown`."""
    mutants: tuple[str, ...] = ()
    """The faults that this requirement must catch."""

    @property
    def group(self) -> str:
        """What stands before the number: MM for MM-S1, SEC-JWT for SEC-JWT-03."""
        return self.id.rpartition("-")[0]


def read_catalogue() -> dict[str, Requirement]:
    """Reads every `*.toml` file of this folder: requirements by id, in the order of the files.

    Raises:
        ValueError: an entry is malformed, or an id stands twice.
    """
    found: dict[str, Requirement] = {}
    for entry in sorted(files(__package__).iterdir(), key=lambda file: file.name):
        if not entry.name.endswith(".toml"):
            continue
        for item in tomllib.loads(entry.read_text(encoding="utf-8"))["requirement"]:
            requirement = Requirement.model_validate(item)
            if requirement.id in found:
                raise ValueError(f"{requirement.id} stands twice in the catalogue")
            found[requirement.id] = requirement
    return found


CATALOGUE = read_catalogue()
