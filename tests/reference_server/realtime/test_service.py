"""The Realtime wire over a real server and a real PostgreSQL: who is told what, and in which form."""

from __future__ import annotations

import pytest

from tests.reference_server.realtime.conftest import Site, sessions_of


@pytest.mark.parametrize("version", ["1.0.0", "2.0.0"])
async def test_a_member_is_told_of_a_row_that_anyone_inserted(site: Site, version: str) -> None:
    """A row written past the server, as psql does, reaches the member's socket, in both frame versions."""
    one, other = await site.users(2)
    async with site.client(version) as client:
        await client.subscribe(f"realtime:matchmaking:{one}", sessions_of(one), token=site.token(one))
        session = await site.session(one, other)
        assert (await client.receive()).payload["data"]["record"]["id"] == str(session)
