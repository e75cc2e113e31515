"""A target that is wrong in the way that a test wants, and the suite's command as a user runs it."""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from harness.protocol.token import sign_hs256, user_claims
from harness.target import Target, dump_target

ROOT = Path(__file__).parents[2]
SECRET = "a secret that the fake target keeps to itself"
GOOD_KEYS: dict[str, Any] = {"keys": [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}]}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """What it said of requirements and verdict, the plan left out."""
        return [line for line in self.out.splitlines() if not line.startswith("plan: ")]


@dataclass
class FakeTarget:
    """Looks like a target, and lets everybody in. After `turns_at` requests, from the sign-up on, it does `turn`."""

    keys: dict[str, Any] = field(default_factory=lambda: dict(GOOD_KEYS))
    sign_up: Handler | None = None
    turn: Handler | None = None
    turns_at: int = 0
    refuse_tokens: bool = False
    url: str = ""
    asked: int = 0

    def app(self) -> web.Application:
        """The routes that a probe asks for, sign-up and the key set; every other read is an empty table."""
        app = web.Application(middlewares=[self._turned])
        app.add_routes([
            web.post("/api/matching/{verb}", _nobody), web.get("/realtime/v1/websocket", _socket),
            web.post("/auth/v1/signup", self.sign_up or _welcome),
            web.get("/auth/v1/.well-known/jwks.json", self._keys), web.route("*", "/rest/v1/{path:.*}", _no_rows),
        ])  # fmt: skip
        return app

    @web.middleware
    async def _turned(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if self.asked or request.path == "/auth/v1/signup":
            self.asked += 1
        if self.turn is not None and self.asked > self.turns_at:
            return await self.turn(request)
        if self.refuse_tokens and self.asked and request.path.startswith("/rest/"):
            return web.json_response({"code": "PGRST301", "message": "no"}, status=401)
        return await handler(request)

    async def _keys(self, _request: web.Request) -> web.Response:
        return web.json_response(self.keys, headers={"Cache-Control": "public, max-age=600"})


async def dies(request: web.Request) -> web.StreamResponse:
    """Cuts every connection, as a process does that was killed."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def stays_silent(_request: web.Request) -> web.StreamResponse:
    """Takes every request and never answers, as a process does that hangs; ends when the client gives up."""
    await asyncio.Event().wait()
    return web.Response()


async def shows_a_page(_request: web.Request) -> web.StreamResponse:
    """A proxy's page."""
    return web.Response(text="<html>It works!</html>", content_type="text/html")


async def closes_sign_up(_request: web.Request) -> web.StreamResponse:
    """Nobody gets in."""
    return web.json_response({"code": 422, "error_code": "signup_disabled", "msg": "Signups not allowed"}, status=422)


async def limits_sign_up(_request: web.Request) -> web.StreamResponse:
    """Nobody gets in for the next hour."""
    body = {"code": 429, "error_code": "over_request_rate_limit", "msg": "Request rate limit reached"}
    return web.json_response(body, status=429, headers={"Retry-After": "3600"})


async def _nobody(_request: web.Request) -> web.StreamResponse:
    return web.json_response({"error": "Unauthorized"}, status=401)


async def _no_rows(_request: web.Request) -> web.StreamResponse:
    return web.json_response([])


async def _welcome(_request: web.Request) -> web.StreamResponse:
    user = str(uuid.uuid4())
    token = sign_hs256(user_claims(user, 1_000_000_000, 3600), SECRET)
    return web.json_response(
        {"access_token": token, "refresh_token": "r" * 12, "expires_in": 3600, "user": {"id": user}}
    )


async def _socket(request: web.Request) -> web.StreamResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for _message in socket:
        pass
    return socket


Suite = Callable[..., Awaitable[Ended]]
ServeFake = Callable[..., Awaitable[FakeTarget]]


@pytest.fixture
async def serve_fake() -> AsyncIterator[ServeFake]:
    """Starts a fake target with what it is given of FakeTarget's fields; its `url` is set then."""
    runners: list[web.AppRunner] = []

    async def start(*, tls: ssl.SSLContext | None = None, **fields: Any) -> FakeTarget:
        fake = FakeTarget(**fields)
        runners.append(web.AppRunner(fake.app(), access_log=None, shutdown_timeout=0.1))
        await runners[-1].setup()
        await web.TCPSite(runners[-1], "127.0.0.1", 0, ssl_context=tls).start()
        fake.url = f"{'https' if tls else 'http'}://127.0.0.1:{runners[-1].addresses[0][1]}"
        return fake

    yield start
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
def misdeeds() -> dict[str, Handler]:
    """What a fake target can turn to, by name."""
    deeds = (dies, stays_silent, shows_a_page, closes_sign_up, limits_sign_up)
    return {deed.__name__: deed for deed in deeds}


async def command(*arguments: str | Path) -> Ended:
    """Runs Python with these arguments to its end, without the pytest plugins that happen to be installed here."""
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    child = await asyncio.create_subprocess_exec(
        sys.executable, *map(str, arguments), cwd=ROOT, env=environment,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await child.communicate()
    return Ended(child.returncode or 0, out.decode(), err.decode())


@pytest.fixture
def python() -> Suite:
    """Runs Python with any arguments."""
    return command


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    """Runs the suite on a target, its results in `r.json`. Whatever happens, nobody is shown a traceback."""

    async def run(url: str, *arguments: str | Path) -> Ended:
        file = tmp_path / "target.toml"
        target = Target(name="t", api_url=f"{url}/api", supabase_url=url, anon_key="k")
        file.write_text(dump_target(target))
        ended = await command("-m", "conformance", "--target", file, "--results", tmp_path / "r.json", *arguments)
        assert "Traceback" not in ended.out + ended.err
        return ended

    return run
