"""No push: everybody asks for his session every 3 seconds, as where a proxy lets no subscription through.

    gurukul swarm poll_only hardened --arrivals poisson:20/s --users 200

Nobody waits longer than a poll and its budget (MM-L1, MM-L2), though nothing is pushed; the load is that of the polls.
Users ask for anybody, talk for 4 to 6 seconds (even chances, from the user's seed) and hang up; their signals go over
the socket in any case.
"""

from __future__ import annotations

from harness.actor.personas import POLLING
from harness.load.user import ArrivingUser


class PollOnly(ArrivingUser):
    """Searches for anybody, and learns of his match by poll alone."""

    persona = POLLING
    arrivals = "poisson:20/s"
    judges = (
        "MM-S1", "MM-S2", "MM-S3", "MM-S4", "MM-S7", "MM-S8", "MM-L1", "MM-L2", "MM-L3", "MM-L6",
        "SG-S1", "SG-S2", "SG-S3", "SG-S4",
    )  # fmt: skip
