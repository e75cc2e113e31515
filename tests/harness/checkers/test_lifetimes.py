"""How early and how late a session can have been there, as far as a verdict depends on it."""

from __future__ import annotations

from collections.abc import Callable

from harness.results.finding import Judgement


def test_one_join_too_few_proves_nothing_of_later_births(judged: Callable[[str], Judgement]) -> None:
    """A user with more sessions than joins breaks MM-S7; that his next one is new, and its partner stale, is open."""
    story = """
    0.1-0.2     B join X(A,B)
    0.15-0.25   A join Y(A,B)
    9.15-9.25   A join Z(A,B)
    """
    assert set(judged(story).violations) == {"MM-S1", "MM-S7"}


def test_whoever_hears_of_an_end_the_session_is_over(judged: Callable[[str], Judgement]) -> None:
    """Also when it is a stranger who is told: that it was still active when the next one came is no longer certain."""
    story = """
    0-0.1     A join
    0.05-0.15 A join
    0.3-0.4   B join
    0.35      A push X(A,B)
    {}
    0.6       B push Y(A,B)
    """
    assert "MM-S1" in judged(story.format("")).violations
    assert "MM-S1" not in judged(story.format("0.5 C told X")).violations
