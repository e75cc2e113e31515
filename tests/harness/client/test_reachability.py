"""The look at a target before the work: each trouble is one line that says what is wrong."""

from __future__ import annotations

import re
import socket
from typing import Any

import pytest
from aiohttp import web

from harness.client import NotReached, Participant, Transport, probe
from harness.errors import Trouble
from harness.target import Identities, Target

HTML = web.Response(text="<!doctype html><p>Hello</p>", content_type="text/html")
INVALID_KEY = {"message": "Invalid API key", "hint": "Double check your Supabase `anon` or `service_role` API key."}
DENIED = {"code": "42501", "message": "permission denied for table chat_sessions", "details": None, "hint": None}


async def probed(fake: Any, **parts: Any) -> None:
    async with Transport(fake.target(**parts), timeout=0.5) as transport:
        await probe(transport)


async def test_a_healthy_target_passes(fake: Any) -> None:
    """No exception; and nobody was put into the queue."""
    await probed(fake)
    joins = [headers for _, path, headers, _ in fake.asked if path == "/api/matching/join"]
    assert len(joins) == 1
    assert "Authorization" not in joins[0]


async def test_a_key_without_rights_is_still_a_good_key(fake: Any) -> None:
    """Where anon may not read the table, PostgREST answers 401 with 42501: the key was accepted."""
    fake.answers["GET /rest/v1/chat_sessions"] = [web.json_response(DENIED, status=401)]
    await probed(fake)


@pytest.mark.parametrize(
    ("route", "answer", "says"),
    [
        ("GET /rest/v1/chat_sessions", web.json_response(INVALID_KEY, status=401),
         "refuses the anon key (Invalid API key): put the project's own anon key"),
        ("GET /rest/v1/chat_sessions", HTML, "is not what the target file says: the answer is text/html, not JSON"),
        ("GET /rest/v1/chat_sessions", web.json_response({"up": True}), "is no Supabase project"),
        ("GET /rest/v1/chat_sessions", web.json_response({"code": "PGRST205", "message": "none"}, status=404),
         "has no table chat_sessions (404 PGRST205 none)"),
        ("GET /rest/v1/chat_sessions", web.Response(status=503), "is not well (503)"),
        ("POST /api/matching/join", HTML, "is not what the target file says"),
        ("POST /api/matching/join", web.Response(status=404, text="<html>", content_type="text/html"),
         "does not answer as the matching API does (404 (not JSON))"),
        ("POST /api/matching/join", web.json_response({}), "lets in a caller without a token"),
        ("GET /realtime", web.json_response({"error": "API key is missing"}, status=401), "refuses the anon key (401)"),
        ("GET /realtime", web.Response(status=404), "answers 404 instead of a WebSocket"),
    ],
)  # fmt: skip
async def test_trouble_is_one_line_that_names_it(fake: Any, route: str, answer: web.Response, says: str) -> None:
    """What is wrong, and what to do about it."""
    fake.answers[route] = [answer]
    with pytest.raises(Trouble, match=re.escape(says)) as caught:
        await probed(fake)
    assert "\n" not in str(caught.value)
    assert caught.value.remedy


async def test_a_refused_connection_names_the_address(fake: Any) -> None:
    """Nobody listens at that port."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        fake.url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(Trouble, match=rf"cannot be reached at {fake.url} \(.*: check that it runs"):
            await probed(fake)


async def test_a_target_that_never_answers_times_out(fake: Any) -> None:
    """A peer that accepts and says nothing."""
    fake.answers["GET /rest/v1/chat_sessions"] = [fake.hang]
    with pytest.raises(Trouble, match=r"cannot be reached at .* \(timed out\)"):
        await probed(fake)


async def test_who_finds_nobody_is_told_so(recorder: Any) -> None:
    """A refusal and a broken connection differ: only the latter may go better another time."""
    nowhere = Target(name="x", api_url="http://127.0.0.1:9/api", supabase_url="http://127.0.0.1:9", anon_key="k")
    minted = nowhere.model_copy(update={"identities": Identities(mode="jwt", jwt_secret="s" * 32)})
    async with Transport(nowhere) as transport, Transport(minted) as known:
        with pytest.raises(NotReached, match="sign-in"):
            await Participant.enter(transport, recorder)
        participant = await Participant.enter(known, recorder)
        with pytest.raises(NotReached, match="the socket cannot be opened"):
            await participant.connect()
