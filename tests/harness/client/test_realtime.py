"""The socket: it beats, survives what a server does to it, and rejoins what was subscribed."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

import pytest
from aiohttp import web

from harness.client import NotAdmitted, NotReached, Participant, Transport, realtime
from harness.history.op import Outcome

pytestmark = pytest.mark.usefixtures("_at_once")


@pytest.fixture
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reconnects and rejoins at once; the delays themselves are tested as arithmetic (test_retry)."""
    monkeypatch.setattr(realtime, "rejoin_delay", lambda attempt: 0.01 * attempt)


def topic_of(participant: Participant) -> str:
    return f"realtime:matchmaking:{participant.user}"


def row(user: str) -> dict[str, Any]:
    return {"id": "S", "user1_id": "other", "user2_id": user, "status": "active"}


@pytest.mark.parametrize("code", [1000, 1001, 1011, 4000])
async def test_a_closed_socket_comes_back_and_rejoins(participant: Any, history: Any, fake: Any, code: int) -> None:
    """PROTOCOL 1.9: on any close by the server, clean or not; nothing is replayed, so the new `subscribe` matters."""
    await participant.subscribe_matches()
    await history.wait("subscribe")
    await fake.sockets[0].wire.close(code=code)
    second = await fake.joined(topic_of(participant), socket=1)
    assert (await history.wait("lost")).value["reason"] == f"socket closed: {code}"
    assert (await history.wait("subscribe", 2)).value["ready"] >= 0
    assert history.of("back")
    await second.insert(topic_of(participant), "chat_sessions", row(participant.user))
    assert (await participant.next_match(5)).id == "S"


async def test_a_cut_connection_comes_back(participant: Any, history: Any, fake: Any) -> None:
    """No close frame: 1006."""
    await participant.subscribe_matches()
    fake.sockets[0].wire._req.transport.abort()
    await fake.joined(topic_of(participant), socket=1)
    assert (await history.wait("lost")).value["reason"] == "socket closed: 1006"


async def test_a_connection_that_he_loses_himself_comes_back(participant: Any, history: Any, fake: Any) -> None:
    """It is dropped without a closing handshake, and comes back when the official client would."""
    await participant.subscribe_matches()
    participant.cut()
    second = await fake.joined(topic_of(participant), socket=1)
    lost, back = await history.wait("lost"), await history.wait("back")
    assert lost.t0 < back.t0
    await second.insert(topic_of(participant), "chat_sessions", row(participant.user))
    assert (await participant.next_match(5)).id == "S"


async def test_who_is_cut_off_already_cannot_be_cut(participant: Any, history: Any) -> None:
    """A silent user stays silent, and one without a socket has nothing to lose."""
    await participant.vanish("silent")
    participant.cut()
    await participant.close()
    participant.cut()
    assert not history.of("lost")


async def test_a_server_that_refuses_for_a_while_is_tried_again(participant: Any, history: Any, fake: Any) -> None:
    """429 and 500 at the upgrade do not end the user's run."""
    fake.answers["GET /realtime"] = [web.Response(status=429), web.Response(status=500)]
    await participant.subscribe_matches()
    fake.answers["GET /realtime"] = [web.Response(status=429)]
    await fake.sockets[0].wire.close()
    await history.wait("lost")
    del fake.answers["GET /realtime"]
    await fake.joined(topic_of(participant), socket=1)


async def test_a_subscription_under_way_is_info_when_the_socket_breaks(
    participant: Any, history: Any, fake: Any
) -> None:
    """Before the reply nobody can tell; the rejoin is another op."""
    fake.auto_accept = False

    async def drop() -> None:
        await fake.joined(topic_of(participant))
        fake.auto_accept = True
        await fake.sockets[0].wire.close()

    dropping = asyncio.create_task(drop())
    await participant.subscribe_matches()
    await dropping
    assert [op.outcome for op in history.of("subscribe")][:1] == [Outcome.INFO]
    assert (await history.wait("subscribe", 2)).outcome is Outcome.OK


async def test_a_refused_join_is_tried_again(participant: Any, history: Any, fake: Any) -> None:
    """PROTOCOL 1.7 and 1.9: a join error, then 1, 2, 5, 10 s."""
    fake.auto_accept = False

    async def refuse_once() -> None:
        socket = await fake.joined(topic_of(participant))
        ref = socket.joins[topic_of(participant)]["ref"]
        fake.auto_accept = True
        reason = {"reason": "ChannelRateLimitReached: Too many channels"}
        await socket.send(topic_of(participant), "phx_reply", {"status": "error", "response": reason}, ref)

    refusing = asyncio.create_task(refuse_once())
    await participant.subscribe_matches()
    await refusing
    assert history.of("subscribe")[0].outcome is Outcome.FAIL
    assert history.of("subscribe")[0].value["error"] == "ChannelRateLimitReached: Too many channels"
    assert (await history.wait("subscribe", 2)).outcome is Outcome.OK


async def test_a_join_without_a_reply_is_given_up_and_tried_again(
    participant: Any, history: Any, fake: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PROTOCOL 1.9: push timeout; nobody can tell what became of it."""
    monkeypatch.setattr(realtime, "PUSH_TIMEOUT", 0.05)
    fake.auto_accept = False
    await participant.subscribe_matches()
    fake.auto_accept = True
    assert (await history.wait("subscribe")).outcome is Outcome.INFO
    assert (await history.wait("subscribe", 2)).outcome is Outcome.OK


async def test_a_crashed_channel_rejoins(participant: Any, history: Any, fake: Any) -> None:
    """PROTOCOL 1.6: phx_error."""
    await participant.subscribe_matches()
    ref = fake.sockets[0].joins[topic_of(participant)]["ref"]
    await fake.sockets[0].send(topic_of(participant), "phx_error", {"reason": "channel_crash"}, ref)
    assert (await history.wait("subscribe", 2)).outcome is Outcome.OK


async def test_a_closed_channel_does_not_rejoin(participant: Any, fake: Any) -> None:
    """PROTOCOL 1.9: phx_close means CLOSED; the socket goes on."""
    await participant.subscribe_matches()
    ref = fake.sockets[0].joins[topic_of(participant)]["ref"]
    await fake.sockets[0].send(topic_of(participant), "phx_close", {}, ref)
    await fake.sockets[0].wire.ping()
    await fake.until(lambda: fake.sockets[0].pongs == 1)
    assert len(fake.events("phx_join")) == 1


@pytest.mark.parametrize(
    "garbage", ["<html>", "[]", '{"topic":"t","event":"e","payload":null,"ref":null}', b"\x04\x00"]
)
async def test_garbage_is_dropped(participant: Any, fake: Any, garbage: str | bytes) -> None:
    """One bad frame must not cost a user his socket."""
    await participant.subscribe_matches()
    wire = fake.sockets[0].wire
    await (wire.send_str(garbage) if isinstance(garbage, str) else wire.send_bytes(garbage))
    await fake.sockets[0].insert(topic_of(participant), "chat_sessions", {"id": 7})
    await fake.sockets[0].insert(topic_of(participant), "chat_sessions", row(participant.user))
    assert (await participant.next_match(5)).id == "S"


async def test_heartbeats_are_signs_of_life(fake: Any, recorder: Any, history: Any) -> None:
    """PROTOCOL 1.3; at least three for each TTL, so that a scaled target hears them too."""
    async with Transport(fake.target(budgets={"queue_ttl": 0.09})) as transport:
        participant = await Participant.enter(transport, recorder)
        await participant.connect()
        beat = await history.wait("heartbeat", 2)
        await participant.close()
    assert beat.outcome is Outcome.OK
    assert beat.t0 <= beat.t1


async def test_a_target_that_answers_no_heartbeat_is_left(
    fake: Any, recorder: Any, history: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PROTOCOL 1.9: close, and reconnect."""
    monkeypatch.setattr(realtime, "PUSH_TIMEOUT", 0.03)
    fake.answer_beats = False
    async with Transport(fake.target(budgets={"queue_ttl": 0.06})) as transport:
        participant = await Participant.enter(transport, recorder)
        await participant.connect()
        assert (await history.wait("lost")).value["reason"] == "heartbeat timeout"
        await history.wait("back")
        await participant.close()


async def test_both_frame_versions_are_spoken(fake: Any, recorder: Any) -> None:
    """The address names the version that the frames have."""
    async with Transport(fake.target(), vsn="2.0.0") as transport:
        participant = await Participant.enter(transport, recorder)
        await participant.connect()
        await participant.close()
    assert fake.socket_paths[-1].endswith("&vsn=2.0.0")


async def test_an_upgrade_that_is_limited_is_tried_again(fake: Any, transport: Any, recorder: Any) -> None:
    """PROTOCOL 1.9: 429 at the first upgrade is not the user's end."""
    fake.answers["GET /realtime"] = [web.Response(status=429, headers={"Retry-After": "0"}), web.Response(status=429)]

    async def relent() -> None:
        await fake.until(lambda: len(fake.socket_paths) == 2)
        del fake.answers["GET /realtime"]

    relenting = asyncio.create_task(relent())
    participant = await Participant.enter(transport, recorder)
    await participant.connect()
    await relenting
    await participant.close()
    assert len(fake.sockets) == 1


async def test_an_upgrade_that_stays_limited_is_told(fake: Any, transport: Any, recorder: Any) -> None:
    """After a few tries."""
    fake.answers["GET /realtime"] = [web.json_response({"error": "Too many connected users"}, status=429)]
    participant = await Participant.enter(transport, recorder)
    with pytest.raises(NotAdmitted, match=r"refused: 429 .*Too many connected users"):
        await participant.connect()
    assert len(fake.socket_paths) == realtime.OPEN_TRIES


async def test_an_upgrade_that_is_cut_off_is_tried_again(
    fake: Any, transport: Any, recorder: Any, history: Any
) -> None:
    """A server that dies in the middle of the handshake is like one that is not there; the socket comes back later."""
    participant = await Participant.enter(transport, recorder)
    await participant.connect()
    fake.answers["GET /realtime"] = [cut, fake.upgraded]
    await fake.sockets[0].wire.close()
    await history.wait("back")
    assert len(fake.socket_paths) == 3
    fake.answers["GET /realtime"] = [cut]
    late = await Participant.enter(transport, recorder)
    with pytest.raises(NotReached, match="the socket cannot be opened"):
        await late.connect()
    await participant.close()


async def cut(request: web.Request) -> web.StreamResponse:
    """Resets the connection instead of answering."""
    assert request.transport is not None
    linger = struct.pack("ii", 1, 0)
    request.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    request.transport.abort()
    return web.Response()


async def test_a_refreshed_token_is_told_to_the_channels(fake: Any, recorder: Any) -> None:
    """PROTOCOL 1.6: access_token, once for each new token, with the next heartbeat."""
    async with Transport(fake.target(budgets={"queue_ttl": 0.06})) as transport:
        participant = await Participant.enter(transport, recorder)
        await participant.subscribe_matches()
        participant.account.access_token = "fresh"
        await fake.until(lambda: fake.events("access_token"))
        beats = len(fake.events("heartbeat"))
        await fake.until(lambda: len(fake.events("heartbeat")) >= beats + 2)
        await participant.close()
    assert [frame["payload"] for frame in fake.events("access_token")] == [{"access_token": "fresh"}]


async def test_an_error_of_ours_is_raised_in_the_end(
    participant: Any, history: Any, fake: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames are taken where the library hands them over, which swallows errors: ours must come up all the same."""

    def fails(*_: object) -> None:
        raise ZeroDivisionError

    await participant.subscribe_matches()
    await history.wait("subscribe")
    monkeypatch.setattr(participant._search, "session", fails)
    await fake.sockets[0].insert(topic_of(participant), "chat_sessions", row(participant.user))
    await history.wait("lost")
    with pytest.raises(ZeroDivisionError):
        await participant.close()
