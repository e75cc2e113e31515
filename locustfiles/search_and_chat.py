"""Search and chat: users arrive, look for a partner, shake hands, talk, hang up or skip, think, and look again.

    locust -f locustfiles/search_and_chat.py --host http://127.0.0.1:8000 --headless -u 20 -r 10

Everybody asks for anybody and talks for 4 to 6 seconds (even chances); in one of five he skips his partner about 1.5
seconds after the handshake (log-normal). He searches three times at most: half a second after a skip, and else when he
has thought for about two seconds (log-normal). `--users` is how many arrive, `--spawn-rate` how many per second;
`--arrivals`, `--peer-share`, `--rounds` and the other options of the group “search and chat” (`--help`) say the rest.
"""

from __future__ import annotations

from harness.actor.personas import SEARCHING
from harness.load.user import ArrivingUser


class SearchAndChat(ArrivingUser):
    """Searches for anybody, as the document's client does."""

    persona = SEARCHING
    judges = (
        "MM-S1", "MM-S2", "MM-S3", "MM-S4", "MM-S7", "MM-S8", "MM-L1", "MM-L2", "MM-L3", "MM-L6",
        "SG-S1", "SG-S2", "SG-S3", "SG-S4",
    )  # fmt: skip
