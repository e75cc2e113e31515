"""Search and chat: users arrive, look for a partner, shake hands, talk for a few seconds and hang up.

    locust -f locustfiles/search_and_chat.py --host http://127.0.0.1:8000 --headless -u 20 -r 10

`--users` is how many arrive, `--spawn-rate` how many per second; `--arrivals`, `--peer-share` and the other options of
the group “search and chat” (`--help`) say the rest.
"""

from __future__ import annotations

from harness.actor.persona import Persona
from harness.load.user import ArrivingUser


class SearchAndChat(ArrivingUser):
    """Searches for anybody, as the document's client does."""

    persona = Persona(name="search_and_chat", mode="global")
