"""The command's reference page."""

from __future__ import annotations

from pathlib import Path

from harness.cli.document import page

PAGE = Path(__file__).parents[3] / "docs" / "command.md"


def test_the_page_is_current() -> None:
    """docs/command.md is what `python -m harness.cli.document docs/command.md` writes: nobody edits it by hand."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_every_verb_has_its_usage_and_its_options() -> None:
    """With what each takes and what it is for."""
    text = page()
    assert "gurukul swarm [OPTIONS]" in text
    assert "| `--write-target FILE` | Write the target file that the other verbs take. |" in text
