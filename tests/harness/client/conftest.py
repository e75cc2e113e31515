"""A tiny target in the test's own process: scripted HTTP answers, and a Realtime that does only what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web

from harness.client import Participant, Transport
from harness.history.op import Op
from harness.history.recorder import Recorder
from harness.protocol.token import local_anon_key, sign_hs256, user_claims
from harness.target import Budgets, Target

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class FakeSocket:
    """One client's socket, as the server sees it."""

    wire: web.WebSocketResponse
    joins: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The last join frame of each topic."""
    pongs: int = 0

    async def send(self, topic: str, event: str, payload: Any, ref: str | None = None) -> None:
        frame = {"topic": topic, "event": event, "payload": payload, "ref": ref}
        await self.wire.send_str(orjson.dumps(frame).decode())

    async def accept(self, topic: str) -> None:
        """Replies to a join; each binding's id is its index + 1."""
        frame = self.joins[topic]
        bindings = frame["payload"]["config"]["postgres_changes"]
        echoed = [{**binding, "id": number} for number, binding in enumerate(bindings, 1)]
        response = {"status": "ok", "response": {"postgres_changes": echoed}}
        await self.send(topic, "phx_reply", response, frame["ref"])

    async def stand(self, topic: str, status: str = "ok") -> None:
        """Says that the database subscription stands, or does not."""
        name = topic.removeprefix("realtime:")
        payload = {"channel": name, "extension": "postgres_changes", "message": "said so", "status": status}
        await self.send(topic, "system", payload)

    async def insert(self, topic: str, table: str, record: Any, event: str = "INSERT", id_: int = 1) -> None:
        data = {"schema": "public", "table": table, "type": event, "record": record, "columns": [], "errors": None}
        await self.send(topic, "postgres_changes", {"ids": [id_], "data": data})


class FakeTarget:
    """Answers as a healthy target does, unless `answers` has something else for `METHOD /path`."""

    def __init__(self) -> None:
        self.url = ""
        self.answers: dict[str, list[web.Response | Handler]] = {}
        """For each route, what is answered first, second …; the last goes on for ever."""
        self.asked: list[tuple[str, str, dict[str, str], Any]] = []
        self.rows: dict[str, list[dict[str, Any]]] = {"chat_sessions": [], "messages": []}
        self.sockets: list[FakeSocket] = []
        self.socket_paths: list[str] = []
        self.frames: list[dict[str, Any]] = []
        self.auto_accept = True
        self.auto_stand = True
        self.answer_beats = True
        self._changed = asyncio.Condition()
        self.hang = hang

    def target(self, **parts: Any) -> Target:
        """The target file of this target."""
        budgets = Budgets(**parts.pop("budgets", {}))
        return Target(
            name="fake", api_url=f"{self.url}/api", supabase_url=self.url, anon_key=local_anon_key(), budgets=budgets,
            **parts,
        )  # fmt: skip

    async def until(self, true: Callable[[], Any]) -> None:
        """Waits for something that happens on the server's side."""
        async with self._changed, asyncio.timeout(5):
            await self._changed.wait_for(true)

    async def joined(self, topic: str, socket: int = 0) -> FakeSocket:
        """The client's socket number `socket`, as soon as it has asked for this topic."""
        await self.until(lambda: len(self.sockets) > socket and topic in self.sockets[socket].joins)
        return self.sockets[socket]

    def events(self, event: str) -> list[dict[str, Any]]:
        return [frame for frame in self.frames if frame["event"] == event]

    async def http(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        async with self._changed:
            self.asked.append(
                (request.method, request.path_qs, dict(request.headers), orjson.loads(body) if body else None)
            )
            self._changed.notify_all()
        scripted = self.answers.get(f"{request.method} {request.path}")
        if scripted:
            answer = scripted[0] if len(scripted) == 1 else scripted.pop(0)
            if isinstance(answer, web.Response):
                return web.Response(status=answer.status, headers=answer.headers, body=answer.body)
            return await answer(request)
        return self._healthy(request)

    async def healthy(self, request: web.Request) -> web.StreamResponse:
        """The answer of a healthy target, for the end of a script."""
        return self._healthy(request)

    def _healthy(self, request: web.Request) -> web.Response:
        match request.method, request.path.strip("/").split("/"):
            case "POST", ["auth", "v1", _]:
                claims = user_claims(f"user-{len(self.asked)}", 0, 3600)
                session = {"access_token": sign_hs256(claims, "s" * 32), "refresh_token": "r", "expires_in": 3600}
                return web.json_response(session)
            case "GET", ["rest", "v1", table]:
                return web.json_response(self.rows[table])
            case "POST", ["rest", "v1", _]:
                return web.Response(status=201)
            case "PATCH", _:
                return web.Response(status=204)
            case "POST", ["api", "matching", _] if "Authorization" in request.headers:
                return web.json_response({"message": "Joined queue successfully"})
            case "POST", ["api", "matching", _]:
                return web.json_response({"error": "Unauthorized"}, status=401)
        return web.json_response({"message": "not here"}, status=404)

    async def realtime(self, request: web.Request) -> web.StreamResponse:
        async with self._changed:
            self.socket_paths.append(request.path_qs)
            self._changed.notify_all()
        scripted = self.answers.get("GET /realtime")
        if scripted:
            answer = scripted[0] if len(scripted) == 1 else scripted.pop(0)
            if not isinstance(answer, web.Response):
                return await answer(request)
            return web.Response(status=answer.status, headers=answer.headers, body=answer.body)
        return await self.upgraded(request)

    async def upgraded(self, request: web.Request) -> web.StreamResponse:
        """A socket that stands."""
        wire = web.WebSocketResponse(autoping=False)
        await wire.prepare(request)
        socket = FakeSocket(wire)
        self.sockets.append(socket)
        async for message in wire:
            if message.type is aiohttp.WSMsgType.TEXT:
                await self._frame(socket, orjson.loads(message.data))
            elif message.type is aiohttp.WSMsgType.PONG:
                async with self._changed:
                    socket.pongs += 1
                    self._changed.notify_all()
        return wire

    async def _frame(self, socket: FakeSocket, frame: dict[str, Any]) -> None:
        topic = frame["topic"]
        if frame["event"] == "heartbeat" and self.answer_beats:
            await socket.send("phoenix", "phx_reply", {"status": "ok", "response": {}}, frame["ref"])
        if frame["event"] == "phx_join":
            socket.joins[topic] = frame
            if self.auto_accept:
                await socket.accept(topic)
                if self.auto_stand:
                    await socket.stand(topic)
        async with self._changed:
            self.frames.append(frame)
            self._changed.notify_all()


async def hang(_request: web.Request) -> web.StreamResponse:
    """Accepts, and never answers."""
    return await asyncio.get_running_loop().create_future()


@pytest.fixture
async def fake() -> AsyncIterator[FakeTarget]:
    """A fake target that runs."""
    made = FakeTarget()
    app = web.Application()
    app.router.add_get("/realtime/v1/websocket", made.realtime)
    app.router.add_route("*", "/{tail:.*}", made.http)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    made.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
    yield made
    for socket in made.sockets:
        transport = socket.wire._req.transport if socket.wire._req else None
        if transport is not None:
            transport.abort()
    await runner.cleanup()


class History:
    """The ops of a test, with a way to wait for one."""

    def __init__(self) -> None:
        self.ops: list[Op] = []
        self._changed = asyncio.Event()

    def append(self, op: Op) -> None:
        self.ops.append(op)
        self._changed.set()

    def of(self, name: str) -> list[Op]:
        return [op for op in self.ops if op.op == name]

    async def wait(self, name: str, count: int = 1) -> Op:
        """The op of this name number `count`, as soon as it is recorded."""
        async with asyncio.timeout(8):
            while len(self.of(name)) < count:
                self._changed.clear()
                await self._changed.wait()
        return self.of(name)[count - 1]


@pytest.fixture
def history() -> History:
    return History()


@pytest.fixture
def recorder(history: History) -> Recorder:
    return Recorder(history)


@pytest.fixture
async def transport(fake: FakeTarget) -> AsyncIterator[Transport]:
    """An entered transport to the fake target."""
    async with Transport(fake.target(budgets={"poll_interval": 0.05})) as made:
        yield made


@pytest.fixture
async def participant(transport: Transport, recorder: Recorder) -> AsyncIterator[Participant]:
    """One user of the fake target, with his socket open."""
    made = await Participant.enter(transport, recorder)
    await made.connect()
    yield made
    await made.close()
