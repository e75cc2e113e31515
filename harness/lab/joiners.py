"""Joins over HTTP as fast as they are answered, by some joiners at once, beside a POST that does nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import orjson

from harness.errors import Trouble
from harness.lab.database import connected
from harness.results.joining import JoinRate
from harness.target import Target

JOINERS = 32
"""Requests under way at the same time."""
MODE = "buddies_first"
"""The match mode of the joins: the default of the document's queue (section 4)."""
_NOOPS = 4
"""So many times as many requests that do nothing as joins: they are quicker."""
_FRIENDS = (1, 7, 23, 51, 101)
"""How far apart in the list of accounts two users are friends."""
_DEADLINE = 120.0
_NOOP = "/noop"

_FRIENDSHIPS = """
with u as (select id, row_number() over (order by id) n from auth.users)
insert into public.study_connections (requester_id, receiver_id, status)
select a.id, b.id, 'accepted' from u a cross join unnest($1::int[]) distance join u b on b.n = a.n + distance
"""
_CORRECT = """
with m as (select u from public.chat_sessions, unnest(array[user1_id, user2_id]) u where status = 'active'),
     twice as (select u from m group by u having count(*) > 1)
select count(*) from public.chat_sessions s
where s.status = 'active' and not exists (select 1 from twice where u in (s.user1_id, s.user2_id))
"""
"""Sessions of which no member is in another one (MM-S1)."""


class Answered(NamedTuple):
    """What a series of requests came to: the bodies of the answers, in the order of their coming, and the seconds."""

    bodies: list[bytes]
    seconds: float

    @property
    def per_s(self) -> float:
        """Answers per second."""
        return len(self.bodies) / self.seconds


async def join_rate(target: Target, joins: int) -> JoinRate:
    """Lets so many users join one after the other, each once, `JOINERS` at a time.

    The users have friends, and have shown their tokens before. The target is a deployment of the lab with the route
    `POST /noop` and a database that can be looked into. A match is correct when neither member is in another session.

    Raises:
        Trouble: a request was not answered with 200, or not all of them in time.
    """
    tokens = await _signed_up(target, joins)
    body = orjson.dumps({"matchMode": MODE})
    async with connected(target.capabilities.database_url) as database:
        await database.execute(_FRIENDSHIPS, _FRIENDS)
        await database.execute("analyze")
        await _play(target, [_request(target, "/api/matching/leave", token, b"") for token in tokens])
        idle = await _play(target, [_request(target, _NOOP, tokens[0], body)] * (_NOOPS * joins))
        joined = await _play(target, [_request(target, "/api/matching/join", token, body) for token in tokens])
        correct = await database.fetchval(_CORRECT)
    return JoinRate(
        at_once=JOINERS,
        mode=MODE,
        joins=joins,
        joins_per_s=round(joined.per_s, 1),
        correct_matches=correct,
        correct_matches_per_s=round(correct / joined.seconds, 1),
        noop_per_s=round(idle.per_s, 1),
    )


async def _signed_up(target: Target, count: int) -> list[str]:
    """The tokens of so many new accounts."""
    answered = await _play(target, [_request(target, "/auth/v1/signup", target.anon_key, b"{}")] * count)
    return [str(orjson.loads(body)["access_token"]) for body in answered.bodies]


async def _play(target: Target, requests: Sequence[bytes]) -> Answered:
    """Sends the requests over as many connections as there are joiners, each as soon as it is free."""
    address = urlsplit(target.supabase_url)
    host, port = str(address.hostname), address.port or 80
    loop, todo, bodies = asyncio.get_running_loop(), iter(requests), list[bytes]()
    joiners = [_Joiner(todo, bodies, loop.create_future()) for _ in range(min(JOINERS, len(requests)))]
    began = time.perf_counter()
    try:
        async with asyncio.timeout(_DEADLINE):
            for joiner in joiners:
                await loop.create_connection(joiner.itself, host, port)
            await asyncio.gather(*(joiner.done for joiner in joiners))
    except TimeoutError:
        raise Trouble(
            f"{len(bodies)} of {len(requests)} requests were answered within {_DEADLINE:g} s",
            "see the server's log in the run's folder",
        ) from None
    except OSError as error:
        raise Trouble(f"the joiners lost the server ({error})", "see the server's log in the run's folder") from None
    finally:
        for joiner in joiners:
            joiner.close()
    return Answered(bodies, time.perf_counter() - began)


class _Joiner(asyncio.Protocol):
    """One connection that sends the next request as soon as the last is answered.

    Less than an HTTP client, so that it takes little of the processor that it shares with what it measures: answers
    have a Content-Length, as all of the server's have.
    """

    def __init__(self, requests: Iterator[bytes], bodies: list[bytes], done: asyncio.Future[None]) -> None:
        self._requests = requests
        self._bodies = bodies
        self._answer = b""
        self._transport: Any = None
        self.done = done

    def itself(self) -> _Joiner:
        """The protocol of its one connection."""
        return self

    def close(self) -> None:
        """Closes the connection. May be called twice."""
        if self._transport is not None:
            self._transport.abort()
        if not self.done.done():
            self.done.cancel()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionResetError("closed by the server"))

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, found, body = self._answer.partition(b"\r\n\r\n")
        if not found or len(body) < _length(head):
            return
        self._answer = b""
        if not head.startswith(b"HTTP/1.1 200"):
            self._fail(head, body)
            return
        self._bodies.append(body)
        self._next()

    def _fail(self, head: bytes, body: bytes) -> None:
        status = head.split(b"\r\n", 1)[0].decode("latin-1")
        said = body.decode("utf-8", "replace")[:200]
        if not self.done.done():
            self.done.set_exception(Trouble(f"a joiner was answered {status}: {said}", "see the server's log"))

    def _next(self) -> None:
        request = next(self._requests, None)
        if request is not None:
            self._transport.write(request)
        elif not self.done.done():
            self.done.set_result(None)


def _length(head: bytes) -> int:
    _, _, rest = head.lower().partition(b"content-length:")
    return int(rest.split(b"\r\n", 1)[0] or b"0")


def _request(target: Target, path: str, token: str, body: bytes) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nhost: {urlsplit(target.supabase_url).netloc}\r\napikey: {target.anon_key}\r\n"
        f"authorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
