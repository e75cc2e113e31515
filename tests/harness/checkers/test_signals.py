"""Stories that keep SG-S1 to SG-S4, and stories that break exactly one of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.results.finding import Judgement
from harness.target import Capabilities

Judged = Callable[..., Judgement]

MATCH = "0-0.1 A join\n0-0.1 B join\n0.5 A push X(A,B)\n0.5 B push X(A,B)\n"
HEARS = MATCH + "0.6-0.7 B subscribe X\n"

BAD = {
    "an early candidate never comes": (
        "SG-S1",
        HEARS
        + """
        1-1.1   A signal_send X 1 ice-candidate
        1.2-1.3 A signal_send X 2 offer
        1.4     B signal_recv X A 2 offer m2 push
        4-4.1   B heartbeat
        """,
    ),
    "it is not among those that were stored": (
        "SG-S1",
        MATCH + "1-1.1 A signal_send X 1 ice-candidate\n2-2.1 B fetch X",
    ),
    "they come in the wrong order": (
        "SG-S1",
        HEARS
        + """
        1-1.1   A signal_send X 1 offer
        1.2-1.3 A signal_send X 2 ice-candidate
        1.4     B signal_recv X A 2 ice-candidate m2 push
        1.5     B signal_recv X A 1 offer m1 push
        """,
    ),
    "one is stored twice": (
        "SG-S2",
        HEARS + "1-1.1 A signal_send X 1 offer\n1.4 B signal_recv X A 1 offer m1\n1.5 B signal_recv X A 1 offer m2",
    ),
    "it comes to a stranger": (
        "SG-S3",
        HEARS + "1-1.1 A signal_send X 1 offer\n0-0.1 C heartbeat\n1.4 C signal_recv X A 1 offer m1",
    ),
    "it comes from one who is not in the session": (
        "SG-S3",
        HEARS + "1-1.1 C signal_send X 1 offer\n1.4 B signal_recv X C 1 offer m1",
    ),
    "an answer comes that nobody sent": ("SG-S3", HEARS + "1.4 B signal_recv X A 1 answer m1"),
    "both are told to offer": (
        "SG-S4",
        "0-0.1 A join\n0-0.1 B join\n0.5 A push X(A,B) offers:A\n0.5 B push X(A,B) offers:B",
    ),
    "neither is told to offer": (
        "SG-S4",
        "0-0.1 A join\n0-0.1 B join\n0.5 A push X(A,B) offers:B\n0.5 B push X(A,B) offers:A",
    ),
    "both offer, and neither answers": (
        "SG-S4",
        MATCH + "1-1.1 A signal_send X 1 offer\n1-1.1 B signal_send X 1 offer",
    ),
    "both wait for an offer": ("SG-S4", MATCH + "1-9 A connect! X answerer\n1-9 B connect! X answerer"),
}

GOOD = {
    "a handshake": HEARS
    + """
    0.6-0.7 A subscribe X
    1-1.1   A signal_send X 1 offer
    1.2     B signal_recv X A 1 offer m1 push
    1.3-1.4 B signal_send X 1 answer
    1.4     A signal_recv X B 1 answer m2 push
    4-4.1   A heartbeat
    4-4.1   B heartbeat
    """,
    "a signal that was refused": HEARS + "1-1.1 A signal_send! X 1 offer\n4-4.1 B heartbeat",
    "a signal whose answer was lost": HEARS + "1-1.1 A signal_send? X 1 offer\n4-4.1 B heartbeat",
    "the partner did not listen yet": MATCH
    + "0.6-1.05 B subscribe X\n1-1.1 A signal_send X 1 offer\n4-4.1 B heartbeat",
    "the partner was cut off": HEARS + "1-1.1 A signal_send X 1 offer\n1.2 B lost\n2 B back\n4-4.1 B heartbeat",
    "what was pushed is held back, for the fetch fails": HEARS
    + "0.7-0.8 B fetch! X\n1-1.1 A signal_send X 1 offer\n4-4.1 B heartbeat",
    "fetched before it was sent": MATCH + "0.6-1.05 B fetch X\n1-1.1 A signal_send X 1 offer",
    "it comes late, but it comes": HEARS
    + "1-1.1 A signal_send X 1 offer\n4-4.1 B heartbeat\n5 B signal_recv X A 1 offer m1",
    "sent twice, for the first answer was lost": HEARS
    + "1-1.1 A signal_send? X 1 offer\n1.2-1.3 A signal_send X 1 offer\n1.4 B signal_recv X A 1 offer m1\n"
    "1.5 B signal_recv X A 1 offer m2",
    "pushed to two devices": HEARS
    + "1-1.1 A signal_send X 1 offer\n1.4 B signal_recv X A 1 offer m1\n1.5 B.d2 signal_recv X A 1 offer m1",
    "sent at the same time, in either order": HEARS
    + "1-1.2 A signal_send X 1 offer\n1.1-1.3 A signal_send X 2 ice-candidate\n"
    "1.4 B signal_recv X A 2 ice-candidate m2 push\n1.5 B signal_recv X A 1 offer m1 push",
    "one is fetched, the other pushed": HEARS
    + "1-1.1 A signal_send X 1 offer\n1.2-1.3 A signal_send X 2 ice-candidate\n"
    "1.4 B signal_recv X A 2 ice-candidate m2 push\n1.5 B signal_recv X A 1 offer m1 fetch",
    "what the target writes when a user vanishes": HEARS + "2 B signal_recv X A 1 call-ended m9",
    "glare that is resolved": HEARS
    + "1-1.1 A signal_send X 1 offer\n1-1.1 B signal_send X 1 offer\n2-2.1 B signal_send X 2 answer",
    "one offerer": "0-0.1 A join\n0-0.1 B join\n0.5 A push X(A,B) offers:B\n0.5 B push X(A,B) offers:B",
}


@pytest.mark.parametrize("name", BAD)
def test_breach(name: str, judged: Judged) -> None:
    """The requirement is broken, and no other; the witness has two to six ops, or one where nothing else is known."""
    requirement, text = BAD[name]
    judgement = judged(text)
    assert set(judgement.violations) == {requirement}, judgement.reason
    finding = next(f for result in judgement.results for f in result.findings)
    assert 2 <= len(finding.witness) <= 6


@pytest.mark.parametrize("name", GOOD)
def test_no_breach(name: str, judged: Judged) -> None:
    """Nothing is broken."""
    judgement = judged(GOOD[name])
    assert judgement.violations == {}, judgement.results


def test_a_target_without_push_loses_nothing_by_push(judged: Judged) -> None:
    """Where no push is offered, only a fetch shows a loss."""
    text = BAD["an early candidate never comes"][1]
    assert judged(text, Capabilities(push=False)).violations == {}


def test_what_was_checked(judged: Judged) -> None:
    """A history without signals shows nothing, and says so; a handshake shows all four."""
    idle = {r.requirement: (r.checked, r.detail) for r in judged(MATCH).results if r.requirement.startswith("SG")}
    assert all(checked == 0 and detail for checked, detail in idle.values())
    busy = {r.requirement: r.checked for r in judged(GOOD["a handshake"] + "\n9-9.1 A connect X offerer\n9-9.1 B "
        "connect X answerer").results if r.requirement.startswith("SG")}  # fmt: skip
    assert busy == {"SG-S1": 2, "SG-S2": 2, "SG-S3": 2, "SG-S4": 1}
