"""The signals of a session: none lost around the subscription, none twice, in order, and told once that it is over."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from aiohttp import web

from harness.client import SessionSeen, SignalChannel, realtime, signalling
from harness.history.op import Outcome

MESSAGES = "GET /rest/v1/messages"


@pytest.fixture
def session(participant: Any) -> SessionSeen:
    return SessionSeen("S", "other", participant.user, "active", "other")


@pytest.fixture
async def channel(participant: Any, session: SessionSeen) -> SignalChannel:
    """The channel of a session, not yet open."""
    return participant.signalling(session)


def message(number: int, kind: str = "ice-candidate", sender: str = "other", **more: Any) -> dict[str, Any]:
    content = {"type": kind, "candidate": {"candidate": f"c{number}"}, "seq": number}
    return {
        "id": f"m{number}",
        "session_id": "S",
        "sender_id": sender,
        "content": orjson.dumps(content).decode(),
        **more,
    }


async def pushed(fake: Any, *rows: dict[str, Any], socket: int = 0) -> None:
    for row in rows:
        await fake.sockets[socket].insert("realtime:session:S", "messages", row)


async def over(fake: Any, status: str = "ended") -> None:
    row = {"id": "S", "user1_id": "other", "user2_id": "me", "status": status}
    await fake.sockets[0].insert("realtime:session:S", "chat_sessions", row, event="UPDATE", id_=2)


async def numbers(channel: SignalChannel, count: int) -> list[int | None]:
    return [(await channel.receive(5)).seq for _ in range(count)]


async def test_the_channel_hears_messages_and_the_end(channel: Any, fake: Any) -> None:
    """PROTOCOL 4: channel session:<id>; the bindings filter by the session."""
    await channel.open()
    bindings = fake.sockets[0].joins["realtime:session:S"]["payload"]["config"]["postgres_changes"]
    assert [(b["event"], b["table"], b["filter"]) for b in bindings] == [
        ("INSERT", "messages", "session_id=eq.S"),
        ("UPDATE", "chat_sessions", "id=eq.S"),
    ]


async def test_a_signal_is_sent_as_a_row_with_its_number(channel: Any, fake: Any, history: Any) -> None:
    """PROTOCOL 4, and `seq` from 1 for each session and sender."""
    assert await channel.send("offer", offer={"type": "offer", "sdp": "v=0"})
    assert await channel.send("ice-candidate", candidate={"candidate": ""})
    bodies = [body for method, path, _, body in fake.asked if (method, path) == ("POST", "/rest/v1/messages")]
    assert bodies[0]["type"] == "text"
    assert orjson.loads(bodies[0]["content"]) == {"type": "offer", "offer": {"type": "offer", "sdp": "v=0"}, "seq": 1}
    assert [op.value for op in history.of("signal_send")] == [
        {"id": "S", "seq": 1, "type": "offer"},
        {"id": "S", "seq": 2, "type": "ice-candidate"},
    ]


async def test_a_refused_signal_is_an_outcome(channel: Any, fake: Any, history: Any) -> None:
    """Row-level security hides a session of others: 403."""
    fake.answers["POST /rest/v1/messages"] = [web.json_response({"code": "42501", "message": "no"}, status=403)]
    assert not await channel.send("offer", offer={})
    assert history.of("signal_send")[0].outcome is Outcome.FAIL


async def test_pushed_signals_arrive_once_and_in_order(channel: Any, fake: Any, history: Any) -> None:
    """A target may push at least once; a row is told by its id."""
    await channel.open()
    await pushed(fake, message(1), message(1), message(2))
    assert await numbers(channel, 2) == [1, 2]
    assert [op.value for op in history.of("signal_recv")] == [
        {
            "id": "S", "sender": "other", "seq": number, "type": "ice-candidate",
            "message": f"m{number}", "by": "push", "channel": "S",
        }
        for number in (1, 2)
    ]  # fmt: skip


async def test_signals_from_before_the_subscription_are_fetched_first(channel: Any, fake: Any) -> None:
    """The SUBSCRIBED window: what was written before `system` comes from one fetch, before what is pushed."""
    fake.auto_stand = False
    await channel.open()
    fake.rows["messages"] = [message(1), message(2)]
    await pushed(fake, message(3))
    await fake.sockets[0].stand("realtime:session:S")
    assert await numbers(channel, 3) == [1, 2, 3]
    await pushed(fake, message(2), message(4))
    assert await numbers(channel, 1) == [4]
    assert len([path for _, path, _, _ in fake.asked if path.startswith("/rest/v1/messages")]) == 1


async def test_what_a_fetch_brought_is_on_record_before_it(channel: Any, fake: Any, history: Any) -> None:
    """A process that is killed between the two must not leave a fetch of all messages without the messages."""
    fake.auto_stand = False
    await channel.open()
    fake.rows["messages"] = [message(1), message(2)]
    await fake.sockets[0].stand("realtime:session:S")
    await history.wait("fetch")
    brought = [(op.op, op.value.get("seq")) for op in history.ops if op.op in {"signal_recv", "fetch"}]
    assert brought == [("signal_recv", 1), ("signal_recv", 2), ("fetch", None)]


async def test_nothing_is_fetched_before_the_subscription_stands(channel: Any, fake: Any) -> None:
    """Fetched at the reply, a signal written between the two would be lost."""
    fake.auto_stand = False
    await channel.open()
    with pytest.raises(TimeoutError):
        await channel.receive(0.05)
    assert not [path for _, path, _, _ in fake.asked if path.startswith("/rest/v1/messages")]


async def test_a_subscription_that_never_stands_still_fetches(
    channel: Any, fake: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A target that forgets the system message is not waited for without end."""
    monkeypatch.setattr(signalling, "READY_PATIENCE", 0.02)
    fake.auto_stand = False
    fake.rows["messages"] = [message(1)]
    await channel.open()
    assert await numbers(channel, 1) == [1]


async def test_a_refused_subscription_still_fetches(channel: Any, fake: Any) -> None:
    """What is there is better than nothing."""
    fake.auto_stand = False
    fake.rows["messages"] = [message(1)]
    await channel.open()
    await fake.sockets[0].stand("realtime:session:S", "error")
    assert await numbers(channel, 1) == [1]


async def test_a_failed_fetch_is_tried_again(channel: Any, fake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows are held back until it succeeds, so that their order stays."""
    monkeypatch.setattr(signalling, "rejoin_delay", lambda _tried: 0.0)
    fake.answers[MESSAGES] = [web.Response(status=500), web.Response(text="<html>"), fake.healthy]
    fake.rows["messages"] = [message(1)]
    await channel.open()
    await pushed(fake, message(2))
    assert await numbers(channel, 2) == [1, 2]


async def test_a_fetch_that_never_succeeds_holds_nothing_back(
    channel: Any, fake: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the end what was pushed is delivered."""
    monkeypatch.setattr(signalling, "rejoin_delay", lambda _tried: 0.0)
    fake.answers[MESSAGES] = [web.Response(status=500)]
    await channel.open()
    await pushed(fake, message(2))
    assert await numbers(channel, 1) == [2]


async def test_after_a_reconnect_the_gap_is_fetched(channel: Any, fake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """PROTOCOL 1.9: nothing is replayed after a rejoin."""
    monkeypatch.setattr(realtime, "rejoin_delay", lambda _attempt: 0.01)
    await channel.open()
    await pushed(fake, message(1))
    assert await numbers(channel, 1) == [1]
    fake.rows["messages"] = [message(1), message(2)]
    await fake.sockets[0].wire.close()
    await fake.joined("realtime:session:S", socket=1)
    await pushed(fake, message(3), socket=1)
    assert await numbers(channel, 2) == [2, 3]


@pytest.mark.parametrize(
    "row",
    [
        message(9, sender="me"),
        message(9, session_id="T"),
        message(9, content="hello"),
        message(9, content=None),
        message(9, content='{"type":"offer","seq":"x"}'),
    ],
)
async def test_what_is_no_signal_of_the_partner_is_not_received(
    channel: Any, participant: Any, fake: Any, row: dict[str, Any]
) -> None:
    """Our own rows, those of other sessions, chat messages, and what cannot be read."""
    if row["sender_id"] == "me":
        row = {**row, "sender_id": participant.user}
    await channel.open()
    await pushed(fake, row, message(1))
    assert await numbers(channel, 1) == [1]


async def test_the_end_is_told_once_by_whichever_comes_first(channel: Any, fake: Any, history: Any) -> None:
    """`told {id, by}`: here the signal, then the row's change."""
    await channel.open()
    await pushed(fake, message(1, kind="call-ended"))
    assert (await channel.receive(5)).kind == "call-ended"
    await over(fake)
    await pushed(fake, message(2))
    await channel.receive(5)
    assert channel.ended.is_set()
    assert [op.value for op in history.of("told")] == [{"id": "S", "by": "call-ended"}]


async def test_the_rows_change_tells_the_end(channel: Any, fake: Any, history: Any) -> None:
    """The UPDATE of chat_sessions."""
    await channel.open()
    await over(fake, "active")
    await over(fake)
    async with asyncio.timeout(5):
        await channel.ended.wait()
    assert [op.value["by"] for op in history.of("told")] == ["update"]


async def test_an_end_before_the_subscription_is_found_by_the_fetch(channel: Any, fake: Any, history: Any) -> None:
    """The UPDATE fell into the SUBSCRIBED window."""
    fake.rows["chat_sessions"] = [{"id": "S", "user1_id": "other", "user2_id": "me", "status": "ended"}]
    await channel.open()
    async with asyncio.timeout(5):
        await channel.ended.wait()
    assert [op.value["by"] for op in history.of("told")] == ["fetch"]


async def test_who_ends_the_session_himself_is_not_told(
    channel: Any, participant: Any, fake: Any, history: Any
) -> None:
    """His own UPDATE comes back to him."""
    await channel.open()
    await participant.end("S")
    await over(fake)
    async with asyncio.timeout(5):
        await channel.ended.wait()
    assert not history.of("told")


async def test_an_end_that_was_refused_leaves_him_to_be_told(
    channel: Any, participant: Any, fake: Any, history: Any
) -> None:
    """Then it was somebody else who ended it."""
    fake.answers["PATCH /rest/v1/chat_sessions"] = [web.json_response({"code": "42501"}, status=403)]
    await channel.open()
    assert not await participant.end("S")
    await over(fake)
    assert (await history.wait("told")).value["by"] == "update"


async def test_one_channel_for_one_session(channel: Any, participant: Any, session: SessionSeen, fake: Any) -> None:
    """Asking twice, opening twice and closing twice do it once."""
    assert participant.signalling(session) is channel
    await channel.open()
    await channel.open()
    await channel.close()
    await channel.close()
    await fake.until(lambda: fake.events("phx_leave"))
    assert len(fake.events("phx_join")) == len(fake.events("phx_leave")) == 1


async def test_closing_ends_a_fetch_that_is_under_way(channel: Any, fake: Any) -> None:
    """No task is left behind."""
    fake.answers[MESSAGES] = [fake.hang]
    await channel.open()
    await fake.until(lambda: any(path.startswith("/rest/v1/messages") for _, path, _, _ in fake.asked))
    await channel.close()
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "signals: fetch"]
