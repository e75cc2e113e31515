"""From outcomes to a stored run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from conformance.outcome import Outcome, broken
from conformance.requirements import CATALOGUE
from conformance.results import conform_run, write_results
from harness.results.store import load_run
from harness.target import Budgets, Target

TARGET = Target(name="t", api_url="http://t/api", supabase_url="http://t", anon_key="k", budgets=Budgets(queue_ttl=6))
FINDING = broken("MM-S3", sent="two met", came="a third was told").finding
OUTCOMES = [
    Outcome(CATALOGUE["MM-S1"], "pass", 1.23456),
    Outcome(CATALOGUE["MM-S3"], "fail", 2.0, FINDING.sentence, FINDING),
    Outcome(CATALOGUE["MM-L2"], "unknown", 0.5, "no race was run"),
]


def test_a_run_is_written_and_read_back(tmp_path: Path) -> None:
    """Folders are made on the way, and what is stored is what came."""
    path = tmp_path / "new" / "r.json"
    write_results(path, TARGET, OUTCOMES)
    run = load_run(path)
    assert run == conform_run(TARGET, OUTCOMES).model_copy(update={"fingerprint": run.fingerprint})


def test_a_breach_says_what_was_required_and_why() -> None:
    """The stored detail teaches without the catalogue at hand."""
    rows = {result.id: result for result in conform_run(TARGET, OUTCOMES).requirements}
    detail = rows["MM-S3"].detail
    assert detail.startswith("two met: a third was told. Required: Every observation")
    assert CATALOGUE["MM-S3"].why in detail
    assert rows["MM-L2"].detail == "no race was run" and rows["MM-S1"].detail == ""


def test_the_reason_names_what_decides() -> None:
    """The verdict's reason is about the requirements that led to it."""
    assert conform_run(TARGET, OUTCOMES).reason == "broken MM-S3"
    assert conform_run(TARGET, OUTCOMES[::2]).reason == "not enough evidence for MM-L2"
    assert conform_run(TARGET, OUTCOMES[:1]).reason == "every requirement is met"
    left_out = replace(OUTCOMES[0], status="not-verified", chosen=False)
    assert conform_run(TARGET, [OUTCOMES[0], left_out]).reason == "1 requirements were not chosen"


def test_an_interrupted_run_is_unknown() -> None:
    """Even a breach that was found does not make a verdict of half a run."""
    run = conform_run(TARGET, OUTCOMES, interrupted=True)
    assert (run.verdict, run.reason, run.interrupted) == ("unknown", "the run was interrupted", True)


def test_the_budgets_go_with_it() -> None:
    """Whoever judges the histories again needs what they were judged by."""
    assert conform_run(TARGET, OUTCOMES).budgets == {"t": TARGET.budgets}
