"""Spam: a few users flood the target with joins, beside many innocent ones.

    gurukul swarm spam hardened --users 200 --duration 20

One of thirty who come joins ten times a second for 8 to 16 seconds (even chances) and takes no refusal to heart; the
others ask for anybody and talk for 2 to 4 seconds (even chances). The flood must be answered 429 (LIM-1) with a
Retry-After (LIM-2), and the innocent must be matched in time all the same (MM-L2). Without a join that was refused the
run is `unknown`, and with a flood that was let in it is invalid.
"""

from __future__ import annotations

from harness.actor.personas import FLOODING, INNOCENT
from harness.load.user import ArrivingUser


class Innocent(ArrivingUser):
    """Searches for anybody."""

    persona = INNOCENT
    weight = 29
    arrivals = "poisson:12/s"
    judges = (
        "MM-S1", "MM-S2", "MM-S3", "MM-S4", "MM-S7", "MM-S8", "MM-L1", "MM-L2", "MM-L3", "LIM-1", "LIM-2",
    )  # fmt: skip
    needs = ("refused_joins",)


class Flooder(ArrivingUser):
    """Joins, and joins, and joins."""

    persona = FLOODING
    weight = 1
