"""No poll: everybody subscribes before he joins, and is told by the socket or never.

    gurukul swarm push_only hardened --arrivals poisson:20/s --users 200

Everybody is told by push alone (MM-L1), which shows each push that is lost, for no poll makes up for it.
Users ask for anybody, talk for 4 to 6 seconds (even chances, from the user's seed) and hang up; their signals go over
the socket in any case.
"""

from __future__ import annotations

from harness.actor.persona import Persona
from harness.load.user import ArrivingUser


class PushOnly(ArrivingUser):
    """Searches for anybody, and learns of his match by push alone."""

    persona = Persona(name="push_only", mode="global", hears="push")
    arrivals = "poisson:20/s"
