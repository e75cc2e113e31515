"""Mutants: servers with one fault, or one unusual but lawful habit; found, read without being run, and deployed."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from harness.errors import Trouble
from harness.lab.deployment import Deployment, Time, deployment
from harness.lab.postgres import Cluster
from harness.target import Budgets, Capabilities, Target

NAME = "MUTANT"
"""The constant of a mutant's file that says what it is: a literal, which is read and not run."""
_REMEDY = "see docs/adding-a-mutant.md"


class Mutant(BaseModel):
    """What a mutant's file says of itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9-]*$")
    title: str = Field(min_length=1)
    """What the server does wrong, or (legal) what it does otherwise, as a clause."""
    why: str = ""
    """Where such a fault is seen, or why the habit is lawful; what was widened so that it is caught."""
    names: tuple[str, ...] = ()
    """The requirements that must go red."""
    legal: bool = False
    """A lawful variant: nothing may go red."""
    racing: bool = False
    """The fault shows only when calls race: how often it is caught is part of the result."""
    engine: str = "hardened"
    capabilities: dict[str, Any] = Field(default_factory=dict)
    """What it declares otherwise, as in a target file."""
    budgets: dict[str, float] = Field(default_factory=dict)
    """What it declares otherwise, as in a target file; a `queue_ttl` is also the server's."""
    path: Path = Path()

    @model_validator(mode="after")
    def _check(self) -> Mutant:
        if self.legal == bool(self.names):
            raise ValueError("a mutant names the requirements that must go red, a legal one names none")
        self.declared(Target(name="x", api_url="http://x", supabase_url="http://x", anon_key="x"))
        return self

    def declared(self, target: Target) -> Target:
        """The target that this mutant is, made from the one that the plain engine would be."""
        capabilities = Capabilities.model_validate({**target.capabilities.model_dump(), **self.capabilities})
        budgets = Budgets.model_validate({**target.budgets.model_dump(), **self.budgets})
        return target.model_copy(update={"name": self.id, "capabilities": capabilities, "budgets": budgets})


def read_mutant(path: Path) -> Mutant:
    """Reads what a file says of its mutant, without running it.

    Raises:
        Trouble: the file cannot be read, is not Python, or its `MUTANT` is missing, no literal, or malformed.
    """
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise Trouble(f"the mutant {path} cannot be read ({error.strerror})", "check its path") from None
    except (SyntaxError, ValueError) as error:
        raise Trouble(f"the mutant {path} is not Python ({error})", "mend it") from None
    literal = next((node.value for node in tree.body if isinstance(node, ast.Assign) and _is_named(node)), None)
    if literal is None:
        raise Trouble(f"{path} has no {NAME} = {{…}}", _REMEDY)
    try:
        return Mutant.model_validate({**ast.literal_eval(literal), "path": path.resolve()})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or NAME
        raise Trouble(f"{path}: {where}: {first['msg']}", _REMEDY) from None
    except (ValueError, TypeError):
        raise Trouble(f"{path}: {NAME} must be a literal dictionary", _REMEDY) from None


def built_in_folder() -> Path:
    """The folder of the mutants that come with the suite. Raises Trouble where the suite is not installed."""
    found = importlib.util.find_spec("conformance")
    if found is None or not found.submodule_search_locations:
        raise Trouble("the conformance suite is not installed", "pip install gurukul-harness")
    return Path(found.submodule_search_locations[0]) / "mutants"


def mutants_in(folder: Path) -> list[Mutant]:
    """The mutants of a folder and of its folder `legal`, by id; files that begin with an underscore are none.

    Raises:
        Trouble: there are none, a file is malformed, or an id stands twice.
    """
    files = [path for place in (folder, folder / "legal") for path in sorted(place.glob("*.py")) if path.name[0] != "_"]
    if not files:
        raise Trouble(f"there are no mutants in {folder}", _REMEDY)
    found: dict[str, Mutant] = {}
    for path in files:
        mutant = read_mutant(path)
        if mutant.id in found:
            raise Trouble(f"{path} and {found[mutant.id].path} are both {mutant.id}", "give one another id")
        found[mutant.id] = mutant
    return sorted(found.values(), key=lambda mutant: (mutant.legal, mutant.id))


def find_mutant(name: str) -> Mutant:
    """A mutant by its id among the built-in ones, or by its file. Raises Trouble where there is none."""
    if Path(name).suffix == ".py":
        return read_mutant(Path(name))
    for mutant in mutants_in(built_in_folder()):
        if mutant.id.lower() == name.lower():
            return mutant
    raise Trouble(f"there is no mutant {name}", "name one of docs/mutants.md by its id, or a Python file")


@asynccontextmanager
async def mutant_deployment(
    mutant: Mutant, cluster: Cluster, log: Path, *, time: Time = "scaled"
) -> AsyncIterator[Deployment]:
    """Starts a mutant on a throw-away database, as `deployment` does. Raises Trouble as it does."""
    async with deployment(
        mutant.engine, cluster, log, time=time, queue_ttl=mutant.budgets.get("queue_ttl"),
        settings={"mutant": mutant.path},
    ) as deployed:  # fmt: skip
        yield replace(deployed, target=mutant.declared(deployed.target))


def chosen(mutants: Sequence[Mutant], expression: str) -> list[Mutant]:
    """The mutants that an expression names: ids or words of a title, joined by `or`. Raises Trouble where none does."""
    words = [word.strip().lower() for word in expression.split(" or ")]
    found = [one for one in mutants if any(word == one.id.lower() or word in one.title.lower() for word in words)]
    if not found:
        raise Trouble(f"no mutant matches -k {expression!r}", "name one by its id, such as -k 'M01 or M02'")
    return found


def _is_named(node: ast.Assign) -> bool:
    return any(isinstance(target, ast.Name) and target.id == NAME for target in node.targets)
