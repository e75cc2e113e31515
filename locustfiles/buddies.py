"""Buddies: everybody makes friends with some who came shortly before him, and asks for buddies first.

    gurukul swarm buddies hardened --users 120

Twelve come within a twentieth of a second, every second. Before that each asks three of those who came last for their
friendship, over the target's own interface, and they accept. All ask for `buddies_first`, talk for 2 to 4 seconds
(even chances), think for about two (log-normal) and search once more. Whoever is matched with a stranger although a
buddy waited all the while breaks MM-S11. Without a user who had a buddy waiting the run is `unknown`. (Friends are of
one load generator: with --processes the graph falls into as many parts.)
"""

from __future__ import annotations

from harness.actor.personas import BEFRIENDED
from harness.load.user import ArrivingUser


class Buddy(ArrivingUser):
    """Asks for buddies first."""

    persona = BEFRIENDED
    arrivals = "burst:12/0.05s@1s"
    judges = (
        "MM-S1", "MM-S2", "MM-S3", "MM-S4", "MM-S7", "MM-S8", "MM-S11", "MM-L1", "MM-L2", "MM-L3", "MM-L6",
    )  # fmt: skip
    needs = ("friendships", "MM-S11")
