"""The page: self-contained, themed, complete, and safe against what a target says."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from harness.report.html import _TITLES, page, tone
from harness.results.finding import Finding, Verdict
from harness.results.fingerprint import Fingerprint
from harness.results.run import BenchRun, ConformRun, PeersRun, Run, SwarmRun, TargetFigures


def test_the_page_needs_nothing_else(bench: BenchRun) -> None:
    """Opened from a mail or an archive without network it looks the same: no scripts, and nothing that is fetched."""
    html = page(bench)
    assert "<script" not in html
    assert not re.search(r'(?:src|href)="(?!data:|#)', html)
    assert "url(http" not in html and "@import" not in html


def test_the_page_shows_figures_plots_and_the_first_witness(bench: BenchRun) -> None:
    """Comparison, a plot of matches over time for both engines, and what was found, with its ops."""
    html = page(bench, "a-run")
    for text in ("a-run", "correct matches per s", "14.2 (void)", "24.5", "24 of 24", "Matches over time", "MM-S1"):
        assert text in html
    assert html.count("<svg") == 8, "three charts and one timeline, each in two widths"
    assert "bbbbbb… with aaaaaa…" in html


def test_charts_take_their_colours_from_the_theme(bench: BenchRun) -> None:
    """Every stand-in colour became a variable that light, dark and print each define."""
    html = page(bench)
    assert not re.search(r'"#0[01]0[0-9]0[0-9]"', html)
    assert 'stroke="var(--series-0)"' in html and 'stroke="var(--series-1)"' in html
    assert html.count("--series-1:") == 3


def test_what_a_target_says_is_text(bench: BenchRun) -> None:
    """A finding quotes a target's answer, which may hold markup: it is shown, never run."""
    evil = Finding(requirement="MM-S1", sentence="<script>alert(1)</script>")
    figures = bench.targets[0].model_copy(update={"name": "<i>", "first_witness": {"MM-S1": evil}})
    html = page(bench.model_copy(update={"targets": (figures,), "conformance": ()}))
    assert "<script" not in html and "<i>" not in html
    assert "&lt;script&gt;" in html


@pytest.mark.parametrize("kind", [SwarmRun, PeersRun])
def test_an_empty_run_still_has_a_page(kind: type[SwarmRun | PeersRun]) -> None:
    """A run that was cut short before anything happened says so, without plots."""
    run = kind(
        fingerprint=Fingerprint(created="2025-01-02T03:04:05+00:00"), verdict=Verdict.UNKNOWN, interrupted=True,
        targets=(TargetFigures(name="staging", verdict=Verdict.UNKNOWN),),
    )  # fmt: skip
    html = page(run)
    assert "interrupted" in html and "staging" in html and "<svg" not in html


def test_a_conformance_run_has_a_page(bench: BenchRun) -> None:
    """Each requirement with its status, and the finding of the one that failed."""
    run: ConformRun = bench.conformance[0]
    html = page(run)
    assert "What was measured" not in html
    assert "title of MM-S2" in html and "not-conformant" in html and "two sessions at once" in html


def test_verdicts_have_tones() -> None:
    """What is wrong is never coloured as what is right, and doubt is neither."""
    assert [tone(word) for word in ("valid", "pass", "conformant")] == ["good"] * 3
    assert [tone(word) for word in ("invalid", "fail", "not-conformant")] == ["bad"] * 3
    assert [tone(word) for word in ("unknown", "error", "partial", "warn")] == [""] * 4


def test_every_kind_of_run_has_a_title() -> None:
    """A new kind is not forgotten until somebody asks for its page."""
    kinds = {kind.model_fields["kind"].default for kind in get_args(get_args(Run)[0])}
    assert kinds <= _TITLES.keys()
