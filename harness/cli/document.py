"""The command's reference as a page: `python -m harness.cli.document docs/command.md` writes it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import typer

from harness.cli.main import app

_HEAD = """# The command

Generated from the command itself by `python -m harness.cli.document docs/command.md`. Do not edit this page.
`gurukul VERB --help` says the same. `make venv` installs `gurukul` into `.venv/bin`:

```sh
export PATH="$PWD/.venv/bin:$PATH"
```
"""


def page() -> str:
    """The whole page, in Markdown."""
    group: Any = typer.main.get_command(app)
    return "\n".join([_HEAD, group.help, "", *(_section(verb) for verb in group.commands.values())])


def _section(verb: Any) -> str:
    context = verb.context_class(verb, info_name=f"gurukul {verb.name}")
    shown = [found for found in (one.get_help_record(context) for one in verb.params) if found]
    rows = [f"| `{_cell(name)}` | {_cell(text)} |" for name, text in shown]
    table = ["| | |", "| --- | --- |", *rows, ""] if rows else []
    usage = " ".join(verb.get_usage(context).split()).removeprefix("Usage: ")
    return "\n".join([f"## gurukul {verb.name}", "", "```text", usage, "```", "", verb.help, "", *table])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
