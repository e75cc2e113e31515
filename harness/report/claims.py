"""Claims of the design document as a table on a terminal, and as the page results/claims.md."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from harness.results.claims import ClaimMeasured, ClaimRow
from harness.results.run import ClaimsRun

_STYLES = {"holds": "green", "broken": "bold red", "not testable here": "dim"}
_HEAD = """# What the design document says, and what is so

Each figure and promise of the design document, measured on the engine that does as the document says, and on the
hardened one ([how to read it](../docs/claims.md)). The verdict is about the documented system, or, for what the
document recommends to add, about the engine that has it. An approximate figure holds within a factor of 1.5. Where the
document admits a fault, `holds` means that the fault is there.

Made by `gurukul claims --from results/baselines/claims.json --markdown results/claims.md`.
"""


def claims_table(rows: Sequence[ClaimRow]) -> RenderableType:
    """A row for each claim."""
    table = Table(
        title="claim by claim", title_justify="left", title_style="bold", header_style="bold", show_lines=True
    )
    for name, width in (("§", 7), ("claim", None), ("verdict", 10), ("documented", None), ("hardened", None)):
        table.add_column(name, overflow="fold", max_width=width)
    for row in rows:
        verdict = Text(row.verdict, style=_STYLES[row.verdict])
        table.add_row(row.section, Text(row.claim), verdict, Text(seen(row.documented)), Text(seen(row.hardened)))
    return table


def claims_markdown(run: ClaimsRun) -> str:
    """The page: the verdict, where it was measured, and a table; the same run gives the same text."""
    print_ = run.fingerprint
    where = (
        f"Measured on {print_.cpu} ({print_.cpus} processors, load {print_.load_1m:g} before it began), "
        f"commit `{print_.commit}`, seed {print_.seed}."
    )
    head = "| section | claim | tested by | documented | hardened | verdict |"
    lines = [_HEAD, f"**{run.verdict.value}**: {run.reason}. {where}", "", head, "| --- " * 6 + "|"]
    lines += [_line(row) for row in run.claims]
    return "\n".join(lines) + "\n"


def seen(measured: ClaimMeasured) -> str:
    """What one engine showed, in words."""
    if measured.verdict != "not testable here":
        return f"{measured.verdict}: {measured.measured}"
    return f"not testable here, because {measured.because}" + (f" ({measured.measured})" if measured.measured else "")


def _line(row: ClaimRow) -> str:
    how = f"{row.how}. {row.note}" if row.note else row.how
    cells = (row.section, f"`{row.claim}`", how, seen(row.documented), seen(row.hardened), f"**{row.verdict}**")
    return f"| {' | '.join(cell.replace('|', '/').replace(chr(10), ' ') for cell in cells)} |"
