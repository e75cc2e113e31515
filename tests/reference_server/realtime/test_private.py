"""Private channels: row-level security on realtime.messages decides who may read and write (PROTOCOL 1.6)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import aiohttp
import pytest

from reference_server.auth.claims import Claims
from reference_server.db import Database
from reference_server.realtime.authorizer import rights_in
from reference_server.realtime.channel import Rights
from reference_server.settings import Settings
from tests.reference_server.realtime.conftest import PROMPT, Client, Site, running_site

DENIED = "You do not have permissions to read from this Channel topic: {}"
POLICIES = """
create policy read_own on realtime.messages for select to authenticated
    using (realtime.topic() = 'room:' || (select auth.uid())
           or realtime.topic() = 'hall' and extension = 'broadcast');
create policy write_own on realtime.messages for insert to authenticated
    with check (realtime.topic() = 'room:' || (select auth.uid()));
create policy broken on realtime.messages for select to authenticated
    using (realtime.topic() = 'broken' and 1 / (length(topic) - 6) = 1)
"""


@pytest.fixture
async def guarded(site: Site) -> AsyncIterator[Site]:
    """A site whose tenant has written policies."""
    await site.execute(POLICIES)
    yield site
    for name in ("read_own", "write_own", "broken"):
        await site.execute(f"drop policy {name} on realtime.messages")


async def join(site: Site, client: Client, name: str, user: UUID | None, **config: Any) -> Any:
    token = site.token(user) if user else None
    return (await client.join(f"realtime:{name}", token=token, private=True, **config)).payload


async def test_rights_are_what_the_policies_say(guarded: Site) -> None:
    """Read and write, for broadcast and presence apart; a policy that fails allows nothing; no row stays behind."""
    one, other = await guarded.users(2)
    own = f"room:{one}"
    nothing = Rights(False, False, False, False)
    for who, topic, wanted in (
        (Claims("authenticated", one, 9e9, {"sub": str(one)}), own, Rights()),
        (Claims("authenticated", other, 9e9, {"sub": str(other)}), own, nothing),
        (Claims("authenticated", other, 9e9, {"sub": str(other)}), "hall", Rights(True, False, False, False)),
        (Claims("anon", None, 9e9, {}), own, nothing),
        (Claims("authenticated", one, 9e9, {"sub": str(one)}), "broken", nothing),
    ):
        assert await rights_in(guarded.database, who, topic) == wanted
    async with guarded.database.connection() as connection:
        assert await connection.fetchval("select count(*) from realtime.messages") == 0
        assert await connection.fetchval("select current_setting('role')") == "none"


async def test_who_may_join(guarded: Site) -> None:
    """The owner joins his room; a stranger and the anonymous are refused with the topic's name, and may go on."""
    one, other = await guarded.users(2)
    async with guarded.client() as client:
        assert (await join(guarded, client, f"room:{one}", one))["status"] == "ok"
        for stranger in (other, None):
            refused = await join(guarded, client, f"room:{one}", stranger)
            if refused == {}:  # the phx_close of the channel that the second join replaced
                refused = (await client.receive()).payload
            reason = "Unauthorized: " + DENIED.format(f"room:{one}")
            assert refused == {"status": "error", "response": {"reason": reason}}
        await client.heartbeat()


async def test_a_private_and_a_public_channel_of_one_name_do_not_meet(guarded: Site) -> None:
    """What is told in the one is not heard in the other."""
    (one,) = await guarded.users(1)
    topic = f"realtime:room:{one}"
    async with guarded.client() as private, guarded.client() as fellow, guarded.client() as public:
        for client in (private, fellow):
            await join(guarded, client, f"room:{one}", one)
        await public.join(topic)
        await private.send(topic, "broadcast", {"type": "broadcast", "event": "e", "payload": {}}, "5", "1")
        assert (await fellow.receive()).payload["event"] == "e"
        await public.heartbeat()


async def test_who_may_read_need_not_be_able_to_write(guarded: Site) -> None:
    """Broadcasts of a reader go nowhere, silently; his presence is refused, and nobody else's is shown to him."""
    (one,) = await guarded.users(1)
    async with guarded.client() as reader, guarded.client() as other:
        for client in (reader, other):
            assert (await join(guarded, client, "hall", one, presence={"enabled": True}))["status"] == "ok"
        await reader.send("realtime:hall", "broadcast", {"type": "broadcast", "event": "e"}, "5", "1")
        await reader.send("realtime:hall", "presence", {"type": "presence", "event": "track", "payload": {}}, "6", "1")
        assert (await reader.receive()).payload == {"status": "error", "response": {"reason": "unauthorized"}}
        await other.heartbeat()


async def test_a_new_token_may_lose_the_room(guarded: Site) -> None:
    """After another user's token came, the channel is judged anew: a system error, then phx_close."""
    one, other = await guarded.users(2)
    topic = f"realtime:room:{one}"
    async with guarded.client() as client:
        await join(guarded, client, f"room:{one}", one)
        await client.send(topic, "access_token", {"access_token": guarded.token(one, 1800)}, "2", "1")
        await client.heartbeat()
        await client.send(topic, "access_token", {"access_token": guarded.token(other)}, "3", "1")
        said, closed = await client.receive(), await client.receive()
        assert said.payload["message"] == f"You no longer have permission to read from this Channel topic: room:{one}"
        assert closed.event == "phx_close"


async def test_private_messages_over_http(guarded: Site) -> None:
    """202 in any case; only a sender who may write there is heard."""
    one, other = await guarded.users(2)
    name = f"room:{one}"
    async with guarded.client() as client, aiohttp.ClientSession() as http:
        await join(guarded, client, name, one)
        for number, sender in enumerate((other, one)):
            headers = {"authorization": f"Bearer {guarded.token(sender)}"}
            body = {"messages": [{"topic": name, "event": "e", "payload": {"n": number}, "private": True}]}
            async with http.post(guarded.http, json=body, headers=headers) as answer:
                assert answer.status == 202
        assert (await client.receive()).payload["payload"] == {"n": 1}


async def test_leaving_while_the_join_is_judged(guarded: Site) -> None:
    """The leave is answered, and nothing of the join comes afterwards."""
    (one,) = await guarded.users(1)
    topic = f"realtime:room:{one}"
    async with guarded.client() as client:
        payload = {"config": {"private": True}, "access_token": guarded.token(one)}
        await client.send(topic, "phx_join", payload, "1", "1")
        await client.send(topic, "phx_leave", {}, "2", "1")
        assert [(await client.receive()).event for _ in range(2)] == ["phx_reply", "phx_close"]
        assert (await join(guarded, client, f"room:{one}", one))["status"] == "ok"
        await client.heartbeat()


async def test_projects_with_private_channels_only(installed: Database) -> None:
    """PrivateOnly: a public join is refused."""
    async with running_site(installed, Settings(private_only=True, **PROMPT)) as site, site.client() as client:
        reply = await client.join("realtime:room")
        assert reply.payload["response"]["reason"] == "PrivateOnly: This project only allows private channels"
