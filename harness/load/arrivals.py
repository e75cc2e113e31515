"""When users arrive: schedules, computed before the run from a text form and a seed (grammar: docs/swarms.md)."""

from __future__ import annotations

import difflib
import itertools
import math
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from harness.errors import Trouble
from harness.load.profile import Stretch, dues_of
from harness.load.trace import read_trace

_N = r"(\d+(?:\.\d*)?|\.\d+)"
_NUMBER = re.compile(_N)


@dataclass(frozen=True, slots=True)
class Arrival:
    """One user to come: the how-manieth of the run, when (seconds from the start), and the seed of what he does."""

    n: int
    due: float
    seed: int


class Turns(Sequence[Arrival]):
    """Users of a closed model: nobody is due at a time of his own, the next comes when one is through.

    They are made as they are asked for, because nobody knows how many there will be.
    """

    def __init__(self, seed: int, numbers: range) -> None:
        self._seed = seed
        self._numbers = numbers

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, at: int) -> Arrival: ...
    @overload
    def __getitem__(self, at: slice) -> Turns: ...
    def __getitem__(self, at: int | slice) -> Arrival | Turns:
        if isinstance(at, slice):
            return Turns(self._seed, self._numbers[at])
        n = self._numbers[at]
        return Arrival(n, 0.0, _seed_of(self._seed, n))


@dataclass(frozen=True)
class Closed:
    """A closed model: so many users at once, and nobody new after so many seconds."""

    users: int
    until: float = math.inf


@dataclass(frozen=True)
class Schedule:
    """All arrivals of a run, in order of their due times."""

    arrivals: Sequence[Arrival]
    text: str
    closed: Closed | None = None
    """None for an open model, in which users come when they are due."""

    @property
    def last_due(self) -> float:
        """Seconds from the start at which the last user is due; 0 without arrivals, and in a closed model."""
        return self.arrivals[-1].due if self.arrivals else 0.0

    @property
    def ends(self) -> bool:
        """Whether it is known how many will come."""
        return self.closed is None or len(self.arrivals) < _ENDLESS

    def share(self, worker: int, workers: int) -> Schedule:
        """What one of several generator processes starts: every `workers`-th arrival, so that bursts stay bursts.

        In a closed model with fewer users at once than processes, the last of these have nothing to do.
        """
        if self.closed is None:
            return Schedule(self.arrivals[worker::workers], self.text)
        workers = min(workers, self.closed.users)
        mine = self.arrivals[worker::workers] if worker < workers else ()
        room = len(range(worker, self.closed.users, workers))
        return Schedule(mine, self.text, Closed(room, self.closed.until))


_ENDLESS = 10**9
"""How many users a closed model without a limit of its own may see."""


@dataclass(frozen=True)
class _Phase:
    """A stretch of a schedule: ascending due times, and its length in seconds (infinite: it never ends by itself)."""

    dues: Iterator[float]
    seconds: float = math.inf


def schedule(text: str, *, users: int | None, rate: float, duration: float | None, seed: int) -> Schedule:
    """Computes who arrives when.

    Args:
        text: phases, one after the other, separated by commas: see `FORMS`.
        users: at most so many arrive; None: as many as are due.
        rate: users per second, for the paced forms that name none.
        duration: nobody is due this many seconds after the start, or later; None for no such limit.
        seed: of the Poisson gaps, and of each user's own seed.

    Raises:
        Trouble: the text says no schedule, a number is out of range, a trace cannot be read, or there is no end to it.
    """
    if users is not None and users < 1:
        raise Trouble(f"a swarm of {users} users is none", "ask for at least one user")
    end = math.inf if duration is None else duration
    if text.startswith("closed"):
        return _closed(text, users, end, seed)
    dues, ends = _dues(text, rate, random.Random(seed))
    if users is None and math.isinf(end) and not ends:
        raise Trouble(f"“{text}” never ends", "say how many users come, or for how long")
    due = itertools.islice(itertools.takewhile(lambda due: due < end, dues), users)
    return Schedule([Arrival(n, round(at, 6), _seed_of(seed, n)) for n, at in enumerate(due)], text)


def ends_by_itself(text: str) -> bool:
    """Whether a schedule is over at some time, without a limit of users or seconds. Raises Trouble as `schedule`."""
    return not text.startswith("closed") and _dues(text, 1.0, random.Random(0))[1]


def _closed(text: str, users: int | None, end: float, seed: int) -> Schedule:
    found = re.fullmatch(r"closed:(\d+)", text)
    if found is None or int(found[1]) < 1:
        raise _misread(text, "closed")
    if users is None and math.isinf(end):
        raise Trouble(f"“{text}” never ends", "say how many users come, or for how long")
    turns = Turns(seed, range(_ENDLESS if users is None else users) if end > 0 else range(0))
    return Schedule(turns, text, Closed(int(found[1]), end))


def _dues(text: str, rate: float, chance: random.Random) -> tuple[Iterator[float], bool]:
    """The ascending due times that a text describes, and whether they end by themselves."""
    phases = [_counted(part.strip(), rate, chance) for part in text.split(",")]
    endless = [math.isinf(phase.seconds) and users is None for phase, users in phases]
    if any(endless[:-1]):
        raise Trouble(f"“{text}”: a phase before the last has no end", "add *USERS to it, or @SECONDSs")
    return _one_after_the_other(phases), not endless[-1]


def _counted(part: str, rate: float, chance: random.Random) -> tuple[_Phase, int | None]:
    """One phase, and how many users it has at most."""
    form, star, users = part.rpartition("*")
    if not star:
        return _phase(part, rate, chance), None
    if not users.isdecimal() or int(users) < 1:
        raise Trouble(f"“{part}”: “{users}” is no number of users", "write *USERS, for example *100")
    return _phase(form, rate, chance), int(users)


def _one_after_the_other(phases: Sequence[tuple[_Phase, int | None]]) -> Iterator[float]:
    """Each phase starts when the one before is over, or when the next user of the one before would have been due."""
    start = 0.0
    for phase, users in phases:
        for n, due in enumerate(phase.dues):
            if n == users:
                start += due
                break
            yield start + due
        else:
            start += phase.seconds


# ---------------------------------------------------------------- the forms


def _phase(text: str, rate: float, chance: random.Random) -> _Phase:
    """Reads one phase; the forms stand in `FORMS`."""
    name, _, rest = text.partition(":")
    if name == "trace":
        return _trace(rest)
    if name == "burst":
        return _bursts(text)
    if (bare := name.partition("@")[0]) in {"constant", "poisson"}:
        return _paced(text, bare, rate, chance)
    form = name.removeprefix("poisson-")
    if (read := _CHANGING.get(form)) is None:
        raise _unknown(text, name)
    if (found := read.pattern.fullmatch(rest)) is None:
        raise _misread(text, form)
    stretches = read.stretches(text, *(float(number) for number in found.groups()))
    ordinals = _by_chance(chance) if name != form else map(float, itertools.count())
    return _Phase(dues_of(stretches, ordinals), sum(stretch.seconds for stretch in stretches))


def _paced(text: str, name: str, rate: float, chance: random.Random) -> _Phase:
    found = re.fullmatch(rf"{name}(?::{_N}(?:/s)?)?(?:@{_N}s)?", text)
    if found is None:
        raise _misread(text, name)
    pace = rate if found[1] is None else _positive(found[1], text)
    if pace <= 0:
        raise Trouble(f"{pace:g} arrivals per second is no rate", "give a rate above 0")
    seconds = math.inf if found[2] is None else _positive(found[2], text)
    ordinals = _by_chance(chance) if name == "poisson" else map(float, itertools.count())
    return _Phase(dues_of([Stretch(pace, pace, seconds)], ordinals), seconds)


def _bursts(text: str) -> _Phase:
    found = re.fullmatch(rf"burst:(\d+)/{_N}s?@{_N}s?", text)
    if found is None:
        raise _misread(text, "burst")
    size, window, every = (_positive(number, text) for number in found.groups())
    if window > every:
        raise Trouble(f"a burst of {window:g} s cannot repeat every {every:g} s", "let bursts end before the next one")
    return _Phase(every * burst + window * place / size for burst in itertools.count() for place in range(int(size)))


def _trace(name: str) -> _Phase:
    if not name:
        raise _misread("trace:", "trace")
    dues = read_trace(Path(name).expanduser())
    return _Phase(iter(dues), dues[-1])


def _ramp(text: str, first: float, last: float, seconds: float) -> list[Stretch]:
    if first == last == 0 or seconds <= 0:
        raise Trouble(f"“{text}” brings nobody", "let the rate rise above 0, and the ramp last some seconds")
    return [Stretch(first, last, seconds)]


def _steps(text: str, first: float, last: float, by: float, each: float) -> list[Stretch]:
    if first <= 0 or by <= 0 or each <= 0 or last < first:
        raise Trouble(f"“{text}” takes no steps upwards", "write for example step:10..50+10/s@30s")
    count = math.floor((last - first) / by + 1e-9) + 1
    return [Stretch(first + by * n, first + by * n, each) for n in range(count)]


def _spike(text: str, base: float, peak: float, after: float, length: float) -> list[Stretch]:
    if base <= 0 or peak <= base or after <= 0 or length <= 0:
        raise Trouble(f"“{text}” is no spike", "let the peak be above the base, and the base above 0")
    return [Stretch(base, base, after), Stretch(peak, peak, length), Stretch(base, base, after)]


@dataclass(frozen=True)
class _Changing:
    """A form whose rate changes: what stands after its colon, and what it means."""

    pattern: re.Pattern[str]
    stretches: Callable[..., list[Stretch]]


_CHANGING = {
    "ramp": _Changing(re.compile(rf"{_N}\.\.{_N}/s@{_N}s"), _ramp),
    "step": _Changing(re.compile(rf"{_N}\.\.{_N}\+{_N}/s@{_N}s"), _steps),
    "spike": _Changing(re.compile(rf"{_N}\.\.{_N}/s@{_N}s\+{_N}s"), _spike),
}

FORMS = {
    "constant": "constant[:RATE/s][@SECONDSs]",
    "poisson": "poisson[:RATE/s][@SECONDSs]",
    "burst": "burst:SIZE/WINDOWs@EVERYs",
    "ramp": "ramp:FROM..TO/s@SECONDSs",
    "step": "step:FROM..TO+BY/s@EACHs",
    "spike": "spike:BASE..PEAK/s@AFTERs+LENGTHs",
    "trace": "trace:FILE",
    "closed": "closed:USERS",
}
"""How each form of a phase is written; docs/swarms.md says what it means. `closed` stands alone."""


def _unknown(text: str, name: str) -> Trouble:
    near = difflib.get_close_matches(name, [*FORMS, *(f"poisson-{form}" for form in _CHANGING)], n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    return Trouble(f"“{text}” is no arrival schedule", f"{hint}use {', '.join(FORMS)} (docs/swarms.md)")


def _misread(text: str, form: str) -> Trouble:
    return Trouble(f"“{text}” is no {form} schedule", f"write {FORMS[form]}")


def _positive(number: str, text: str) -> float:
    value = float(number) if _NUMBER.fullmatch(number) else 0.0
    if value <= 0:
        raise Trouble(f"“{text}”: {number} is no number above 0", "give a number above 0")
    return value


def _by_chance(chance: random.Random) -> Iterator[float]:
    """A Poisson process of rate 1: what is drawn does not depend on the rate."""
    at = 0.0
    while True:
        at += chance.expovariate(1.0)
        yield at


def _seed_of(seed: int, n: int) -> int:
    """A seed of its own for the n-th arrival, far from its neighbours'."""
    return random.Random(f"{seed}/{n}").getrandbits(63)
