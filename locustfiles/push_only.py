"""No poll: everybody subscribes before he joins, and is told by the socket or never.

    gurukul swarm push_only hardened --arrivals poisson:20/s --users 200

Everybody is told by push alone (MM-L1), which shows each push that is lost, for no poll makes up for it.
Users ask for anybody, talk for 4 to 6 seconds (even chances, from the user's seed) and hang up; their signals go over
the socket in any case.
"""

from __future__ import annotations

from harness.actor.personas import PUSHED
from harness.load.user import ArrivingUser


class PushOnly(ArrivingUser):
    """Searches for anybody, and learns of his match by push alone."""

    persona = PUSHED
    arrivals = "poisson:20/s"
    judges = (
        "MM-S1", "MM-S2", "MM-S3", "MM-S4", "MM-S7", "MM-S8", "MM-L1", "MM-L2", "MM-L3", "MM-L6",
        "SG-S1", "SG-S2", "SG-S3", "SG-S4",
    )  # fmt: skip
