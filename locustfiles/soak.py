"""Soak: a steady mix of all the others in small shares, for as long as it is asked for.

    gurukul swarm soak hardened --duration 3600

Five users come per second. Of a hundred, 70 search and chat, 8 churn, 6 lose their sockets every five seconds, 6 ask
for buddies first, 4 vanish (from two of five searches), 3 learn of their match by poll alone, 2 by push alone, and 1
floods. Their times are those of the scenarios of these names. What grows, leaks or slows down over hours shows here;
that levels off is asked by `make stress` of the server's own figures (docs/long-runs.md).
"""

from __future__ import annotations

from harness.actor.personas import (
    BEFRIENDED,
    CHURNING,
    FLOODING,
    POLLING,
    PUSHED,
    SEARCHING,
    STORMED,
    VANISHING,
)
from harness.load.user import ArrivingUser


class Searcher(ArrivingUser):
    """Searches and chats."""

    persona = SEARCHING
    weight = 70
    arrivals = "poisson:5/s"
    judges = (
        "MM-S1", "MM-S2", "MM-S3", "MM-S4", "MM-S5", "MM-S6", "MM-S7", "MM-S8", "MM-S11",
        "MM-L1", "MM-L2", "MM-L3", "MM-L5", "MM-L6", "LIM-1", "LIM-2",
        "SG-S1", "SG-S2", "SG-S3", "SG-S4",
    )  # fmt: skip
    needs = ("searches_again", "skips")


class Churner(ArrivingUser):
    """Joins and leaves."""

    persona = CHURNING
    weight = 8


class Stormed(ArrivingUser):
    """Loses his socket."""

    persona = STORMED
    weight = 6


class Buddy(ArrivingUser):
    """Asks for buddies first."""

    persona = BEFRIENDED
    weight = 6


class Vanisher(ArrivingUser):
    """May go without a word."""

    persona = VANISHING
    weight = 4


class Polling(ArrivingUser):
    """Learns of his match by poll alone."""

    persona = POLLING
    weight = 3


class Pushed(ArrivingUser):
    """Learns of his match by push alone."""

    persona = PUSHED
    weight = 2


class Flooder(ArrivingUser):
    """Joins, and joins, and joins."""

    persona = FLOODING
    weight = 1
