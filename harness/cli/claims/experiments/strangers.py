"""Whether the queue asks who comes: joins without a token, with a forged one, and with a good one."""

from __future__ import annotations

from dataclasses import dataclass

import aiohttp

from harness.cli.claims.claim import Place
from harness.cli.claims.experiments.company import company
from harness.lab.database import connected
from harness.protocol.token import sign_hs256, user_claims

_LIFETIME = 3600
_FORGED = "a secret that the project does not know"
_EPOCH = 1_800_000_000


@dataclass(frozen=True)
class StrangerFacts:
    """HTTP statuses, and whether strangers left anything in the queue."""

    without_token: int
    with_forged_token: int
    with_good_token: int
    entries_of_strangers: int


async def strangers(place: Place) -> StrangerFacts:
    """Asks three times."""
    async with (
        place.deployed("strangers") as deployed,
        company(deployed.target, 1) as people,
        connected(deployed.database_url) as database,
        aiohttp.ClientSession() as http,
    ):
        url = f"{deployed.target.api_url}/matching/join"
        forged = sign_hs256(user_claims(people[0].user, _EPOCH, _LIFETIME), _FORGED)

        async def status(token: str) -> int:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            async with http.post(url, json={"matchMode": "global"}, headers=headers) as answer:
                return answer.status

        without, with_forged = await status(""), await status(forged)
        entries = await database.fetchval("select count(*) from public.waiting_queue")
        return StrangerFacts(without, with_forged, await status(people[0].account.access_token), int(entries))
