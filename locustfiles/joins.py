"""Joins alone: users by thousands a second who join and look for their match only when all is over.

    gurukul swarm joins hardened --arrivals constant:500/s --users 5000
    gurukul swarm joins hardened --find-ceiling

They have no sockets and do not poll meanwhile, so that what is measured is joining and matching. `gurukul swarm` plays
this scenario without Locust, whose greenlets would be the limit (docs/swarms.md). By plain Locust its users search by
poll, once, and hang up at once.
"""

from __future__ import annotations

from harness.actor.persona import Persona
from harness.load.user import ArrivingUser


class Joins(ArrivingUser):
    """Joins with the mode `global`, and hears of his match by poll."""

    persona = Persona(name="joins", mode="global", hears="poll", talk=(0.0, 0.0))
    arrivals = "constant"
    judges = ("MM-S1", "MM-S2", "MM-S3", "MM-L1", "MM-L2", "MM-L3")
