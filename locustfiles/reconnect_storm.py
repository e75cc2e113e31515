"""Reconnect storm: every five seconds the sockets of all users are lost at one moment.

    gurukul swarm reconnect_storm hardened --users 200 --duration 20

The connections are dropped without a closing handshake, those of users who wait and of users who talk, and come back
with the official client's back-off: after 1, 2, 5 and 10 seconds. (Each load generator has its own first moment; with
--processes they are some tenths of a second apart.) Users ask for anybody and talk for 8 to 16 seconds (even chances),
so that most of them live through a storm. What it judges best is that nobody loses his place or his session by it, and
that no signal is lost in between (SG-S1). Without a socket that was lost in a session and stood again the run is
`unknown`.
"""

from __future__ import annotations

from harness.actor.personas import STORMED
from harness.load.user import ArrivingUser


class Stormed(ArrivingUser):
    """Searches for anybody, and loses his socket with all others."""

    persona = STORMED
    arrivals = "poisson:12/s"
    judges = (
        "MM-S1", "MM-S2", "MM-S3", "MM-S4", "MM-S7", "MM-S8", "MM-L1", "MM-L2", "MM-L3",
        "SG-S1", "SG-S2", "SG-S3", "SG-S4",
    )  # fmt: skip
    needs = ("lost_talking", "reconnected")
