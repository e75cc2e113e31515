"""The options that several verbs share, each written once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.errors import Trouble
from harness.lab.choice import check_choice, check_some_choice
from harness.results.store import check_writable


def writable_json(context: typer.Context, json: str) -> str:
    """A path that can be written, `-`, or nothing. Raises Trouble before anything is measured that would be lost."""
    if json not in {"", "-"} and not context.resilient_parsing:
        check_writable(Path(json))
    return json


def writable(context: typer.Context, option: typer.CallbackParam, path: Path | None) -> Path | None:
    """As `writable_json`, for what goes into a file alone."""
    if path is None or context.resilient_parsing:
        return path
    if str(path) == "-":
        name = max(option.opts, key=len)
        raise Trouble(f"{name} -: it goes into a file, not to standard output", "name a file")
    check_writable(path)
    return path


def readable_choice(context: typer.Context, k: str | None) -> str | None:
    """An expression that pytest can read, or None. Raises Trouble for any other."""
    if k is not None and not context.resilient_parsing:
        check_choice(k)
    return k


def some_choice(context: typer.Context, k: str | None) -> str | None:
    """An expression that says something, or None. Raises Trouble for an empty one."""
    if k is not None and not context.resilient_parsing:
        check_some_choice(k)
    return k


TargetArgument = Annotated[
    str, typer.Argument(metavar="TARGET", help="documented, hardened (started for the command), or a target file.")
]
TargetsArgument = Annotated[
    list[str], typer.Argument(metavar="TARGET...", help="documented, hardened (started for the command), or files.")
]
Json = Annotated[
    str,
    typer.Option(
        "--json",
        metavar="FILE",
        callback=writable_json,
        help="Write the same facts for a program; - is standard output.",
    ),
]
Html = Annotated[
    Path | None,
    typer.Option("--html", metavar="FILE", callback=writable, help="Write one self-contained HTML page."),
]
Verbose = Annotated[int, typer.Option("--verbose", "-v", count=True, help="Say more.")]
DatabaseUrl = Annotated[
    str,
    typer.Option(
        metavar="URL",
        help="A PostgreSQL 15 or newer for the built-in targets, which get throw-away databases in it. "
        "Without it an embedded one is started.",
    ),
]
Results = Annotated[Path, typer.Option(metavar="DIR", help="Where runs are kept.")]
Require = Annotated[
    list[str] | None,
    typer.Option(
        metavar="EXPR...",
        help="What the figures must hold, or the exit status is 1: 'matches_per_s>500' 'join_to_match_ms.p99<200' "
        "'violations==0'. Names: docs/swarms.md.",
    ),
]
AtOnce = Annotated[
    int | None,
    typer.Option(min=1, metavar="USERS", help="So much room: who is due and finds none is late, or dropped."),
]
FindCeiling = Annotated[
    bool,
    typer.Option(
        "--find-ceiling",
        help="Step up until a budget, a threshold or a requirement breaks: from --rate (5) on, each step --duration "
        "(8) seconds long and of --users (100) at least. Tells the last step that held, and what broke first.",
    ),
]
Seed = Annotated[int, typer.Option(help="The seed of everything that is drawn by lot.")]

DEFAULT_SEED = 1
DEFAULT_RESULTS = Path("results")
