"""How a user behaves: what he asks for, how long he talks, and how long he puts up with things."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from harness.actor.times import Exponential, LogNormal, Times, times_of
from harness.client.participant import Hears

_THINK = LogNormal(median=2.0, sigma=0.6, most=8.0)
_A_LOOK = LogNormal(median=1.5, sigma=0.4, most=4.0)
_BRIEFLY = Exponential(mean=1.0, most=3.0)
_AT_ONCE = Exponential(mean=0.05, most=0.5)

Where = Literal["waiting", "talking"]
Kind = Literal["close", "silent"]


@dataclass(frozen=True)
class Vanishing:
    """Some go away without a word: a tab is closed, or a machine cut off with its connection left open."""

    share: float
    """Of the searches."""
    waiting: float = 0.25
    """The share of them that goes while it waits: a ghost in the queue. The others go from a session."""
    silent: float = 0.5
    """The share of them whose connection stays open and is never read again."""
    after_join: Times = _AT_ONCE
    after_match: Times = _BRIEFLY


@dataclass(frozen=True)
class Flood:
    """Joins as fast as they are answered, whatever the answer says."""

    lasts: Times
    streams: int = 4
    """So many joins of one user are under way at once."""
    pace: float = 0.05
    """Seconds from an answer to the next join of its stream."""


@dataclass(frozen=True)
class Intent:
    """What a user has in mind for one search: drawn from his seed before it begins. Times in seconds."""

    talk: float
    """From the sight of the match to hanging up, when he is the offerer."""
    skip: float | None
    """From the end of his handshake to skipping his partner; None: he does not."""
    think: float
    """From the end of it to the next search."""
    patience: float | None
    """None: until the quiet time."""
    crosses: bool = False
    """Whether he leaves the queue just as somebody else joins; then he has no other patience."""
    vanish: Where | None = None
    kind: Kind = "close"
    """How he vanishes."""
    vanish_after: float = 0.0
    """How long after the join or the match."""


@dataclass(frozen=True)
class Persona:
    """The parameters of a journey; times in seconds."""

    name: str = "search_and_chat"
    mode: str = "global"
    """The match mode that he joins with: `global` or `buddies_first`."""
    hears: Hears = "both"
    """How he learns of his match. Signals reach him by his socket in any case."""
    talk: Times | tuple[float, float] = (4.0, 6.0)
    """From the sight of the match to its end by the offerer: a distribution, or at least and at most."""
    peer_share: float = 0.0
    """The share of sessions that make a real WebRTC connection; the others exchange the same signals only."""
    handshake: float = 10.0
    """How long he tries to connect."""
    patience: Times | float | None = None
    """How long he waits for a match; None: until the quiet time at the end."""
    goodbye: float = 3.0
    """How long after the longest talk he waits to be told of the end, before he ends the session himself."""
    crossing: float = 0.0
    """The share of his searches that he gives up just as somebody else joins, whatever his patience: such a leave races
    a join, however fast the target answers both."""
    rounds: int = 1
    """How often he searches, at most; nobody searches again once the last has arrived."""
    think: Times = _THINK
    """From the end of a session, or of a search, to the next search."""
    skip: float = 0.0
    """The share of his sessions in which he skips his partner."""
    skip_after: Times = _A_LOOK
    """From the end of his handshake to the skip."""
    looks_back: bool = False
    """Whether he looks once more after he has left the queue, and before he hangs up unasked: so a history shows
    whether he was matched while he left, and whether a session of which the partner is gone still stands."""
    friends: int = 0
    """How many of those who are there when he comes he makes friends with."""
    vanishing: Vanishing | None = None
    storm: float | None = None
    """All sockets of such users are cut at one moment, every so many seconds."""
    flood: Flood | None = None
    """He floods the target, and does nothing else."""

    def __str__(self) -> str:
        """What he does, in a few words, with the distributions of his times."""
        return "; ".join(_said(self))

    @property
    def longest_talk(self) -> float:
        """No offerer talks longer."""
        return times_of(self.talk).longest

    def intent(self, seed: int, number: int = 0) -> Intent:
        """What a user with this seed has in mind for his search of this number."""
        chance = random.Random(f"{seed}/{number}")
        skips = chance.random() < self.skip
        skip_after, talk, think = (times.draw(chance) for times in (self.skip_after, times_of(self.talk), self.think))
        given = self.patience
        patience = given if given is None or isinstance(given, int | float) else given.draw(chance)
        where, kind, after = self._vanish(chance)
        crosses = chance.random() < self.crossing
        return Intent(talk, skip_after if skips else None, think, patience, crosses, where, kind, after)

    def talk_time(self, seed: int) -> float:
        """How long a user with this seed talks at his first match when he is the offerer."""
        return self.intent(seed).talk

    def is_real(self, session_id: str) -> bool:
        """Whether a session gets real peers. Both members come to the same answer, for it lies in the id alone."""
        digest = hashlib.sha256(session_id.encode()).digest()
        return int.from_bytes(digest[:8]) < self.peer_share * 2**64

    def _vanish(self, chance: random.Random) -> tuple[Where | None, Kind, float]:
        plan = self.vanishing
        if plan is None or chance.random() >= plan.share:
            return None, "close", 0.0
        where: Where = "waiting" if chance.random() < plan.waiting else "talking"
        kind: Kind = "silent" if chance.random() < plan.silent else "close"
        return where, kind, (plan.after_join if where == "waiting" else plan.after_match).draw(chance)


def _said(persona: Persona) -> Iterator[str]:
    if persona.flood is not None:
        yield f"floods for {persona.flood.lasts}, {persona.flood.streams} joins at once, {persona.flood.pace:g} s apart"
        return
    yield f"talks for {times_of(persona.talk)}"
    if persona.patience is not None:
        yield f"waits for {persona.patience}"
    if persona.crossing:
        yield f"leaves just as somebody else joins in {persona.crossing:.0%} of his searches"
    if persona.rounds > 1:
        yield f"searches {persona.rounds} times at most, and thinks for {persona.think}"
    if persona.skip:
        yield f"skips {persona.skip:.0%} of his partners after {persona.skip_after}"
    if persona.friends:
        yield f"befriends {persona.friends}"
    if persona.storm is not None:
        yield f"loses his socket every {persona.storm:g} s"
    if (plan := persona.vanishing) is not None:
        yield f"vanishes from {plan.share:.0%} of his searches, after {plan.after_match}"
