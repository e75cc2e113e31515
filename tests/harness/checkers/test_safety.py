"""Stories that keep MM-S1 to MM-S7, and stories that break exactly one of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.results.finding import Judgement

Judged = Callable[..., Judgement]

BAD = {
    "two sessions, both pushed, nobody ended either": (
        "MM-S1",
        """
        0-0.1 A join
        0-0.1 B join
        0-0.1 C join
        0.5 A push X(A,B)
        0.6 C push Y(C,A)
        """,
    ),
    "the later session is seen while the earlier one is still shown active": (
        "MM-S1",
        """
        0-0.1   A join
        0-0.1   B join
        0.5     B push X(A,B)
        2-2.1   A join
        2-2.1   C join
        2.5     C push Y(A,C)
        4-4.1   B poll X(A,B)
        """,
    ),
    "an overlap that only polls show, of sessions that were ended soon after": (
        "MM-S1",
        """
        0-0.1   A join
        0-0.1   B join
        0-0.1   C join
        1-1.1   B poll X(A,B)
        1.2-1.4 C poll Y(A,C)
        1.3-1.4 C end Y
        1.6-1.7 B poll X(A,B)
        1.7-1.8 B end X
        """,
    ),
    "a couple that is matched twice over": (
        "MM-S1",
        """
        0-0.1 A join
        0-0.1 B join
        0.5 A push X(A,B)
        0.6 B push Y(B,A)
        """,
    ),
    "matched with oneself": (
        "MM-S2",
        """
        0-0.1 A join
        0-0.1 B join
        0.5 A push X(A,A)
        """,
    ),
    "matched with oneself through two devices": (
        "MM-S2",
        """
        0-0.1 A.d1 join
        0.1-0.2 A.d2 join
        0-0.1 B join
        0.5 A.d2 push X(A,A)
        """,
    ),
    "two sights of a session name different partners": (
        "MM-S3",
        """
        0-0.1 A join
        0-0.1 B join
        0-0.1 C join
        0.5 A push X(A,B)
        0.6 C push X(C,A)
        """,
    ),
    "a stranger is told of a session": (
        "MM-S3",
        """
        0-0.1 A join
        0-0.1 B join
        0.5 A push X(A,B)
        0.6 C push X(A,B)
        """,
    ),
    "matched without having asked": (
        "MM-S4",
        """
        0-0.1 A join
        0-0.1 D join
        0.1-0.2 B poll -
        0.5 A push X(A,B)
        """,
    ),
    "matched although the join was refused": (
        "MM-S4",
        """
        0-0.1 A join
        0-0.1 B join!
        0-0.1 D join
        0.5 A push X(A,B)
        """,
    ),
    "matched although they never waited at the same time: one had left before the other came back": (
        "MM-S6",
        """
        0-0.1   A join
        0-0.1   Z join
        1-1.1   A leave
        2-2.1   B join
        3-3.1   B leave
        4-4.1   A join
        5       A push X(A,B)
        """,
    ),
    "a ghost: its last sign of life was long ago": (
        "MM-S5",
        """
        0-0.1   A join
        0-0.1   Z join
        8-8.1   B join
        8.2     B push X(B,A)
        """,
    ),
    "a ghost that fell silent: its last heartbeat was long ago": (
        "MM-S5",
        """
        0-0.1   A join
        0-0.1   Z join
        3-3.1   A heartbeat
        3.5     A disconnect silent
        10-10.1 B join
        10.2    B push X(B,A)
        """,
    ),
    "matched after an accepted leave": (
        "MM-S6",
        """
        0-0.1   A join
        0-0.1   Z join
        1-1.1   A leave
        2-2.1   B join
        2.2     B push X(B,A)
        """,
    ),
    "matched after a leave, for an empty poll shows that it was not born before": (
        "MM-S6",
        """
        0-0.1   A join
        0-0.1   B join
        0.5-0.6 A leave
        0.8-0.9 B poll -
        1-1.1   B poll X(A,B)
        """,
    ),
    "one join, two sessions in turn": (
        "MM-S7",
        """
        0-0.1   A join
        0-0.1   B join
        0.5     A push X(A,B)
        1-1.1   A end X
        1-1.1   C join
        1.5     A push Y(A,C)
        """,
    ),
    "three joins before anybody came, then two sessions": (
        "MM-S7",
        """
        0-0.1   A join
        0-0.1   A.d2 join
        0.1-0.3 A join
        1-1.1   B join
        1.2     B push X(A,B)
        1.3-1.4 B end X
        1.5-1.6 C join
        1.7     C push Y(A,C)
        """,
    ),
}

GOOD = {
    "a match, an end, and another match": """
        0-0.1   A join
        0-0.1   B join
        0.5     A push X(A,B)
        0.6     B push X(A,B)
        1-1.1   A end X
        2-2.1   A join
        2-2.1   C join
        2.5     A push Y(A,C)
        """,
    "a push of the earlier session comes late, after the next join": """
        0-0.1   A join
        0-0.1   B join
        1-1.1   A join
        1-1.1   C join
        1.3     A push Y(A,C)
        1.4     A push X(A,B)
        """,
    "the partner ends the session by joining again": """
        0-0.1   A join
        0-0.1   B join
        0.5     A push X(A,B)
        1-1.1   B join
        1-1.1   C join
        1.2     B push Y(B,C)
        """,
    "an end that was never answered ended the session": """
        0-0.1   A join
        0-0.1   B join
        0.5     A push X(A,B)
        1-2     A end? X
        2.5-2.6 A join
        2.5-2.6 C join
        2.7     A push Y(A,C)
        """,
    "the end races with a poll": """
        0-0.1   A join
        0-0.1   B join
        0.5     A push X(A,B)
        1-2     A end X
        1.1-1.9 B poll X(A,B)
        1.5-3   A join
        1.5-1.6 C join
        1.8     C push Y(C,A)
        """,
    "a join that was never answered has taken effect later and ended the session": """
        0-0.1   A join?
        0.2-0.3 A join
        0-0.1   B join
        0.5     A push X(A,B)
        1-1.1   C join
        1.2     C push Y(C,A)
        """,
    "the slower of two joins ended the session of the quicker one": """
        0-2     A.d1 join
        0.1-0.2 A.d2 join
        0-0.1   B join
        0.5     A.d2 push X(A,B)
        1-1.1   C join
        1.5     C push Y(C,A)
        """,
    "the server ended the session after a vanished user, and he joined again": """
        0-0.1   A join
        0-0.1   B join
        0.5     A push X(A,B)
        1       A disconnect close
        2       A back
        2.1-2.2 A join
        2-2.1   C join
        2.3     A push Y(A,C)
        """,
    "the target ended the session by itself and said so": """
        0-0.1   A join
        0-0.1   B join
        0.5     A push X(A,B)
        5       B told X
        5.1-5.2 A join
        5-5.1   C join
        5.3     A push Y(A,C)
        """,
    "the same session by push, by poll and in the reply": """
        0-0.1   A join X(B,A)
        0-0.1   B join
        0.2     B push X(B,A)
        0.3-0.4 A poll X(A,B)
        """,
    "matched in the last moment of the TTL and its slack": """
        0-0.1   A join
        0-0.1   Z join
        6.55-6.56 B join
        6.7     B push X(B,A)
        """,
    "a heartbeat renewed the entry": """
        0-0.1   A join
        0-0.1   Z join
        4-4.1   A heartbeat
        10-10.1 B join
        10.2    B push X(B,A)
        """,
    "a join without an answer took effect late": """
        0-10    A join?
        0-0.1   Z join
        20-20.1 B join
        20.2    B push X(B,A)
        """,
    "a leave and a match race, and the match won": """
        0-0.1   A join
        0-0.1   B join
        0.5-0.9 A leave
        0.8     B push X(A,B)
        """,
    "the match was made before the leave and seen after it": """
        0-0.1   A join
        0-0.1   B join
        0.5-0.6 A leave
        3-3.1   B poll X(A,B)
        """,
    "left and joined again": """
        0-0.1   A join
        0-0.1   Z join
        1-1.1   A leave
        2-2.1   A join
        2-2.1   B join
        2.5     B push X(A,B)
        """,
    "a leave that was refused is none": """
        0-0.1   A join
        0-0.1   Z join
        1-1.1   A leave!
        2-2.1   B join
        2.5     B push X(A,B)
        """,
    "a partner of whom this history knows nothing": """
        0-0.1   A join
        0-0.1   B join
        0.5     A push X(A,Stranger)
        """,
    "two joins, two sessions": """
        0-0.1   A join
        0-0.1   B join
        0.5     B push X(A,B)
        1-1.1   A join
        1-1.1   C join
        1.5     C push Y(A,C)
        """,
    "a ghost is met within its TTL": """
        0-0.1   A join
        0-0.1   Z join
        1       A disconnect silent
        5-5.1   B join
        5.2     B push X(B,A)
        """,
}


@pytest.mark.parametrize("name", BAD)
def test_bad(name: str, judged: Judged) -> None:
    """A bad story breaks exactly the requirement that it is told for, with a sentence and a small witness."""
    requirement, text = BAD[name]
    judgement = judged(text)
    assert set(judgement.violations) == {requirement}, judgement.reason
    assert judgement.verdict == "invalid"
    finding = next(result for result in judgement.results if result.findings).findings[0]
    assert 2 <= len(finding.witness) <= 6
    assert [op["t0"] for op in finding.witness] == sorted(op["t0"] for op in finding.witness)
    assert all(user in finding.sentence for user in finding.users[:2])
    assert all(session in finding.sentence for session in finding.sessions)
    assert " s" in finding.sentence


@pytest.mark.parametrize("name", GOOD)
def test_good(name: str, judged: Judged) -> None:
    """A good story, however odd, breaks nothing."""
    judgement = judged(GOOD[name])
    assert judgement.violations == {}, [f.sentence for result in judgement.results for f in result.findings]
    assert judgement.verdict == "valid"


def test_a_double_match_is_told_once(judged: Judged) -> None:
    """A couple that is matched twice over is one finding, and each further session one more."""
    text = "0-0.1 A join\n0-0.1 B join\n0-0.1 C join\n0.5 A push X(A,B)\n0.6 B push Y(B,A)\n0.7 C push Z(C,A)"
    assert judged(text).violations == {"MM-S1": 2}


def test_the_sentence_tells_the_story(judged: Judged) -> None:
    """A person understands the sentence alone: who, with whom, in which sessions, when, and why it is certain."""
    text = "10-10.1 A join\n10-10.1 B join\n10-10.1 C join\n10.5 A push X(A,B)\n10.6 C push Y(C,A)\n12-12.1 B end X"
    finding = judged(text).results[0].findings[0]
    assert finding.sentence == (
        "user A was in two sessions at once at 0.600 s: "
        "X with B (seen by A by push at 0.500 s, not touched before the end of B at 2.000 s) and "
        "Y with C (seen by C by push at 0.600 s, never ended)"
    )
    assert [op["op"] for op in finding.witness] == ["join", "push", "push", "end"]


def test_users_who_bring_a_past(judged: Judged) -> None:
    """Users of a fixed list may bring a session or an entry of an earlier run: that is no finding."""
    text = """
        0-0.1   A poll X(A,B)
        1-1.1   A join
        1-1.1   C join
        1.5     A push Y(A,C)
        1.6-1.7 B poll -
    """
    assert "MM-S4" in judged(text).violations
    assert judged(text, fresh_users=False).violations == {}


def test_what_was_checked_is_counted(judged: Judged) -> None:
    """A requirement that a history never put to the test counts nothing, so that nobody calls it passed."""
    judgement = judged("0-0.1 A join\n0-0.1 B join\n0.5 A push X(A,B)\n0.5 B push X(A,B)")
    checked = {result.requirement: result.checked for result in judgement.results}
    assert checked["MM-S5"] == checked["MM-S6"] == checked["MM-L3"] == checked["MM-L5"] == 0
    assert checked["MM-S1"] == checked["MM-S7"] == 2
    assert "not exercised: MM-S5, MM-S6, MM-S8, " in judgement.reason
