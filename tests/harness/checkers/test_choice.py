"""Stories that keep MM-S11 and MM-L6, and stories that break one of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.results.finding import Judgement

Judged = Callable[..., Judgement]

FRIENDS = "0-0.1 A befriend C\n0.2-0.3 C join\n0.2-0.3 B join\n"

WRONG_PARTNER = {
    "a buddy waited throughout": FRIENDS + "0.4-0.5 A join buddies_first\n0.6 A push X(A,B)\n0.8-0.9 C poll -",
    "and the friendship is the other's": "0-0.1 C befriend A\n0.2-0.3 C join\n0.2-0.3 B join\n"
    "0.4-0.5 A join buddies_first\n0.6 B push X(A,B)\n0.8-0.9 C poll -",
}

RIGHT_PARTNER = {
    "the buddy": FRIENDS + "0.4-0.5 A join buddies_first\n0.6 A push X(A,C)",
    "he did not ask for buddies": FRIENDS + "0.4-0.5 A join global\n0.6 A push X(A,B)\n0.8-0.9 C poll -",
    "one of his joins did not": FRIENDS
    + "0.4-0.7 A join global\n0.5-0.6 A join buddies_first\n0.8 A push X(A,B)\n0.9-1 C poll -",
    "the buddy came later": "0-0.1 A befriend C\n0.2-0.3 B join\n0.4-0.6 A join buddies_first\n0.5-0.55 C join\n"
    "0.6 A push X(A,B)\n0.8-0.9 C poll -",
    "the buddy may have been taken": FRIENDS + "0.4-0.5 A join buddies_first\n0.6 A push X(A,B)\n0.6 D push Y(C,D)\n"
    "0.5-0.6 D join",
    "they became buddies too late": "0.2-0.3 C join\n0.2-0.3 B join\n0.35-0.45 A befriend C\n"
    "0.4-0.5 A join buddies_first\n0.6 A push X(A,B)\n0.8-0.9 C poll -",
    "both are buddies": FRIENDS
    + "0-0.1 A befriend B\n0.4-0.5 A join buddies_first\n0.6 A push X(A,B)\n0.8-0.9 C poll -",
}


@pytest.mark.parametrize("name", WRONG_PARTNER)
def test_a_buddy_is_passed_over(name: str, judged: Judged) -> None:
    """MM-S11 is broken, and nothing else."""
    judgement = judged(WRONG_PARTNER[name])
    assert set(judgement.violations) == {"MM-S11"}, judgement.reason


@pytest.mark.parametrize("name", RIGHT_PARTNER)
def test_no_buddy_is_passed_over(name: str, judged: Judged) -> None:
    """Nothing is broken."""
    assert judged(RIGHT_PARTNER[name]).violations == {}


def test_friendships_of_old_users_are_unknown(judged: Judged) -> None:
    """Users of a fixed list may have other buddies: then nothing is said."""
    judgement = judged(next(iter(WRONG_PARTNER.values())), fresh_users=False)
    assert "MM-S11" not in judgement.violations
    result = next(result for result in judgement.results if result.requirement == "MM-S11")
    assert (result.checked, result.detail) == (0, "there may be friendships that nobody stated")


def passed_over(pairs: int) -> str:
    """A waits from 0.1 s on; so many pairs come later and are matched before his last empty poll."""
    text = "0-0.1 A join\n4-4.1 A poll -\n"
    for n in range(pairs):
        text += f"{n}.2-{n}.3 P{n} join\n{n}.2-{n}.3 Q{n} join\n{n}.4 P{n} push X{n}(P{n},Q{n})\n"
    return text


@pytest.mark.parametrize(("pairs", "told"), [(1, 0), (2, 1), (3, 1)])
def test_overtaking_is_a_warning(pairs: int, told: int, judged: Judged) -> None:
    """Two may overtake; more should not, and the history stays valid."""
    judgement = judged(passed_over(pairs))
    assert judgement.warnings == ({"MM-L6": told} if told else {})
    assert judgement.violations == {}
    assert judgement.verdict == "valid"
    result = next(result for result in judgement.results if result.requirement == "MM-L6")
    assert result.checked
    assert ("should not be: MM-L6 × 1" in judgement.reason) == bool(told)


def test_who_joined_earlier_overtakes_nobody(judged: Judged) -> None:
    """Users who waited longer are matched first, however many they are."""
    text = "3-3.1 A join\n4-4.1 A poll -\n"
    text += "".join(
        f"{n}-{n}.1 P{n} join\n{n}-{n}.1 Q{n} join\n3.{n + 2} P{n} push X{n}(P{n},Q{n})\n" for n in range(3)
    )
    judgement = judged(text)
    assert judgement.warnings == {}
    assert next(result for result in judgement.results if result.requirement == "MM-L6").checked == 1
