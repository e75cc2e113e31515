"""A database with the schema in it, and a client that calls an application without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from reference_server.auth import TokenSigner, TokenVerifier, anon_key
from reference_server.db import Database
from reference_server.settings import LOCAL_JWT_SECRET, Settings
from reference_server.web.caller import Gateway


@dataclass
class Answer:
    """A response: status, headers (lower case), body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass
class Client:
    """Calls an ASGI application; `headers` go with every call (the project's key, unless told otherwise)."""

    app: Any
    headers: dict[str, str] = field(default_factory=dict)

    async def call(
        self, method: str, url: str, body: Any = None, headers: dict[str, str] | None = None, token: str | None = None
    ) -> Answer:
        """Sends `body` as JSON (bytes as they are); `token` goes as the bearer token."""
        parts = urlsplit(url)
        sent = {"host": "server.test", **self.headers, **(headers or {})}
        if token:
            sent["authorization"] = f"Bearer {token}"
        raw = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": parts.path,
            "raw_path": parts.path.encode(),
            "query_string": parts.query.encode("latin-1"),
            "headers": [(k.lower().encode(), v.encode()) for k, v in sent.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 2),
            "app": self.app,
        }
        messages: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": raw, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            messages.append(message)

        await self.app(scope, receive, send)
        return Answer(
            messages[0]["status"],
            {k.decode(): v.decode() for k, v in messages[0]["headers"]},
            b"".join(m.get("body", b"") for m in messages[1:]),
        )


@pytest.fixture
def signer() -> TokenSigner:
    return TokenSigner(LOCAL_JWT_SECRET)


@pytest.fixture
def verifier(signer: TokenSigner) -> TokenVerifier:
    return TokenVerifier(signer.verification_key())


@pytest.fixture
def gateway(verifier: TokenVerifier) -> Gateway:
    return Gateway(verifier)


@pytest.fixture
def settings() -> Settings:
    return Settings()


ENGINE_SQL = """
create function public.find_match(p_user_id uuid, p_match_mode text default 'buddies_first')
returns table (match_found boolean, session_id uuid, partner_id uuid, message text) language sql as $$
    select false, null::uuid, p_user_id, p_match_mode
$$;
create function public.skip_partner(p_user_id uuid, p_session_id uuid) returns boolean language plpgsql as $$
begin
    if p_user_id = p_session_id then raise exception 'not you' using hint = 'another'; end if;
    return true;
end $$;
create function public.cleanup_matchmaking() returns void language sql as $$
    insert into public.waiting_queue (user_id) values (auth.uid())
$$;
"""
"""An engine that matches nobody: one function of each kind of result."""


@pytest.fixture
async def installed(database_url: str) -> AsyncIterator[Database]:
    """A database of the test's own, with the shared schema and no engine's functions."""
    database = await Database.open(database_url, pool_size=3)
    await database.install("documented", "")
    yield database
    await database.close()


@pytest.fixture(scope="session")
def shared_url(postgres_url: str) -> Iterator[str]:
    """A database with the shared schema and ENGINE_SQL, made once: a new one for each test would cost half a second."""

    async def statement(text: str) -> None:
        database = await Database.open(postgres_url, pool_size=2)
        async with database.connection() as connection:
            await connection.execute(text)
        await database.close()

    async def install() -> None:
        database = await Database.open(url, pool_size=2)
        await database.install("documented", ENGINE_SQL)
        await database.close()

    url = postgres_url.replace("/postgres?", "/shared?")
    asyncio.run(statement("create database shared"))
    asyncio.run(install())
    yield url
    asyncio.run(statement("drop database shared with (force)"))


@pytest.fixture
async def shared(shared_url: str) -> AsyncIterator[Database]:
    """The database of `shared_url`, with nobody in it."""
    database = await Database.open(shared_url, pool_size=3)
    async with database.connection() as connection:
        await connection.execute("truncate auth.users cascade")
    yield database
    await database.close()


@pytest.fixture
def client_for(signer: TokenSigner) -> Any:
    """A client of an application made of these routes, with the project's key."""

    def make(routes: Sequence[BaseRoute]) -> Client:
        return Client(Starlette(routes=list(routes)), {"apikey": anon_key(signer)})

    return make
