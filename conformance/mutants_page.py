"""The mutants as a page: `python -m conformance.mutants_page docs/mutants.md` writes it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from harness.lab.mutants import Mutant, built_in_folder, mutants_in

_HEAD = """# Mutants

Servers that are wrong in one way each, by which the conformance suite itself is tested: `gurukul mutants` runs it
on every one, and each must go red at the requirements that it names. Lawful variants must stay green. A racing one is
tried several times: the share in which it is caught is the power of the test.

Generated from `conformance/mutants/*.py` by `python -m conformance.mutants_page docs/mutants.md`. Do not edit this
page: edit a mutant, or add one ([adding-a-mutant.md](adding-a-mutant.md)). `gurukul serve --mutant M01` runs one.
"""


def page(mutants: Sequence[Mutant]) -> str:
    """The whole page, in Markdown."""
    wrong = [mutant for mutant in mutants if not mutant.legal]
    lines = [_HEAD, "| id | what the server does wrong | must go red | where it is seen |", "| --- | --- | --- | --- |"]
    lines += [f"| {_id(m)} | {m.title} | {', '.join(m.names)} | {m.why} |" for m in wrong]
    lines += [
        "",
        "## Lawful variants",
        "",
        "| id | what the server does otherwise | why it may |",
        "| --- | --- | --- |",
    ]
    lines += [f"| {_id(m)} | {m.title} | {m.why} |" for m in mutants if m.legal]
    return "\n".join([*lines, ""])


def _id(mutant: Mutant) -> str:
    folder = "legal/" if mutant.legal else ""
    racing = " (racing)" if mutant.racing else ""
    return f"[{mutant.id}](../conformance/mutants/{folder}{mutant.path.name}){racing}"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(mutants_in(built_in_folder())), encoding="utf-8")
