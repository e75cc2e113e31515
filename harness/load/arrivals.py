"""When users arrive: open-model schedules, computed before the run from a text form and a seed."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, takewhile

from harness.errors import Trouble

FORMS = "constant, poisson, or burst:SIZE/WINDOWs@EVERYs (for example burst:32/0.1s@2s), or several as FORM*USERS,FORM"

_BURST = re.compile(r"burst:(?P<size>\d+)/(?P<window>[\d.]+)s?@(?P<every>[\d.]+)s?")
_PACED = re.compile(r"(?P<pace>constant|poisson)(?::(?P<rate>[\d.]+)(?:/s)?)?")


@dataclass(frozen=True, slots=True)
class Arrival:
    """One user to come: the how-manieth of the run, when (seconds from the start), and the seed of what he does."""

    n: int
    due: float
    seed: int


@dataclass(frozen=True)
class Schedule:
    """All arrivals of a run, in order of their due times."""

    arrivals: tuple[Arrival, ...]
    text: str

    @property
    def last_due(self) -> float:
        """Seconds from the start at which the last user is due; 0 without arrivals."""
        return self.arrivals[-1].due if self.arrivals else 0.0

    def share(self, worker: int, workers: int) -> tuple[Arrival, ...]:
        """What one of several generator processes starts: every `workers`-th arrival, so that bursts stay bursts."""
        return self.arrivals[worker::workers]


def schedule(text: str, *, users: int, rate: float, duration: float | None, seed: int) -> Schedule:
    """Computes who arrives when.

    Args:
        text: `constant`, `poisson` (both with an optional `:RATE/s` that replaces `rate`), or
            `burst:SIZE/WINDOWs@EVERYs`: SIZE users spread over WINDOW seconds, every EVERY seconds. Several phases, one
            after the other, are separated by commas; all but the last need `*USERS`, the number of users of the phase.
        users: at most so many arrive.
        rate: users per second, for the paced forms.
        duration: nobody is due this many seconds after the start, or later; None for no such limit.
        seed: of the Poisson gaps, and of each user's own seed.

    Raises:
        Trouble: the text says no schedule, or a number is out of range.
    """
    if users < 1:
        raise Trouble(f"a swarm of {users} users is none", "ask for at least one user")
    end = math.inf if duration is None else duration
    dues = takewhile(lambda due: due < end, _dues(text, rate, random.Random(seed)))
    arrivals = tuple(Arrival(n, round(due, 6), _seed_of(seed, n)) for n, due in zip(range(users), dues, strict=False))
    return Schedule(arrivals, text)


def _dues(text: str, rate: float, chance: random.Random) -> Iterator[float]:
    """The ascending sequence of due times that a text describes; endless, unless the last phase says how many come."""
    phases = [_counted(phase, text) for phase in text.split(",")]
    if any(users is None for _, users in phases[:-1]):
        raise Trouble(f"“{text}”: a phase before the last does not say how many users it has", f"use {FORMS}")
    return _one_after_the_other([(_phase(form, rate, chance), users) for form, users in phases])


def _counted(phase: str, text: str) -> tuple[str, int | None]:
    form, star, users = phase.strip().partition("*")
    return form, int(_positive(users, text)) if star else None


def _one_after_the_other(phases: list[tuple[Iterator[float], int | None]]) -> Iterator[float]:
    """Each phase starts when the next user of the one before it would have been due."""
    start = 0.0
    for dues, users in phases:
        for n, due in enumerate(dues):
            if n == users:
                start += due
                break
            yield start + due


def _phase(text: str, rate: float, chance: random.Random) -> Iterator[float]:
    """The endless, ascending sequence of due times of one phase."""
    if burst := _BURST.fullmatch(text):
        window, every = (_positive(burst[name], text) for name in ("window", "every"))
        return _bursts(int(_positive(burst["size"], text)), window, every)
    if not (paced := _PACED.fullmatch(text)):
        raise Trouble(f"“{text}” is no arrival schedule", f"use {FORMS}")
    pace = _positive(paced["rate"], text) if paced["rate"] else rate
    if pace <= 0:
        raise Trouble(f"{pace:g} arrivals per second is no rate", "give a rate above 0")
    if paced["pace"] == "constant":
        return (n / pace for n in count())
    return _poisson(pace, chance)


def _positive(number: str, text: str) -> float:
    try:
        value = float(number)
    except ValueError:
        value = 0.0
    if value <= 0:
        raise Trouble(f"“{text}”: {number} is no number above 0", f"use {FORMS}")
    return value


def _bursts(size: int, window: float, every: float) -> Iterator[float]:
    if window > every:
        raise Trouble(f"a burst of {window:g} s cannot repeat every {every:g} s", "let bursts end before the next one")
    return (burst * every + window * place / size for burst in count() for place in range(size))


def _poisson(rate: float, chance: random.Random) -> Iterator[float]:
    due = 0.0
    while True:
        due += chance.expovariate(rate)
        yield due


def _seed_of(seed: int, n: int) -> int:
    """A seed of its own for the n-th arrival, far from its neighbours'."""
    return random.Random(f"{seed}/{n}").getrandbits(63)
