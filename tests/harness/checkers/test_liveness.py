"""Stories that keep MM-L1, L2, L3 and L5, and stories that break exactly one of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.results.finding import CheckResult, Judgement
from harness.target import Capabilities

Judged = Callable[..., Judgement]

BAD = {
    "the partner saw it long ago, and a poll still shows nothing": (
        "MM-L1",
        """
        0-0.1   A join
        0-0.1   B join
        0.5     A push X(A,B)
        1.6-1.7 B poll -
        """,
    ),
    "silent for almost the TTL, and a poll still shows nothing": (
        "MM-L1",
        """
        0-0.1   A join
        0-0.1   B join X(A,B)
        5.3-5.4 A poll -
        """,
    ),
    "silent for longer, and a sign of life came in time": (
        "MM-L1",
        """
        0-0.1   A join
        0-0.1   B join X(A,B)
        4-4.1   A heartbeat
        5-5.1   B heartbeat
        8-8.1   A poll -
        """,
    ),
    "subscribed all the while, and no push came": (
        "MM-L1",
        """
        0-0.1     A subscribe matches
        0-0.1     B subscribe matches
        0.2-0.3   A join
        0.2-0.3   B join
        0.5       A push X(A,B)
        3-3.1     B poll X(A,B)
        3.2-3.3   B subscribe X
        """,
    ),
    "the push came too late": (
        "MM-L1",
        """
        0-0.1     A subscribe matches
        0-0.1     B subscribe matches
        0.2-0.3   A join
        0.2-0.3   B join
        0.5       A push X(A,B)
        2.1       B push X(A,B)
        """,
    ),
    "two users poll in vain side by side": (
        "MM-L2",
        """
        0-0.1   A join
        0-0.1   B join
        2-2.1   A poll -
        2-2.1   B poll -
        """,
    ),
    "both were matched in the end, with users who came too late to excuse the wait": (
        "MM-L2",
        """
        0-0.1   A join
        0-0.1   B join
        4-4.1   C join
        4-4.1   D join
        4.5     C push X(C,A)
        4.5     D push Y(D,B)
        """,
    ),
    "two users are left when nobody comes any more": (
        "MM-L3",
        """
        0-0.1   A join
        0-0.1   B join
        0.5-4   - drain
        1.6-1.7 A poll -
        1-1.05  B poll -
        1.6-1.7 B poll -
        """,
    ),
    "the partner of a closed tab is never told, and a poll still shows the session": (
        "MM-L5",
        """
        0-0.1   A join
        0-0.1   B join
        0.5     A push X(A,B)
        0.5     B push X(A,B)
        1-1.1   A disconnect close
        6-6.1   B poll X(A,B)
        """,
    ),
    "the partner of a silent user listens, and is never told": (
        "MM-L5",
        """
        0-0.1   A join
        0-0.1   B join
        0.5     A push X(A,B)
        0.5     B push X(A,B)
        0.6-0.7 B subscribe X
        1       A disconnect silent
        6-6.1   B heartbeat
        """,
    ),
    "the partner is told too late": (
        "MM-L5",
        """
        0-0.1   A join
        0-0.1   B join
        0.5     A push X(A,B)
        0.5     B push X(A,B)
        0.6-0.7 B subscribe X
        1       A disconnect silent
        5       B told X
        """,
    ),
}

GOOD = {
    "told by push in the last moment": """
        0-0.1     A subscribe matches
        0-0.1     B subscribe matches
        0.2-0.3   A join
        0.2-0.3   B join
        0.5       A push X(A,B)
        1.9       B push X(A,B)
        """,
    "a poll in the meantime comes up empty, within the budget": """
        0-0.1     A join
        0-0.1     B join
        0.5       A push X(A,B)
        1.4-1.6   B poll -
        2-2.1     B poll X(A,B)
        """,
    "a poll comes up empty after a silence in which he may have been taken for vanished": """
        0-0.1   A join
        0-0.1   B join X(A,B)
        5-5.1   B heartbeat
        8-8.1   A poll -
        """,
    "a poll comes up empty because the partner was silent for as long": """
        0-0.1   A join
        0-0.1   B join X(A,B)
        4-4.1   A heartbeat
        8-8.1   A poll -
        """,
    "a poll comes up empty because the session has been ended": """
        0-0.1     A join
        0-0.1     B join
        0.5       A push X(A,B)
        1-3       A end X
        2-2.1     B poll -
        """,
    "a poll comes up empty because the partner vanished": """
        0-0.1     A join
        0-0.1     B join
        0.5       A push X(A,B)
        1         A disconnect close
        3-3.1     B poll -
        """,
    "the subscription was not ready when the session can have been born": """
        0-0.1     A join
        0-0.1     B join
        0.1-0.8   B subscribe matches
        0.5       A push X(A,B)
        3-3.1     B poll X(A,B)
        3.2-3.3   B subscribe X
        """,
    "the subscription never became ready": """
        0-0.1     B subscribe matches late
        0.2-0.3   A join
        0.2-0.3   B join
        0.5       A push X(A,B)
        3-3.1     B poll X(A,B)
        3.2-3.3   B subscribe X
        """,
    "he unsubscribed, for a poll had told him": """
        0-0.1     B subscribe matches
        0.2-0.3   A join
        0.2-0.3   B join
        0.5       A push X(A,B)
        0.6-0.7   B poll X(A,B)
        0.8       B unsubscribe matches
        3.2-3.3   B subscribe X
        """,
    "his socket broke and came back": """
        0-0.1     B subscribe matches
        0.2-0.3   A join
        0.2-0.3   B join
        0.5       A push X(A,B)
        0.7       B lost
        1         B back
        3-3.1     B poll X(A,B)
        3.2-3.3   B subscribe X
        """,
    "nothing shows that his socket lasted": """
        0-0.1     B subscribe matches
        0.2-0.3   A join
        0.2-0.3   B join
        0.5       A push X(A,B)
        3-3.1     B poll X(A,B)
        """,
    "one waits alone": """
        0-0.1     A join
        0-0.1     B join
        0.1-0.2   C join
        0.5       A push X(A,B)
        0.5       B push X(A,B)
        9-9.1     C poll -
        """,
    "the partner's sight ends the wait, though one's own poll is late": """
        0-0.1     A join
        0-0.1     B join
        0.5       A push X(A,B)
        0.6-0.7   C join
        2.5-2.6   C poll -
        4-4.1     B poll X(A,B)
        """,
    "they waited side by side for less than the budget": """
        0-0.1     A join
        0.9-1     B join
        1.9-2     A poll -
        1.9-2     B poll -
        2.5       A push X(A,B)
        """,
    "matched soon, though nobody looked for a long time": """
        0-0.1     A join
        0-0.1     B join
        5-5.1     A poll X(A,B)
        5-5.1     B poll X(A,B)
        """,
    "one of the two left in the meantime": """
        0-0.1     A join
        0-0.1     B join
        0.8-0.9   B leave
        3-3.1     A poll -
        """,
    "a half-open user was dropped from the queue": """
        0-0.1     A join
        0-0.1     B join
        0.8       B disconnect silent
        3-3.1     A poll -
        3-3.1     B poll -
        """,
    "an entry expired because its user was silent": """
        0-0.1     A join
        7-7.1     B join
        7-7.1     Z join
        9-9.1     A poll -
        9-9.1     B poll -
        7.5       Z push Y(Z,Q)
        0-0.1     Q join
        5-5.1     Q heartbeat
        """,
    "a match that nobody saw: the partner joined again at once, and one is out of the queue": """
        0-0.1     A join
        0-0.1     B join?
        0.2-0.3   B join
        3-3.1     A poll -
        3-3.1     B poll -
        """,
    "a match that nobody saw: the partner closed his tab, and it was over": """
        0-0.1     A join
        0-0.1     V join
        0.3       V disconnect close
        3-3.1     A poll -
        2.4-2.5   B join
        5-5.1     A poll -
        5-5.1     B poll -
        """,
    "a leave that was never answered may have taken him out": """
        0-0.1     A leave?
        0.2-0.3   A join
        0.2-0.3   B join
        3-3.1     A poll -
        3-3.1     B poll -
        """,
    "one is left when nobody comes any more": """
        0-0.1     A join
        0-0.1     B join
        0-0.1     C join
        0.5       A push X(A,B)
        0.5       B push X(A,B)
        1-5       - drain
        4-4.1     C poll -
        """,
    "two are left, but one of them may have met a user who went without a trace": """
        0-0.1     A join
        0-0.1     V join
        0.3       V disconnect close
        1-1.1     B join
        1.2-5     - drain
        4-4.1     A poll -
        4-4.1     B poll -
        """,
    "the partner is told in time": """
        0-0.1   A join
        0-0.1   B join
        0.5     A push X(A,B)
        0.5     B push X(A,B)
        0.6-0.7 B subscribe X
        1       A disconnect silent
        4.4     B told X
        9-9.1   B poll -
        """,
    "the partner's poll does not show the session any more": """
        0-0.1   A join
        0-0.1   B join
        0.5     A push X(A,B)
        0.5     B push X(A,B)
        0.6-0.7 B subscribe X
        1       A disconnect close
        4-4.1   B poll -
        9-9.1   B heartbeat
        """,
    "the vanished user came back": """
        0-0.1   A join
        0-0.1   B join
        0.5     A push X(A,B)
        0.5     B push X(A,B)
        1       A disconnect close
        2       A back
        9-9.1   B poll X(A,B)
        """,
    "the partner ended the session himself": """
        0-0.1   A join
        0-0.1   B join
        0.5     A push X(A,B)
        0.5     B push X(A,B)
        0.6-0.7 B subscribe X
        1       A disconnect close
        2-2.1   B end X
        9-9.1   B heartbeat
        """,
    "the partner went too": """
        0-0.1   A join
        0-0.1   B join
        0.5     A push X(A,B)
        0.5     B push X(A,B)
        1       A disconnect close
        1.5     B disconnect close
        """,
    "the history ends before the partner had to know": """
        0-0.1   A join
        0-0.1   B join
        0.5     A push X(A,B)
        0.5     B push X(A,B)
        0.6-0.7 B subscribe X
        1       A disconnect close
        4-4.1   B heartbeat
        """,
}


@pytest.mark.parametrize("name", BAD)
def test_bad(name: str, judged: Judged) -> None:
    """A bad story breaks exactly the requirement that it is told for, with a sentence and a small witness."""
    requirement, text = BAD[name]
    judgement = judged(text)
    assert set(judgement.violations) - ({"MM-L2"} if requirement == "MM-L3" else set()) == {requirement}
    assert judgement.verdict == "invalid"
    finding = result_of(judgement, requirement).findings[0]
    assert 2 <= len(finding.witness) <= 6
    assert all(user in finding.sentence for user in finding.users[:2])
    assert all(session in finding.sentence for session in finding.sessions)
    assert " s" in finding.sentence


@pytest.mark.parametrize("name", GOOD)
def test_good(name: str, judged: Judged) -> None:
    """A good story, however odd, breaks nothing."""
    judgement = judged(GOOD[name])
    assert judgement.violations == {}, [f.sentence for result in judgement.results for f in result.findings]


def test_what_a_target_does_not_offer_is_not_asked_for(judged: Judged) -> None:
    """A target without push, or without poll, owes neither; the other is still checked."""
    pushed, polled = BAD["subscribed all the while, and no push came"][1], next(iter(BAD.values()))[1]
    assert judged(pushed, Capabilities(push=False)).violations == {}
    assert judged(polled, Capabilities(poll=False)).violations == {}
    assert judged(polled, Capabilities(push=False)).violations == {"MM-L1": 1}


def test_lost_wake_ups_are_counted_in_couples(judged: Judged) -> None:
    """Four users who wait side by side are two lost matches, not six."""
    text = "\n".join(f"0-0.1 {user} join\n3-3.1 {user} poll -" for user in "ABCD")
    assert judged(text).violations == {"MM-L2": 2}


def test_the_sentence_of_a_lost_wake_up(judged: Judged) -> None:
    """It says who waited, from when to when, and what is allowed; the polls that came up empty are the witness."""
    finding = result_of(judged(BAD["two users poll in vain side by side"][1]), "MM-L2").findings[0]
    assert finding.sentence == (
        "users A and B waited side by side for 1.900 s, from 0.100 s to 2.000 s, and were not matched; 1 s are allowed"
    )
    assert [op["op"] for op in finding.witness] == ["join", "join", "poll", "poll"]


def test_strangers_make_it_unknown(judged: Judged) -> None:
    """Where users take part of whom the history knows nothing, nobody can say who still waits."""
    text = "0-0.1 A join\n0-0.1 B join\n0-0.1 C join\n0.5 C push X(C,Stranger)\n3-3.1 A poll -\n3-3.1 B poll -"
    judgement = judged(text)
    assert judgement.violations == {}
    assert result_of(judgement, "MM-L2").verdict == "unknown"
    assert "outside this history" in result_of(judgement, "MM-L2").detail


def test_without_a_drain_nothing_is_said_of_it(judged: Judged) -> None:
    """MM-L3 needs a quiet time at the end: without it the result is unknown, with the reason."""
    result = result_of(judged("0-0.1 A join\n0-0.1 B join"), "MM-L3")
    assert result.verdict == "unknown"
    assert "no drain" in result.detail


def result_of(judgement: Judgement, requirement: str) -> CheckResult:
    return next(result for result in judgement.results if result.requirement == requirement)


@pytest.mark.parametrize(
    ("told", "left", "checked"), [(2.0, 2.1, 1), (2.2, 2.1, 0), (0.9, 2.1, 0), (2.0, 30.0, 1)],
    ids=["told, then gone", "gone, then told", "told before", "told, and there"],
)  # fmt: skip
def test_who_was_told_need_not_stay(judged: Judged, told: float, left: float, checked: int) -> None:
    """A partner who goes because he was told has been told in time; who goes first shows nothing."""
    text = f"""
        0-0.1   A join
        0-0.1   B join
        0.5     A push X(A,B)
        0.5     B push X(A,B)
        1       A disconnect close
        {told}  B told X
        {left}  B disconnect close
    """
    result = next(result for result in judged(text).results if result.requirement == "MM-L5")
    assert (result.checked, result.findings) == (checked, ())
