"""A small target with known delays, a process of its own: `python -m tests.harness.load.calibrated TABLE.json`.

It speaks as much of the wire as a swarm needs, answers the n-th join after the n-th delay of a table, tells its user
of his match after another, and keeps a ledger of what it truly did, on the monotonic clock that all processes share.
It may be told to block for a while, as a server does that collects garbage or waits for its disk.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from aiohttp import web

from harness.protocol.token import claims_of, local_anon_key, sign_hs256, user_claims
from harness.target import Target

ROOT = Path(__file__).parents[3]
SECRET = "s" * 32


@dataclass(frozen=True)
class Delay:
    """What one join meets, in seconds from its arrival: until it is answered, and until its user is told of a match."""

    join: float
    push: float | None
    """None: nobody comes for him."""


@dataclass(frozen=True)
class Table:
    """What a calibrated server does to each join, in the order in which they arrive."""

    delays: tuple[Delay, ...]
    stall_at: int | None = None
    """The join (by its number) after which the server blocks, answering nobody."""
    stall: float = 0.0

    @classmethod
    def read(cls, path: Path) -> Table:
        """The table of a file."""
        said = orjson.loads(path.read_bytes())
        return cls(tuple(Delay(**delay) for delay in said.pop("delays")), **said)

    def write(self, path: Path) -> Path:
        """Writes it into a file."""
        path.write_bytes(orjson.dumps(asdict(self)))
        return path


def drawn(seed: int, joins: int, answer: tuple[float, float], push: tuple[float, float]) -> tuple[Delay, ...]:
    """Delays of a long-tailed distribution between two bounds: most near the lower one, a few at the upper."""
    chance = random.Random(f"{seed}/delays")

    def one(least: float, most: float) -> float:
        return least + (most - least) * chance.random() ** 2

    return tuple(Delay(one(*answer), one(*push)) for _ in range(joins))


@dataclass
class Served:
    """One join, as the server saw it: moments on the monotonic clock."""

    user: str
    arrived: float
    answered: float = 0.0
    pushed: float | None = None


@dataclass
class _User:
    """A user with his socket."""

    wire: web.WebSocketResponse
    topics: dict[str, list[int]] = field(default_factory=dict)
    """The ids of the bindings of each topic that he joined."""


class Calibrated:
    """The server: what it owes whom, and what it has done."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._users: dict[str, _User] = {}
        self._names = 0
        self._sessions: dict[str, dict[str, Any]] = {}
        self._messages: dict[str, list[dict[str, Any]]] = {}
        self._waiting: asyncio.Future[dict[str, Any]] | None = None
        self._first = ""
        self._pushes: set[asyncio.Task[None]] = set()
        self._missed: dict[str, list[tuple[str, str, str, str, dict[str, Any]]]] = {}
        """By topic, what nobody was subscribed to hear: it is told to who subscribes, as by the hardened engine."""
        self.served: list[Served] = []
        self.stalled: tuple[float, float] | None = None

    def app(self) -> web.Application:
        """The routes."""
        app = web.Application()
        app.router.add_post("/auth/v1/signup", self.sign_up)
        app.router.add_post("/api/matching/join", self.join)
        app.router.add_post("/api/matching/leave", self.leave)
        app.router.add_get("/rest/v1/chat_sessions", self.look)
        app.router.add_patch("/rest/v1/chat_sessions", self.end)
        app.router.add_get("/rest/v1/messages", self.fetch)
        app.router.add_post("/rest/v1/messages", self.write)
        app.router.add_get("/realtime/v1/websocket", self.socket)
        app.router.add_get("/ledger", self.ledger)
        return app

    async def ledger(self, _request: web.Request) -> web.Response:
        """What was truly injected."""
        said = {"served": [asdict(one) for one in self.served], "stalled": self.stalled}
        return web.json_response(body=orjson.dumps(said))

    # ------------------------------------------------------------ joins

    async def sign_up(self, _request: web.Request) -> web.Response:
        """A fresh user."""
        self._names += 1
        token = sign_hs256(user_claims(f"user-{self._names}", int(time.time()), 3600), SECRET)
        return web.json_response({"access_token": token, "refresh_token": "r", "expires_in": 3600})

    async def join(self, request: web.Request) -> web.Response:
        """The n-th join has the n-th delays; every second makes a session with the one before."""
        user = _user_of(request)
        if user is None:
            return web.json_response({"error": "Unauthorized"}, status=401)
        mine = Served(user, time.monotonic())
        delay = self._table.delays[len(self.served) % len(self._table.delays)]
        self.served.append(mine)
        session = self._partnered(user)
        if delay.push is not None:
            push = asyncio.get_running_loop().create_task(self._push(mine, delay.push, session))
            self._pushes.add(push)
            push.add_done_callback(self._pushes.discard)
        if len(self.served) == self._table.stall_at:
            asyncio.get_running_loop().call_soon(self._block)
        await _until(mine.arrived + delay.join)
        mine.answered = time.monotonic()
        return web.json_response({"message": "Joined queue successfully"})

    def _partnered(self, user: str) -> asyncio.Future[dict[str, Any]]:
        """The session that this join will have, as soon as it is made."""
        if self._waiting is None:
            self._waiting, self._first = asyncio.get_running_loop().create_future(), user
            return self._waiting
        made, self._waiting = self._waiting, None
        id_ = f"session-{len(self._sessions)}"
        row = {"id": id_, "user1_id": self._first, "user2_id": user, "status": "active", "offerer_id": self._first}
        self._sessions[id_] = row
        made.set_result(row)
        return made

    async def _push(self, mine: Served, after: float, session: asyncio.Future[dict[str, Any]]) -> None:
        row = await session
        await _until(mine.arrived + after)
        mine.pushed = time.monotonic()
        await self._tell(mine.user, f"realtime:matchmaking:{mine.user}", "chat_sessions", "INSERT", row)

    def _block(self) -> None:
        """Nothing is read and nothing is answered meanwhile."""
        start = time.monotonic()
        time.sleep(self._table.stall)
        self.stalled = (start, time.monotonic())

    async def leave(self, _request: web.Request) -> web.Response:
        """Anybody may leave."""
        return web.json_response({"message": "Left queue successfully"})

    # ------------------------------------------------------------ sessions

    async def look(self, request: web.Request) -> web.Response:
        """One session by its id; or the active one of a user, whom no poll tells earlier than the push."""
        id_ = request.query.get("id", "").removeprefix("eq.")
        if id_:
            return web.json_response([self._sessions[id_]] if id_ in self._sessions else [])
        user = _user_of(request)
        told = {one.user for one in self.served if one.pushed is not None}
        mine = (row for row in self._sessions.values() if user in {row["user1_id"], row["user2_id"]} & told)
        return web.json_response([row for row in mine if row["status"] == "active"][:1])

    async def end(self, request: web.Request) -> web.Response:
        """A session is over, and both are told."""
        row = self._sessions[request.query["id"].removeprefix("eq.")]
        row["status"] = "ended"
        for user in (row["user1_id"], row["user2_id"]):
            await self._tell(user, f"realtime:session:{row['id']}", "chat_sessions", "UPDATE", row)
        return web.Response(status=204)

    async def fetch(self, request: web.Request) -> web.Response:
        """The messages of a session."""
        return web.json_response(self._messages.get(request.query["session_id"].removeprefix("eq."), []))

    async def write(self, request: web.Request) -> web.Response:
        """A message, which both are told of."""
        row = await request.json()
        kept = self._messages.setdefault(row["session_id"], [])
        row["id"] = f"{row['session_id']}-{len(kept)}"
        kept.append(row)
        session = self._sessions[row["session_id"]]
        for user in (session["user1_id"], session["user2_id"]):
            await self._tell(user, f"realtime:session:{session['id']}", "messages", "INSERT", row)
        return web.Response(status=201)

    # ------------------------------------------------------------ the socket

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        """Joins, leaves and heartbeats of one socket."""
        wire = web.WebSocketResponse(compress=False)
        await wire.prepare(request)
        user = _User(wire)
        async for message in wire:
            frame = orjson.loads(message.data)
            await self._take(user, frame)
        return wire

    async def _take(self, user: _User, frame: dict[str, Any]) -> None:
        topic, payload, answer = frame["topic"], frame["payload"], {}
        joins = frame["event"] == "phx_join"
        if joins:
            self._users[claims_of(payload["access_token"])["sub"]] = user
            bindings = [{**one, "id": n} for n, one in enumerate(payload["config"]["postgres_changes"], 1)]
            user.topics[topic] = [one["id"] for one in bindings]
            answer = {"postgres_changes": bindings}
        elif frame["event"] == "phx_leave":
            user.topics.pop(topic, None)
        await _send(user.wire, topic, "phx_reply", {"status": "ok", "response": answer}, frame["ref"])
        if joins:
            stands = {"channel": topic.removeprefix("realtime:"), "extension": "postgres_changes", "status": "ok"}
            await _send(user.wire, topic, "system", {**stands, "message": "Subscribed to PostgreSQL"})
            for missed in self._missed.pop(topic, ()):
                await self._tell(*missed)

    async def _tell(self, user: str, topic: str, table: str, event: str, row: dict[str, Any]) -> None:
        there = self._users.get(user)
        if there is None or topic not in there.topics or there.wire.closed:
            self._missed.setdefault(topic, []).append((user, topic, table, event, row))
            return
        data = {"schema": "public", "table": table, "type": event, "record": row, "columns": [], "errors": None}
        await _send(there.wire, topic, "postgres_changes", {"ids": there.topics[topic], "data": data})


def _user_of(request: web.Request) -> str | None:
    """The user whose token came along; None where none did."""
    token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    return claims_of(token).get("sub") if token else None


async def _until(moment: float) -> None:
    """Never returns early, as a single sleep may: event loops round."""
    await asyncio.sleep(max(0.0, moment - time.monotonic()))
    await asyncio.sleep(max(0.0, moment - time.monotonic()))


async def _send(wire: web.WebSocketResponse, topic: str, event: str, payload: Any, ref: str | None = None) -> None:
    frame = {"topic": topic, "event": event, "payload": payload, "ref": ref}
    try:
        await wire.send_str(orjson.dumps(frame).decode())
    except ConnectionError:
        return


async def serve(table: Table) -> None:
    """Serves until its standard input ends; the first line of its output is its address."""
    runner = web.AppRunner(Calibrated(table).app(), shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
    await site.start()
    print(site._server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 — aiohttp has no other way
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await runner.cleanup()


# ---------------------------------------------------------------- for tests


@dataclass(frozen=True)
class Running:
    """A calibrated server that runs."""

    url: str

    def target(self, **parts: Any) -> Target:
        """The target file of it."""
        return Target(
            name="calibrated", api_url=f"{self.url}/api", supabase_url=self.url, anon_key=local_anon_key(), **parts
        )

    async def ledger(self) -> tuple[Sequence[Served], tuple[float, float] | None]:
        """What it has done so far, and from when to when it was blocked."""
        async with aiohttp.ClientSession() as http, http.get(f"{self.url}/ledger") as answer:
            said = orjson.loads(await answer.read())
        return [Served(**one) for one in said["served"]], said["stalled"]


@asynccontextmanager
async def calibrated(table: Table, folder: Path) -> AsyncIterator[Running]:
    """A calibrated server in a process of its own, for as long as the block lasts."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.harness.load.calibrated", str(table.write(folder / "table.json")), cwd=ROOT,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert child.stdout is not None
        yield Running(f"http://127.0.0.1:{int(await child.stdout.readline())}")
    finally:
        if child.stdin is not None:
            child.stdin.close()
        await child.wait()


if __name__ == "__main__":
    asyncio.run(serve(Table.read(Path(sys.argv[1]))))
