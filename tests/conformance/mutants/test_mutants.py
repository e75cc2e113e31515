"""The mutants as a body: every one can be built in, and every requirement that matters kills one."""

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest

from conformance.mutants_page import page
from conformance.requirements import CATALOGUE
from harness.lab.mutants import Mutant, built_in_folder, mutants_in
from reference_server.app import ENGINES
from reference_server.db.installation import schema_texts
from reference_server.mutation import Mutation
from reference_server.settings import Settings

DOCS = Path(__file__).parents[3] / "docs"
MUTANTS = mutants_in(built_in_folder())
WRONG = [mutant for mutant in MUTANTS if not mutant.legal]
LEGAL = [mutant for mutant in MUTANTS if mutant.legal]

GROUPS = frozenset({"MM", "SG", "SEC-JWT", "SEC-WS", "REST-RLS", "LIM", "TURN", "AUTH", "DISC"})


class Rehearsal(Mutation):
    """Does what a mutant asks for, and takes it back when the test is over."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(Settings())
        self._monkeypatch = monkeypatch
        self.asked = 0

    def wrap(self, owner: Any, name: str, make: Any) -> None:
        self.asked += 1
        assert name in vars(owner), f"{owner} has no {name}"
        self._monkeypatch.setattr(owner, name, make(vars(owner)[name]))


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.id)
def test_it_can_be_built_in(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a mutant replaces is there, exactly once, in today's server; and it replaces something."""
    rehearsal = Rehearsal(monkeypatch)
    before = [*schema_texts(), ENGINES[mutant.engine].sql_text()]
    _mutate(mutant)(rehearsal)
    rewritten = rehearsal.rewritten(before)
    changes = rehearsal.asked + len(rehearsal._changes) + (rehearsal._build is not None)
    assert changes or rewritten != before or rehearsal.settings != Settings(), f"{mutant.id} changes nothing"


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.id)
def test_its_file_says_which_it_is(mutant: Mutant) -> None:
    """The file's name and its first sentence begin with the mutant's id, so that it is found."""
    assert mutant.path.name.startswith(f"{mutant.id.lower()}_")
    assert mutant.path.read_text(encoding="utf-8").startswith(f'"""{mutant.id}: ')
    assert mutant.why


def test_there_are_enough() -> None:
    """At least 26 of the faults that were seen in the field, and the lawful habits."""
    field = [mutant for mutant in WRONG if re.fullmatch(r"M[0-4]\d", mutant.id)]
    assert len(field) >= 26
    assert len(LEGAL) >= 10


def test_what_they_name_is_in_the_catalogue() -> None:
    """A mutant names requirements that there are."""
    assert {name for mutant in WRONG for name in mutant.names} <= CATALOGUE.keys()


def test_the_catalogue_names_them_too() -> None:
    """The catalogue's entry for a requirement lists the mutants that name it, and no others."""
    for requirement in CATALOGUE.values():
        naming = {mutant.id for mutant in WRONG if requirement.id in mutant.names}
        assert set(requirement.mutants) == naming, requirement.id


def test_each_must_kills_one() -> None:
    """A requirement that no mutant names has never been seen to catch anything."""
    musts = [one for one in CATALOGUE.values() if one.level == "MUST" and one.group in GROUPS]
    assert not {one.id for one in musts if not one.mutants}


def test_the_page_is_made_from_them() -> None:
    """docs/mutants.md is what `python -m conformance.mutants_page docs/mutants.md` writes today."""
    assert (DOCS / "mutants.md").read_text(encoding="utf-8") == page(MUTANTS)


def _mutate(mutant: Mutant) -> Any:
    spec = importlib.util.spec_from_file_location(f"rehearsed_{mutant.path.stem}", mutant.path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.mutate
