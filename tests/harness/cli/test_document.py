"""The command's reference page."""

from __future__ import annotations

import re
from pathlib import Path

import typer

from harness.cli.document import page
from harness.cli.main import app
from harness.load.swarm import scenarios

PAGE = Path(__file__).parents[3] / "docs" / "command.md"


def test_the_page_is_current() -> None:
    """docs/command.md is what `python -m harness.cli.document docs/command.md` writes: nobody edits it by hand."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_every_scenario_is_named() -> None:
    """A reader of `gurukul swarm --help` need not guess one to be told the others; the page names the same."""
    params = typer.main.get_command(app).commands["swarm"].params
    help_ = next(param.help for param in params if param.name == "scenario")
    named = help_.removeprefix("What users do: ").partition(" (")[0]
    assert re.split(", | or ", named) == list(scenarios())


def test_every_verb_has_its_usage_and_its_options() -> None:
    """With what each takes and what it is for."""
    text = page()
    assert "gurukul swarm [OPTIONS]" in text
    assert "| `--write-target FILE` | Write the target file that the other verbs take. |" in text
