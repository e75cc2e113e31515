"""What the kill matrix says: the versioned model of `gurukul mutants --json`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, computed_field

from harness.results.fingerprint import Fingerprint
from harness.results.run import Status

RED = frozenset({"fail", "warn"})
"""The statuses of a requirement that catches a mutant."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, validate_by_name=True, serialize_by_alias=True)


class Row(_Model):
    """One server of the matrix and what the suite made of it, in each trial."""

    id: str
    title: str
    trials: tuple[dict[str, Status], ...] = ()
    """The status of each requirement that was tested; one mapping for each trial."""
    seconds: float = 0.0
    trouble: str = ""
    """Why it could not be tested, if so; the server did not start, say."""

    @property
    def red(self) -> tuple[str, ...]:
        """The requirements that went red in any trial."""
        return tuple(dict.fromkeys(name for trial in self.trials for name, status in trial.items() if status in RED))


class MutantRow(Row):
    """A mutant: every requirement that it names must go red in every trial."""

    names: tuple[str, ...]
    racing: bool = False

    @computed_field  # type: ignore[prop-decorator]
    @property
    def killed_by(self) -> tuple[str, ...]:
        """The requirements that went red in any trial, among those that were tested."""
        return self.red

    @computed_field  # type: ignore[prop-decorator]
    @property
    def kills(self) -> int:
        """The trials in which all named requirements went red: of a racing mutant, the power of its test."""
        return sum(all(trial.get(name) in RED for name in self.names) for trial in self.trials)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def killed(self) -> bool:
        """Whether it was killed in every trial, and there was one."""
        return bool(self.trials) and self.kills == len(self.trials)

    @property
    def missed(self) -> str:
        """What each named requirement was in the trials in which it should have gone red and did not."""
        names = {name: [trial.get(name, "not tested") for trial in self.trials] for name in self.names}
        return "; ".join(
            f"{name} {', '.join(statuses)}" for name, statuses in names.items() if not RED.issuperset(statuses)
        )

    @property
    def verdict(self) -> str:
        """Killed or not, in the words of the matrix."""
        if self.trouble:
            return self.trouble
        power = f" ({self.kills} of {len(self.trials)} trials)" if self.racing or not self.killed else ""
        return ("killed" if self.killed else "survived") + power


class LegalRow(Row):
    """A lawful variant: nothing may go red."""

    @computed_field(alias="red")  # type: ignore[prop-decorator]
    @property
    def reds(self) -> tuple[str, ...]:
        """The requirements that went red all the same."""
        return self.red

    @property
    def green(self) -> bool:
        """Whether nothing went red, and something was tested."""
        return bool(self.trials) and not self.red and any("pass" in trial.values() for trial in self.trials)

    @property
    def verdict(self) -> str:
        """Green or not, in the words of the matrix."""
        if self.trouble:
            return self.trouble
        return "green" if self.green else f"red at {', '.join(self.red)}" if self.red else "nothing was verified"


class Matrix(_Model):
    """The kill matrix: mutants that must die, lawful variants that must live."""

    schema_: Literal["gurukul.mutants/1"] = Field("gurukul.mutants/1", alias="schema")
    fingerprint: Fingerprint
    interrupted: bool = False
    mutants: tuple[MutantRow, ...] = ()
    legal: tuple[LegalRow, ...] = ()

    @property
    def survivors(self) -> tuple[MutantRow, ...]:
        """The mutants that were tested and not killed."""
        return tuple(row for row in self.mutants if not row.killed and not row.trouble)

    @property
    def wronged(self) -> tuple[LegalRow, ...]:
        """The lawful variants that were tested and not found lawful."""
        return tuple(row for row in self.legal if not row.green and not row.trouble)

    @property
    def troubled(self) -> tuple[Row, ...]:
        """The servers that could not be tested."""
        return tuple(row for row in (*self.mutants, *self.legal) if row.trouble)

    @property
    def complaints(self) -> tuple[str, ...]:
        """A line for each server that is not as the matrix wants it, and why."""
        survived = [f"{row.id} {row.verdict}: {row.missed}" for row in self.survivors]
        wronged = [f"{row.id} {row.verdict}" for row in self.wronged]
        return (*survived, *wronged, *(f"{row.id} {row.trouble}" for row in self.troubled))

    @property
    def sentence(self) -> str:
        """The matrix in one sentence."""
        killed, green = sum(row.killed for row in self.mutants), sum(row.green for row in self.legal)
        parts = [f"{killed} of {len(self.mutants)} mutants killed"] if self.mutants else []
        parts += [f"{green} of {len(self.legal)} legal variants green"] if self.legal else []
        said = ", ".join(parts) or "nothing was tested"
        return f"{said} (interrupted: what follows is partial)" if self.interrupted else said


def dump_matrix(matrix: Matrix) -> str:
    """A matrix as JSON, indented."""
    return matrix.model_dump_json(indent=2, by_alias=True) + "\n"


def read_matrix(text: str) -> Matrix:
    """A matrix from its JSON. Raises ValidationError for another version or another thing."""
    return Matrix.model_validate_json(text)
