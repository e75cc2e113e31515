"""Claims on a terminal, as Markdown and on the page: the document's words, and for each engine what became of them."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from harness.report.claims import claims_markdown, claims_table, seen
from harness.report.html import page
from harness.results.claims import ClaimMeasured, ClaimRow
from harness.results.finding import Verdict
from harness.results.fingerprint import Fingerprint
from harness.results.run import ClaimsRun

HELD = ClaimMeasured(verdict="holds", measured="10 of 10 | all")
OUT_OF_REACH = ClaimMeasured(verdict="not testable here", because="no relay is here", measured="ours let in 5")
ROW = ClaimRow(
    id="ten", section="15", claim="First ~10 should succeed", how="a hundred joins\nat once", note="A note.",
    documented=HELD, hardened=OUT_OF_REACH, verdict="holds",
)  # fmt: skip
RUN = ClaimsRun(
    fingerprint=Fingerprint(
        created="2025-01-02T03:04:05+00:00", commit="0123456789ab", cpu="A processor", cpus=2, load_1m=1.5, seed=7
    ),
    verdict=Verdict.VALID, reason="of 1 claims 1 hold", claims=(ROW,),
)  # fmt: skip


def test_a_claim_is_a_row_of_markdown() -> None:
    """One line, in which nothing of what was measured can end a cell."""
    *_, line = claims_markdown(RUN).splitlines()
    assert line.count("|") == 7
    assert line == (
        "| 15 | `First ~10 should succeed` | a hundred joins at once. A note. | holds: 10 of 10 / all "
        "| not testable here, because no relay is here (ours let in 5) | **holds** |"
    )


def test_the_page_of_markdown_says_where_it_was_measured() -> None:
    """And what all claims came to."""
    assert (
        "**valid**: of 1 claims 1 hold. Measured on A processor (2 processors, load 1.5 before it began), "
        "commit `0123456789ab`, seed 7." in claims_markdown(RUN)
    )


@pytest.mark.parametrize("measured", [HELD, OUT_OF_REACH])
def test_terminal_and_page_say_the_same(measured: ClaimMeasured) -> None:
    """The verdict on each engine, and why where there is none."""
    said = io.StringIO()
    Console(file=said, width=400).print(claims_table(RUN.claims))
    assert seen(measured) in said.getvalue()
    assert seen(measured) in page(RUN)
