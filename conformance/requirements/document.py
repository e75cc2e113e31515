"""The catalogue as a page: `python -m conformance.requirements.document docs/requirements.md` writes it."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path

from conformance.requirements.catalogue import CATALOGUE, Requirement

_HEAD = """# Requirements

What the conformance suite checks, generated from `conformance/requirements/*.toml` by
`python -m conformance.requirements.document docs/requirements.md`. Do not edit this page: edit the catalogue.

Evidence levels: E0 HTTP and WebSocket only · E1 a second device or identity · E2 the database · E3 process control ·
E4 the clock.
"""


def page(catalogue: Mapping[str, Requirement] = CATALOGUE) -> str:
    """The whole page, in Markdown."""
    rows = ["| id | level | evidence | requirement |", "| --- | --- | --- | --- |"]
    rows += [f"| [{r.id}](#{_anchor(r)}) | {r.level} | {r.evidence} | {r.title} |" for r in catalogue.values()]
    return "\n".join([_HEAD, *rows, "", *(_section(r) for r in catalogue.values())])


def _anchor(requirement: Requirement) -> str:
    """Where a heading stands, as Markdown's readers name it: without points, commas and the like."""
    return re.sub(r"[^\w -]", "", f"{requirement.id} {requirement.title}".lower()).replace(" ", "-")


def _section(requirement: Requirement) -> str:
    parts = [
        f"## {requirement.id} {requirement.title}",
        requirement.statement,
        f"Source: {requirement.clause}: `{requirement.quote}`",
        f"Why it matters: {requirement.why}",
    ]
    if requirement.modes != "both":
        parts.append(f"Shown in {requirement.modes} time only.")
    if requirement.guards:
        parts.append(f"A pass means that {', and that '.join(requirement.guards)}; otherwise it is `unknown`.")
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
