"""Vanishing: tabs that are closed, and sockets that fall silent, in sessions and in the queue.

    gurukul swarm vanishing hardened --users 100 --duration 20
    gurukul swarm vanishing hardened --users 100 --duration 20 --time scaled

Two of five go without a word: two of five of them from the queue, some 50 ms after the join (exponential), the others
from a session, about a second after the match (exponential, 3 s at most); half of them close the tab, half leave the
connection open and never read it again. They stay away for longer than the budget `disconnect`. The others talk for 20
to 26 seconds (even chances) and look before they hang up, so that it shows whether they were told (MM-L5). Who is
matched with a ghost whose time is over breaks MM-S5, which a run judges that outlasts `queue_ttl`: two minutes, or six
seconds with `--time scaled`. Without a partner who was deserted and stayed the run is `unknown`.
"""

from __future__ import annotations

from harness.actor.personas import VANISHING
from harness.load.user import ArrivingUser


class Vanisher(ArrivingUser):
    """Searches for anybody, and may go without a word."""

    persona = VANISHING
    arrivals = "poisson:5/s"
    judges = (
        "MM-S1", "MM-S2", "MM-S3", "MM-S4", "MM-S5", "MM-S7", "MM-S8", "MM-L1", "MM-L2", "MM-L3", "MM-L5",
    )  # fmt: skip
    needs = ("vanished_talking", "vanished_waiting", "MM-L5")
