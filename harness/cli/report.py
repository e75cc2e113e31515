"""`gurukul report`: a stored run, shown again; it never talks to a target."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from harness.cli.output import each, summarise, write_page
from harness.cli.running import Exit, say
from harness.results.store import StoredRun, load_run


def report(run: Path, html: Path | None) -> int:
    """Shows a stored run, and writes its page where one is asked for."""
    stored = load_run(run)
    each(*([partial(_page, stored, html)] if html is not None else []), lambda: summarise(stored))
    return Exit.VALID


def _page(run: StoredRun, path: Path) -> None:
    write_page(run, path)
    say(f"page: {path}")
