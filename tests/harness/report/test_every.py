"""Every figure of run.json stands on the page of the run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest

from harness.report.every import every_figure
from harness.report.html import page
from harness.results.claims import ClaimFigure, ClaimMeasured, ClaimRow
from harness.results.finding import Verdict
from harness.results.run import BenchRun, ClaimsRun, ConformSetRun, SwarmRun, TargetFigures, Timeline, dump_run

LIMIT = 2_000_000
CLAIM = ClaimRow(
    id="lock-hold", section="6", claim="~10-15ms", how="100 calls", verdict="broken", note="on a quiet database",
    documented=ClaimMeasured(
        verdict="broken", measured="0.4 ms",
        figures={"hold_ms": ClaimFigure(value=0.4123, n=100, interval_95=(0.31, 0.52))}, requirements={"LIM-1": "pass"},
    ),
    hardened=ClaimMeasured(verdict="not testable here", because="there is no such lock"),
)  # fmt: skip


def leaves(value: Any) -> Iterator[Any]:
    """Every value of a run.json that is neither null nor empty nor words of the catalogue, in order."""
    if isinstance(value, dict):
        catalogue = {"title", "statement", "clause", "quote", "why"} if "evidence" in value else set()
        value = [inner for key, inner in value.items() if key not in catalogue]
    if isinstance(value, list):
        for inner in value:
            yield from leaves(inner)
    elif value not in (None, ""):
        yield value


def shown(html: str) -> list[str]:
    """The cells of the page's tables of every figure; a series is unfolded into its numbers."""
    words = []
    for cell in re.findall(r'<tr><th scope="row">(?:[^<]|<wbr>)*</th><td>([^<]*)</td></tr>', html):
        words.append(unescape(cell))
        for word in unescape(cell).split():
            number, _, times = word.partition("×")
            words += [number.rstrip(",")] * int(times if times.isdecimal() else 1)
    return words


@pytest.fixture
def runs(bench: BenchRun) -> dict[str, Any]:
    """Runs of several kinds."""
    kinds = {"fingerprint": bench.fingerprint, "verdict": Verdict.VALID}
    return {
        "bench": bench,
        "swarm": SwarmRun(**kinds, targets=bench.targets[:1], scenario="search_and_chat"),
        "conform": bench.conformance[0],
        "conform-set": ConformSetRun(
            fingerprint=bench.fingerprint, verdict="not-conformant", conformance=bench.conformance
        ),
        "claims": ClaimsRun(**kinds, claims=(CLAIM,)),
    }


@pytest.mark.parametrize("kind", ["bench", "swarm", "conform", "conform-set", "claims"])
def test_every_figure_of_run_json_is_on_the_page(runs: dict[str, Any], kind: str) -> None:
    """Each number, word and yes or no of the stored file, as often as the file holds it."""
    there = shown(page(runs[kind]))
    missing = []
    for leaf in leaves(json.loads(dump_run(runs[kind]))):
        text = leaf if isinstance(leaf, str) else json.dumps(leaf)
        if text in there:
            there.remove(text)
        elif not any(text in cell for cell in there):
            missing.append(text)
    assert not missing


def test_a_figure_has_the_name_that_thresholds_use(bench: BenchRun) -> None:
    """Dotted, as in `--require`."""
    parts = {part.title: dict(part.rows) for part in every_figure(bench)}
    assert parts["targets[documented]"]["join_to_match_ms.p95"] == "2950.0"
    assert parts["targets[documented]"]["violations.MM-S1"] == "9"
    assert parts["targets[documented]"]["join_to_match_quantiles.at_most_ms"] == "8.0 61.0 2400.0 3100.0"
    assert parts["run"]["kind"] == "bench"


def test_a_series_is_one_row(bench: BenchRun) -> None:
    """What comes again and again is folded, so that an hour does not fill the page."""
    rows = {}
    for part in every_figure(bench):
        rows |= {f"{part.title}.{name}": text for name, text in part.rows}
    assert rows["targets[hardened].timeline.matches_per_s"].startswith("160.0 0.0×9 160.0")


def test_a_long_run_is_under_two_megabytes(bench: BenchRun) -> None:
    """An hour in tenths of a second, in which no two moments are the same, on four targets."""
    steps = 36_000
    long = Timeline(
        step=0.1,
        matches_per_s=tuple(float(number % 97) for number in range(steps)),
        waiting=tuple(number % 89 for number in range(steps)),
    )
    targets = tuple(TargetFigures(name=f"t{n}", verdict=Verdict.VALID, timeline=long) for n in range(4))
    run = bench.model_copy(update={"targets": targets})
    assert len(page(run).encode()) < LIMIT


def test_a_name_breaks_at_its_dots(bench: BenchRun) -> None:
    """And says nothing that a target could slip in as markup."""
    run = bench.model_copy(update={"targets": (bench.targets[0].model_copy(update={"violations": {"<b>": 1}}),)})
    html = page(run)
    assert '<th scope="row">join_to_match_ms.<wbr>p95</th>' in html
    assert "<b>" not in html.partition('id="figures"')[2] and "violations.<wbr>&lt;b&gt;" in html
