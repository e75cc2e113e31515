"""Queue churn: users join and leave, again and again; some are matched while they leave.

    gurukul swarm queue_churn hardened --users 100 --duration 20

Of four who come three are churners: they leave after 50 ms on average (exponential), or, every second time, just as
somebody else joins, before they have subscribed to anything, look whether they were matched all the same (then they
talk), think for about 0.6 s (log-normal), and join again, six times at most. The fourth stays until he is matched,
three times at most. What it judges best is that nobody is matched after he has left (MM-S6), and that nobody is matched
twice (MM-S1, MM-S7). Without a leave that raced somebody's join the run is `unknown`.
"""

from __future__ import annotations

from harness.actor.personas import CHURNING, STAYING
from harness.load.user import ArrivingUser


class Churner(ArrivingUser):
    """Joins and leaves."""

    persona = CHURNING
    weight = 3
    arrivals = "poisson:8/s"
    judges = (
        "MM-S1", "MM-S2", "MM-S3", "MM-S4", "MM-S6", "MM-S7", "MM-S8", "MM-L1", "MM-L2", "MM-L3",
    )  # fmt: skip
    needs = ("leave_races",)


class Stayer(ArrivingUser):
    """Joins and stays."""

    persona = STAYING
    weight = 1
