"""The page of a conformance run: every fact that somebody acts on stands in it, and no secret does."""

from __future__ import annotations

import re

import pytest

from harness.cli.conform import clean, side_by_side
from harness.report.conformance import again, anchor, conformance_report
from harness.report.html import page
from harness.results.finding import Finding
from harness.results.fingerprint import Fingerprint
from harness.results.run import ConformRun, ConformSetRun, RequirementResult
from harness.target import Identities, Target

SECRET = "a-secret-of-the-project"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl"
WIRE = {
    "t0": 1.0, "t1": 1.1, "user": "", "device": "d1", "op": "request", "outcome": "ok",
    "value": {
        "method": "GET", "url": "/auth/v1/keys", "headers": {"apikey": "(redacted)"}, "body": None, "status": 200,
        "reply": {"headers": {"content-type": "application/json"}, "body": f'{{"d":"{SECRET}","t":"{TOKEN}"}}'},
    },
}  # fmt: skip


def result(id_: str, status: str, **given: object) -> RequirementResult:
    """What the suite says of one requirement."""
    return RequirementResult.model_validate(
        {"id": id_, "level": "MUST", "status": status, "title": f"title of {id_}", **given}
    )


@pytest.fixture
def staging() -> ConformRun:
    """A run with one requirement of each kind of outcome, as the suite wrote it."""
    shown = Finding(requirement="AUTH-23", sentence=f"GET /auth/v1/keys: {SECRET}", witness=(WIRE,))
    rule = {"statement": "No key is shown.", "clause": "RFC 7517, 9.2", "quote": "MUST be kept", "why": "All is lost."}
    return ConformRun(
        fingerprint=Fingerprint(created="2025-01-02T03:04:05+00:00", settings={"time": "real"}),
        target="staging", argument="my staging.toml", verdict="not-conformant", reason="broken AUTH-23",
        requirements=(
            result("AUTH-23", "fail", finding=shown, **rule),
            result("AUTH-24", "unknown", detail="nobody was there"),
            result("TURN-1", "not-verified", detail="it would take a relay"),
            result("MM-S1", "pass", evidence="E1"),
            result("MM-S2", "not-verified", detail="its test was not chosen", chosen=False),
        ),
    )  # fmt: skip


@pytest.fixture
def html(staging: ConformRun) -> str:
    """The page as it is written for somebody."""
    target = Target(
        name="staging", api_url="http://h/api", supabase_url="http://h", anon_key="an-anon-key",
        identities=Identities(mode="jwt", jwt_secret=SECRET),
    )  # fmt: skip
    other = staging.model_copy(update={"target": "hardened", "verdict": "conformant", "requirements": ()})
    return page(side_by_side([clean(staging, target), other]), "a-run")


def test_it_needs_nothing_else_and_is_small(html: str) -> None:
    """No scripts, nothing that is fetched, every link leads to a place on the page."""
    assert "<script" not in html and "url(http" not in html and len(html) < 2_000_000
    links = set(re.findall(r'(?:src|href)="([^"]*)"', html))
    assert links - {"data:,"} <= {f"#{place}" for place in re.findall(r'id="([^"]*)"', html)}


def test_no_secret_stands_in_it(html: str) -> None:
    """A page is sent around: what a target let slip does not go with it."""
    assert SECRET not in html and TOKEN not in html and "eyJ" not in html
    assert "redacted" in html


def test_a_breach_is_told_in_full(html: str) -> None:
    """What came, what is required, where that is promised, why it matters, what went over the wire."""
    text = ("GET /auth/v1/keys", "No key is shown. (MUST)", "RFC 7517, 9.2", "MUST be kept", "All is lost.")
    assert all(part in html for part in text)
    assert "&gt; GET /auth/v1/keys" in html and "&lt; 200" in html and "&lt; content-type: application/json" in html


def test_it_says_how_to_test_it_again(staging: ConformRun) -> None:
    """The command names the target as it was given, that requirement alone, and the time of a built-in target."""
    assert again(staging, "MM-S1") == "gurukul conform 'my staging.toml' -k MM-S1."
    built_in = staging.model_copy(update={"target": "hardened", "argument": "hardened"})
    assert again(built_in, "MM-S1") == "gurukul conform hardened -k MM-S1. --time real"


def test_what_is_not_known_has_its_reason(html: str) -> None:
    """A doubt and a gap are told apart from a breach, each with its reason; what was not chosen is counted only."""
    assert "nobody was there" in html and "it would take a relay" in html
    assert "1 not chosen" in html and "its test was not chosen" not in html.partition('id="figures"')[0]


def test_the_matrix_has_all_that_was_chosen(staging: ConformRun) -> None:
    """Group by group, with words and counts for each target."""
    report = conformance_report(staging)
    assert [(group.name, group.tallies) for group in report.groups] == [
        ("AUTH", [[("fail", 1), ("unknown", 1)]]),
        ("TURN", [[("not-verified", 1)]]),
        ("MM", [[("pass", 1)]]),
    ]
    assert [row.evidence for group in report.groups for row in group.rows] == ["E0", "E0", "E0", "E1"]


def test_a_place_on_the_page_is_a_plain_word() -> None:
    """A target may be called anything."""
    assert anchor('my "staging"', "MM-S1") == "my--staging--MM-S1"


@pytest.mark.parametrize(
    ("verdicts", "worst"),
    [
        (["conformant", "partial"], "partial"),
        (["partial", "unknown"], "unknown"),
        (["unknown", "not-conformant", "conformant"], "not-conformant"),
    ],
)
def test_of_several_the_worst_counts(staging: ConformRun, verdicts: list[str], worst: str) -> None:
    """A breach anywhere is a breach of the whole; doubt comes next."""
    runs = [staging.model_copy(update={"verdict": verdict}) for verdict in verdicts]
    together = side_by_side(runs)
    assert isinstance(together, ConformSetRun) and together.verdict == worst
