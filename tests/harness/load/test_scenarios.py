"""What the scenarios say of themselves is so: ids of the catalogue, encounters that are counted, rows of the page."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from conformance.requirements import CATALOGUE
from harness.actor import personas
from harness.actor.persona import Persona
from harness.checkers.encounters import ENCOUNTERS
from harness.checkers.judge import CHECKERS
from harness.errors import Trouble
from harness.load.swarm import SwarmPlan, arrivals_of, judges_of, scenarios, schedule_of

ROOT = Path(__file__).parents[3]
NAMES = sorted(scenarios())
PAGE = (ROOT / "docs" / "swarms.md").read_text()


def classes(scenario: str) -> list[ast.ClassDef]:
    tree = ast.parse(scenarios()[scenario].read_text())
    return [node for node in tree.body if isinstance(node, ast.ClassDef)]


def said(scenario: str, attribute: str) -> list[ast.expr]:
    """What the classes of a locustfile set an attribute to."""
    nodes = [node for kind in classes(scenario) for node in kind.body if isinstance(node, ast.Assign)]
    return [node.value for node in nodes if getattr(node.targets[0], "id", "") == attribute]


@pytest.mark.parametrize("scenario", NAMES)
def test_what_a_scenario_judges_is_in_the_catalogue_and_has_a_checker(scenario):
    """Each id once; its checker reads histories, so that a swarm can judge it."""
    judges = judges_of(scenario)
    assert judges
    assert set(judges) <= CATALOGUE.keys() & CHECKERS.keys()
    written = [name for value in said(scenario, "judges") for name in ast.literal_eval(value)]
    assert len(written) == len(set(written))


@pytest.mark.parametrize("scenario", NAMES)
def test_what_a_scenario_is_for_can_be_met(scenario):
    """An encounter, or a requirement that it judges."""
    needs = [need for value in said(scenario, "needs") for need in ast.literal_eval(value)]
    assert set(needs) <= ENCOUNTERS.keys() | set(judges_of(scenario))


@pytest.mark.parametrize("scenario", NAMES)
def test_a_scenario_can_be_asked_for_by_its_name_alone(scenario):
    """Its arrivals are a schedule; each of its classes plays a persona of its own."""
    assert schedule_of(SwarmPlan(scenario, 3)).arrivals
    assert len(arrivals_of(scenario)) or scenario == "search_and_chat"
    played = [ast.unparse(value) for value in said(scenario, "persona")]
    assert len(played) == len(classes(scenario)) == len(set(played))


@pytest.mark.parametrize("scenario", NAMES)
def test_the_page_shows_what_a_scenario_judges(scenario):
    """In the table of the scenarios; the page is kept by hand and checked here."""
    (row,) = (line for line in PAGE.splitlines() if line.startswith(f"| `{scenario}` |"))
    listed = row.rsplit("|", 2)[1]
    assert listed.split() == short(judges_of(scenario)).split()


def short(judges: tuple[str, ...]) -> str:
    """Ids as the page lists them: the group once."""
    groups: dict[str, list[str]] = {}
    for name in judges:
        group, _, number = name.rpartition("-")
        letter = number[0] if number[0].isalpha() else ""
        groups.setdefault(f"{group}-{letter}", []).append(number.removeprefix(letter))
    return " ".join(f"{group}{','.join(numbers)}" for group, numbers in groups.items())


def test_every_persona_has_a_name_of_its_own():
    """Figures and histories tell them apart by it."""
    made = [value for value in vars(personas).values() if isinstance(value, Persona)]
    assert len({persona.name for persona in made}) == len(made)


def test_judges_that_must_be_worked_out_are_refused(monkeypatch, tmp_path):
    """What cannot be read without running the file is told."""
    (tmp_path / "own.py").write_text("class Own:\n    judges = tuple(ALL)\n")
    monkeypatch.setattr("harness.load.swarm.scenarios", lambda: {"own": tmp_path / "own.py"})
    with pytest.raises(Trouble, match="what own judges is no plain tuple"):
        judges_of("own")
