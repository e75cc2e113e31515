"""Burst: a hundred users look for a partner within a tenth of a second (the design document's section 15).

    gurukul swarm burst hardened
    locust -f locustfiles/burst.py --host http://127.0.0.1:8000 --headless -u 100

Everybody asks for anybody, talks for 4 to 6 seconds (even chances, from the user's seed) and hangs up. A burst is where
calls of `find_match` meet: what it judges best is that nobody is left waiting beside somebody else (MM-L2, MM-L3), that
everybody is told in time (MM-L1), and that nobody is in two sessions (MM-S1). The document sends its hundred joins as
one user; a rate limit refuses that, so that here each comes from a user of his own.
"""

from __future__ import annotations

from harness.actor.persona import Persona
from harness.load.user import ArrivingUser


class Burst(ArrivingUser):
    """Searches for anybody, at the same moment as all others."""

    persona = Persona(name="burst", mode="global")
    arrivals = "burst:100/0.1s@1s*100"
    judges = (
        "MM-S1", "MM-S2", "MM-S3", "MM-S4", "MM-S7", "MM-S8", "MM-L1", "MM-L2", "MM-L3", "MM-L6",
        "SG-S1", "SG-S2", "SG-S3", "SG-S4",
    )  # fmt: skip
