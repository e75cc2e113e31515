"""Whether what is held levels off: each figure's median in the last third of a run beside that of the middle third."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Bound:
    """How much more than in the middle third of the run a figure may be in the last: a share, and an amount."""

    share: float
    amount: float


def thirds(values: list[float], of: Callable[[list[float]], float] = median) -> tuple[float, float]:
    """The medians of the middle and of the last third; the first is for warming up."""
    third = len(values) // 3
    assert third >= 3, f"{len(values)} samples show no trend: let it last longer"
    return of(values[third:-third]), of(values[-third:])


def rises(levels: tuple[float, float], bound: Bound) -> bool:
    """Whether the last third lies further above the middle one than allowed."""
    middle, last = levels
    return last > middle * (1 + bound.share) + bound.amount
