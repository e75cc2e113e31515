"""The SDK against the reference server, as a process on a real PostgreSQL: two users from sign-up to the end."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import orjson
import pytest

from harness.client import Credentials, Participant, SessionSeen, Transport, probe
from harness.errors import Trouble
from harness.history.op import Outcome
from harness.history.recorder import Recorder
from harness.protocol.phoenix import Vsn
from harness.protocol.token import local_anon_key
from harness.target import Budgets, Target

Serve = Callable[..., AbstractAsyncContextManager[Target]]
Pair = tuple[Participant, Participant]


@pytest.fixture
def serve(database_url: str) -> Serve:
    """Starts the server with some settings, and stops it; gives its target."""

    @asynccontextmanager
    async def served(engine: str = "hardened", *flags: str) -> AsyncIterator[Target]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "reference_server", "--engine", engine, "--database-url", database_url, *flags,
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        try:
            async with asyncio.timeout(30):
                ready = orjson.loads(await process.stdout.readline())
            yield Target(
                name=engine, api_url=ready["api_url"], supabase_url=ready["supabase_url"], anon_key=ready["anon_key"],
                budgets=Budgets(poll_interval=0.2),
            )  # fmt: skip
        finally:
            process.terminate()
            await process.wait()

    return served


@asynccontextmanager
async def two(transport: Transport, recorder: Recorder) -> AsyncIterator[Pair]:
    """Two connected users."""
    pair = (await Participant.enter(transport, recorder), await Participant.enter(transport, recorder))
    try:
        for participant in pair:
            await participant.connect()
        yield pair
    finally:
        for participant in pair:
            await participant.close()


async def matched(pair: Pair) -> SessionSeen:
    """Lets the first wait, and the second come; both must see the same session."""
    first, second = pair
    for participant in pair:
        assert (await participant.join()).ok
        await participant.subscribe_matches()
    sessions = await asyncio.gather(first.next_match(10), second.next_match(10))
    assert sessions[0] is not None
    assert sessions[1] is not None
    assert sessions[0].id == sessions[1].id
    assert {sessions[0].user1, sessions[0].user2} == {first.user, second.user}
    assert sessions[0].offerer == sessions[1].offerer
    return sessions[0]


@pytest.mark.parametrize("vsn", ["1.0.0", "2.0.0"])
async def test_two_users_meet_signal_and_part(serve: Serve, recorder: Recorder, history: Any, vsn: Vsn) -> None:
    """The whole way, in both frame versions: probe, sign-up, join, push, signals, end, told, and again."""
    async with serve("hardened") as target, Transport(target, vsn=vsn) as transport:
        await probe(transport)
        async with two(transport, recorder) as (first, second):
            session = await matched((first, second))
            offering, answering = (first, second) if session.offerer == first.user else (second, first)
            ours, theirs = offering.signalling(session), answering.signalling(session)
            await ours.open()
            await ours.send("offer", offer={"type": "offer", "sdp": "v=0"})
            await theirs.open()
            offer = await theirs.receive(5)
            assert (offer.kind, offer.seq, offer.body) == ("offer", 1, {"offer": {"type": "offer", "sdp": "v=0"}})
            for number in range(3):
                await theirs.send("ice-candidate", candidate={"candidate": f"c{number}"})
            assert [(await ours.receive(5)).seq for _ in range(3)] == [1, 2, 3]
            assert await offering.end(session.id)
            async with asyncio.timeout(5):
                await theirs.ended.wait()
            assert history.of("told")[0].user == answering.user
            assert await answering.poll() is None
    assert {op.op for op in history.ops if op.outcome is not Outcome.OK} == set()


async def test_a_waiting_user_is_told_by_push(serve: Serve, recorder: Recorder, history: Any) -> None:
    """The first of the two joins alone, so only a push or a poll can tell him; here he never polls."""
    async with serve("hardened") as target:
        patient = target.model_copy(update={"budgets": Budgets(poll_interval=60)})
        async with Transport(patient) as transport, two(transport, recorder) as (first, second):
            await first.join()
            await first.subscribe_matches()
            await history.wait("subscribe")
            reply = await second.join()
            session = await first.next_match(10)
            assert session is not None
            assert reply.session is not None
            assert session.id == reply.session.id
            assert history.of("push")[0].user == first.user
            assert not history.of("poll")


async def test_the_documented_engine_matches_by_push_or_poll(serve: Serve, recorder: Recorder) -> None:
    """It answers 200 without a session, to both."""
    async with serve("documented") as target, Transport(target) as transport, two(transport, recorder) as pair:
        await matched(pair)


async def test_the_subscribed_window_loses_no_signal(serve: Serve, recorder: Recorder, history: Any) -> None:
    """Signals that are written between the reply and the database subscription are fetched."""
    async with (
        serve("hardened", "--subscribe-delay", "0.3") as target,
        Transport(target) as transport,
        two(transport, recorder) as (first, second),
    ):
        session = await matched((first, second))
        ours, theirs = first.signalling(session), second.signalling(session)
        await asyncio.gather(ours.open(), theirs.open())
        for number in range(5):
            await ours.send("ice-candidate", candidate={"candidate": f"c{number}"})
        assert [(await theirs.receive(5)).seq for _ in range(5)] == [1, 2, 3, 4, 5]
        op = next(op for op in history.of("subscribe") if op.value["topic"].startswith("session:"))
        assert op.value["ready"] > op.value["reply"]


@pytest.mark.parametrize("kind", ["close", "silent"])
async def test_a_user_who_vanishes_is_noticed(serve: Serve, recorder: Recorder, history: Any, kind: Any) -> None:
    """Hardened: the partner is told, whether the tab was closed or the machine was cut off."""
    flags = ("--disconnect-grace", "0.2", "--ping-interval", "0.3", "--ping-timeout", "0.3")
    async with (
        serve("hardened", *flags) as target,
        Transport(target) as transport,
        two(transport, recorder) as (first, second),
    ):
        session = await matched((first, second))
        channel = second.signalling(session)
        await channel.open()
        await first.vanish(kind)
        async with asyncio.timeout(8):
            await channel.ended.wait()
        assert history.of("told")[0].user == second.user
        assert await second.poll() is None


async def test_who_left_is_not_matched(serve: Serve, recorder: Recorder) -> None:
    """An accepted leave."""
    async with serve("hardened") as target, Transport(target) as transport, two(transport, recorder) as (first, second):
        await first.join()
        assert await first.leave()
        await second.join()
        assert await second.next_match(0.3) is None


async def test_a_second_device_is_the_same_user(serve: Serve, recorder: Recorder, history: Any) -> None:
    """By the account of the first; its ops carry its own device name."""
    async with serve("hardened") as target, Transport(target) as transport:
        phone = await Participant.enter(transport, recorder, "phone")
        laptop = await Participant.enter(transport, recorder, "laptop", identity=phone.account)
        await phone.join()
        await laptop.join()
        assert await laptop.poll() is None
        assert {(op.user, op.device) for op in history.of("join")} == {(phone.user, "phone"), (phone.user, "laptop")}


async def test_wrong_keys_and_passwords_are_told(serve: Serve, recorder: Recorder) -> None:
    """The server's real texts go through our eyes."""
    async with serve("hardened") as target:
        wrong = target.model_copy(update={"anon_key": local_anon_key("another-secret-of-at-least-32-characters")})
        async with Transport(wrong) as transport:
            with pytest.raises(Trouble, match="refuses the anon key"):
                await probe(transport)
        async with Transport(target) as transport:
            with pytest.raises(Exception, match="Invalid login credentials"):
                await Participant.enter(transport, recorder, identity=Credentials("nobody@example.org", "secret"))


@pytest.mark.parametrize("engine", ["hardened", "documented"])
async def test_friends_and_skips_on_the_real_wire(serve: Serve, recorder: Recorder, history: Any, engine: str) -> None:
    """A friendship is accepted once; a skip ends the session and the partner is told; a second skip ends nothing."""
    async with serve(engine) as target, Transport(target) as transport, two(transport, recorder) as (first, second):
        assert await first.befriend(second)
        assert not await second.befriend(first)
        session = await matched((first, second))
        channel = second.signalling(session)
        await channel.open()
        assert await first.skip(session.id)
        assert await first.skip(session.id)
        async with asyncio.timeout(8):
            await channel.ended.wait()
        assert [op.value["ended"] for op in history.of("end")] == [True, False]
        assert [op.outcome for op in history.of("befriend")] == [Outcome.OK]
