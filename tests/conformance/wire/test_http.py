"""HTTP of the wire tests: what is kept, what is waited out, and what says nothing about the target."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from conformance.outcome import Breach
from conformance.requirements import CATALOGUE
from conformance.trial import Trial
from conformance.wire.http import LIMIT_PATIENCE, NoAnswer, Pulse, redacted
from harness.client.dialect import Account
from harness.history.op import Outcome
from harness.target import Target

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl"
ANN = Account("ann", TOKEN)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture
async def trial() -> AsyncIterator[Callable[[Handler], Awaitable[Trial]]]:
    """A trial whose target answers as the handler does."""
    runners: list[web.AppRunner] = []
    sessions: list[aiohttp.ClientSession] = []

    async def start(handler: Handler) -> Trial:
        app = web.Application()
        app.add_routes([web.route("*", "/{path:.*}", handler)])
        runners.append(web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1))
        await runners[-1].setup()
        await web.TCPSite(runners[-1], "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runners[-1].addresses[0][1]}"
        sessions.append(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.3)))
        target = Target(name="t", api_url=f"{url}/api", supabase_url=url, anon_key="the-anon-key")
        stage: Any = SimpleNamespace(target=target, http=sessions[-1], pulse=Pulse())
        return Trial(CATALOGUE["REST-01"], stage, None)

    yield start
    for session in sessions:
        await session.close()
    for runner in runners:
        await runner.cleanup()


def answers(*args: Any, **more: Any) -> Handler:
    """A handler that always answers the same."""

    async def handler(_request: web.Request) -> web.StreamResponse:
        return web.Response(*args, **more)

    return handler


async def test_an_exchange_is_an_op_without_secrets(trial: Any) -> None:
    """Method, address, headers, body, status and reply stand in the history; tokens, keys and passwords do not."""
    there = await trial(answers(text='{"access_token":"' + TOKEN + '"}', content_type="application/json"))
    await there.http.auth("POST", f"token?apikey=the-anon-key&x={TOKEN}", ANN, body={"password": "pw-pw-pw"})
    (op,) = there.ops
    assert (op.op, op.user, op.outcome, op.value["status"]) == ("request", "ann", Outcome.OK, 200)
    assert op.value["method"] == "POST" and op.value["url"].startswith("/auth/v1/token?")
    shown = str(op.value)
    assert TOKEN not in shown and "the-anon-key" not in shown and "pw-pw-pw" not in shown


async def test_a_breach_carries_its_exchange(trial: Any) -> None:
    """One sentence: who sent what, and what came; the op is the witness."""
    there = await trial(answers(text='{"code":"22P02"}', status=500, content_type="application/json"))
    with pytest.raises(Breach) as breach:
        (await there.http.rest("GET", "messages?id=eq.x", ANN)).expect(400)
    finding = breach.value.finding
    assert finding.sentence == 'GET /rest/v1/messages?id=eq.x by user ann: 500 {"code":"22P02"} instead of 400'
    assert [op["value"]["status"] for op in finding.witness] == [500] and finding.requirement == "REST-01"


async def test_a_limit_is_waited_out(trial: Any) -> None:
    """429 is tried again when Retry-After says, unless the test wants to see it."""
    asked = 0

    async def limited(_request: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        return web.json_response([], status=200 if asked > 1 else 429, headers={"Retry-After": "0"})

    there = await trial(limited)
    assert (await there.http.matching("join", ANN, wait_out=False)).status == 429
    asked = 0
    assert (await there.http.rest("GET", "messages")).status == 200 and asked == 2


async def test_a_limit_that_lasts_is_no_breach(trial: Any) -> None:
    """A wait that is longer than anybody's patience is not begun."""
    there = await trial(answers(status=429, headers={"Retry-After": str(round(2 * LIMIT_PATIENCE))}))
    with pytest.raises(NoAnswer, match="still answered 429"):
        await there.http.rest("GET", "messages")


@pytest.mark.parametrize(
    "answer",
    [
        {"text": "<html>", "content_type": "text/html"}, {"text": "<html>", "content_type": "text/html", "status": 404},
        {"text": "bad gateway", "status": 502}, {"text": "{}", "content_type": "application/json", "status": 503},
        {"text": "oops", "status": 500},
    ],
)  # fmt: skip
async def test_what_stands_before_the_target_is_not_the_target(trial: Any, answer: dict[str, Any]) -> None:
    """A proxy's page or error says nothing about the service behind it."""
    there = await trial(answers(**answer))
    with pytest.raises(NoAnswer, match="no answer of the service itself"):
        await there.http.rest("GET", "messages")


async def test_a_slow_answer_is_none(trial: Any) -> None:
    """What does not come in time is not known, and the sentence says so."""

    async def never(_request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        return web.Response()

    there = await trial(never)
    with pytest.raises(NoAnswer, match=r"GET /rest/v1/messages by nobody: no answer \(timed out\)"):
        await there.http.rest("GET", "messages")
    assert there.ops[0].outcome is Outcome.INFO


async def test_nobody_asks_a_dead_target_for_ever(trial: Any) -> None:
    """After so many requests without an answer the rest is not even sent."""

    async def cut(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    there = await trial(cut)
    for _ in range(Pulse.LIMIT):
        with pytest.raises(NoAnswer, match="no answer"):
            await there.http.rest("GET", "messages")
    with pytest.raises(NoAnswer, match="has not answered the last 12 requests"):
        await there.http.rest("GET", "messages")
    assert len(there.ops) == Pulse.LIMIT


def test_long_texts_are_cut() -> None:
    """Evidence is to be read."""
    text = redacted("x" * 5_000)
    assert len(text) < 450 and text.endswith("… (5000 characters)")
