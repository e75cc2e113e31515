"""Contention: which joins were under way together, so that a race between them was run at all."""

from __future__ import annotations

from harness.checkers.timeline import Facts


def contended_joins(facts: Facts) -> int:
    """Joins during which another user's join was under way too."""
    joins = sorted(
        ((join.start, join.op.t1 or join.start, name) for name, user in facts.users.items() for join in user.joins),
    )
    touched = [False] * len(joins)
    latest: list[tuple[float, str]] = []  # the latest end so far, and the latest end of another user than that one's
    for at, (start, end, name) in enumerate(joins):
        touched[at] = any(reached > start and other != name for reached, other in latest)
        if len(latest) < 2 or latest[1][0] < end:  # else it is none of the two
            latest = _two_latest([*latest, (end, name)])
        after = at + 1
        while after < len(joins) and joins[after][0] < end and not touched[at]:
            touched[at] = joins[after][2] != name
            after += 1
    return sum(touched)


def _two_latest(ends: list[tuple[float, str]]) -> list[tuple[float, str]]:
    kept: list[tuple[float, str]] = []
    for end, name in sorted(ends, reverse=True):
        if len(kept) < 2 and all(name != other for _, other in kept):
            kept.append((end, name))
    return kept
