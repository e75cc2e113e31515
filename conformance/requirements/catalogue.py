"""The catalogue as data: one model of a requirement, and all of them, read from the TOML files of this folder."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Requirement(BaseModel):
    """One thing that a target must (or should) do, and where that is promised."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[A-Z]+(-[A-Z]+)*-[A-Z]?\d+$")
    level: Literal["MUST", "SHOULD"]
    title: str
    statement: str
    clause: str
    """The source: a section of the design document, or of a standard."""
    quote: str
    """The words of the source."""
    evidence: Literal["E0", "E1", "E2", "E3", "E4"]
    """The least access to the target that shows a breach."""
    why: str
    """What a breach does to a user."""
    mutants: tuple[str, ...] = ()
    """The faults that this requirement must catch."""

    @property
    def area(self) -> str:
        """The letters before the first dash: MM for matchmaking."""
        return self.id.partition("-")[0]


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
