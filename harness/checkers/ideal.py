"""The ideal matcher: how long users must wait at least, whoever matches them: partners come when they are due."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from msgspec import Struct


class Due(Struct, gc=False):
    """A user who was due at a moment, and how long he then waited for a match; None where he saw none. Seconds."""

    at: float
    wait: float | None = None


def ideal_waits(dues: Iterable[float]) -> list[float]:
    """How long each user would wait for the next one, in the order of arrival: the best that a matcher can do.

    Whoever comes to an empty queue waits for the next who is due, and that one waits for nobody. With Poisson arrivals
    at a rate of λ the mean is 1/(2λ). Of an odd number the last one has no partner, and is left out.
    """
    ordered = sorted(dues)
    return [wait for one, two in zip(ordered[::2], ordered[1::2], strict=False) for wait in (two - one, 0.0)]


class Waits(NamedTuple):
    """Mean waits in milliseconds: the users', that of an ideal matcher for the same arrivals, and their difference."""

    mean: float | None = None
    ideal: float | None = None
    excess: float | None = None


def waits_of(dues: Iterable[Due]) -> Waits:
    """The mean waits of users who came when they were due; of None where nobody was matched, or fewer than two came.

    Users who saw no match are in the ideal and not in the mean, which is then too small: they are told as censored.
    """
    users = list(dues)
    waits = [user.wait for user in users if user.wait is not None]
    ideal = ideal_waits(user.at for user in users)
    if not waits or not ideal:
        return Waits()
    mean, best = _mean_ms(waits), _mean_ms(ideal)
    return Waits(mean, best, round(mean - best, 3))


def _mean_ms(seconds: Sequence[float]) -> float:
    return round(1000 * sum(seconds) / len(seconds), 3)
