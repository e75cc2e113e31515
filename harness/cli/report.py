"""`gurukul report`: a stored run, shown again; it never talks to a target."""

from __future__ import annotations

from pathlib import Path

from harness.cli.output import summarise, write_page
from harness.cli.running import Exit, say
from harness.results.store import load_run


def report(run: Path, html: Path | None) -> int:
    """Shows a stored run, and writes its page where one is asked for."""
    stored = load_run(run)
    if html is not None:
        write_page(stored, html)
        say(f"page: {html}")
    summarise(stored)
    return Exit.VALID
