"""How long people take: distributions of times, of which a seeded source of chance draws. Pure arithmetic."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from statistics import NormalDist
from typing import Protocol

_NORMAL = NormalDist()


class Times(Protocol):
    """A distribution of seconds. Each draw takes one number from the source, so that draws stay in step."""

    def draw(self, chance: random.Random) -> float:
        """One time, in seconds."""

    @property
    def longest(self) -> float:
        """No draw is longer."""


@dataclass(frozen=True, slots=True)
class Uniform:
    """Any time between two, with even chances."""

    least: float
    most: float

    def __post_init__(self) -> None:
        _require(0 <= self.least <= self.most, self)

    def draw(self, chance: random.Random) -> float:
        """One time, in seconds."""
        return self.least + (self.most - self.least) * chance.random()

    @property
    def longest(self) -> float:
        """No draw is longer."""
        return self.most

    def __str__(self) -> str:
        return f"{self.least:g} to {self.most:g} s, uniform"


@dataclass(frozen=True, slots=True)
class Exponential:
    """Times without memory, of which those beyond `most` are left out; `mean` is that of the whole distribution."""

    mean: float
    most: float

    def __post_init__(self) -> None:
        _require(self.mean > 0 and self.most > 0, self)

    def draw(self, chance: random.Random) -> float:
        """One time, in seconds: the inverse of the distribution, cut at `most`."""
        within = -math.expm1(-self.most / self.mean)
        return min(self.most, -self.mean * math.log1p(-chance.random() * within))

    @property
    def longest(self) -> float:
        """No draw is longer."""
        return self.most

    def __str__(self) -> str:
        return f"exponential, mean {self.mean:g} s, at most {self.most:g} s"


@dataclass(frozen=True, slots=True)
class LogNormal:
    """As people think: mostly about `median`, now and then much longer; times beyond `most` are left out."""

    median: float
    sigma: float
    most: float

    def __post_init__(self) -> None:
        _require(self.median > 0 and self.sigma > 0 and self.most > 0, self)

    def draw(self, chance: random.Random) -> float:
        """One time, in seconds: the inverse of the distribution, cut at `most`."""
        within = _NORMAL.cdf(math.log(self.most / self.median) / self.sigma)
        place = min(max(chance.random() * within, 1e-12), 1 - 1e-12)
        return min(self.most, self.median * math.exp(self.sigma * _NORMAL.inv_cdf(place)))

    @property
    def longest(self) -> float:
        """No draw is longer."""
        return self.most

    def __str__(self) -> str:
        return f"log-normal, median {self.median:g} s, sigma {self.sigma:g}, at most {self.most:g} s"


def times_of(given: Times | tuple[float, float]) -> Times:
    """A distribution as it is, and two numbers as an even one between them."""
    return Uniform(*given) if isinstance(given, tuple) else given


def _require(sound: bool, given: object) -> None:
    if not sound:
        raise ValueError(f"{given!r} is no distribution of times")
