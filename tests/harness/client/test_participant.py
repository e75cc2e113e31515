"""The participant: what he asks, what he records, and how each failure becomes an outcome."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from aiohttp import web

from harness.client import NotAdmitted, Participant, SessionSeen, Transport
from harness.history.op import Outcome, Via
from harness.target import Capabilities

HTML = web.Response(text="<!doctype html>", content_type="text/html")
JOIN = "POST /api/matching/join"
POLL = "GET /rest/v1/chat_sessions"


def limited(seconds: str) -> web.Response:
    return web.json_response({"error": "Too many attempts. Please wait."}, status=429, headers={"Retry-After": seconds})


def row(user: str, id_: str = "S", **more: Any) -> dict[str, Any]:
    return {"id": id_, "user1_id": "other", "user2_id": user, "status": "active", **more}


async def test_a_join_is_recorded_with_mode_token_and_due(participant: Any, history: Any, fake: Any) -> None:
    """PROTOCOL 4; the token is unique for each join."""
    reply = await participant.join("buddies_first", due=1.5)
    await participant.join()
    first, second = history.of("join")
    assert (reply.ok, reply.status, reply.session) == (True, 200, None)
    assert (first.outcome, first.via, first.due, first.value["mode"]) == (Outcome.OK, Via.HTTP, 1.5, "buddies_first")
    assert first.value["token"] != second.value["token"]
    assert fake.asked[-2][3] == {"matchMode": "buddies_first"}


async def test_a_join_that_is_matched_at_once_names_the_session(participant: Any, history: Any, fake: Any) -> None:
    """A hardened target's `match` is an observation, and the match of this join."""
    match = {"session_id": "S", "partner_id": "B", "offerer_id": participant.user}
    fake.answers[JOIN] = [web.json_response({"message": "Joined queue successfully", "match": match})]
    reply = await participant.join()
    assert reply.session.partner_of(participant.user) == "B"
    assert history.of("join")[0].value["session"]["id"] == "S"
    assert await participant.next_match(0) == reply.session


@pytest.mark.parametrize(
    ("answer", "outcome", "status"),
    [
        (web.json_response({"error": "Unauthorized"}, status=401), Outcome.FAIL, 401),
        (web.json_response({"error": "Already waiting"}, status=409), Outcome.FAIL, 409),
        (web.json_response({"error": "Failed to join queue"}, status=500), Outcome.INFO, 500),
        (web.Response(status=302, headers={"Location": "/"}), Outcome.INFO, 302),
        (HTML, Outcome.INFO, 0),
        (web.json_response({"match": {"session_id": 1}}), Outcome.INFO, 0),
    ],
)
async def test_an_answer_decides_the_outcome(
    participant: Any, history: Any, fake: Any, answer: web.Response, outcome: Outcome, status: int
) -> None:
    """A refusal certainly had no effect; a 5xx, a page or an answer of another shape may have had one."""
    fake.answers[JOIN] = [answer]
    reply = await participant.join()
    assert (reply.ok, reply.status) == (False, status)
    assert history.of("join")[0].outcome is outcome
    assert history.of("join")[0].value["error"] or status == 302


async def test_a_call_that_times_out_may_have_happened(fake: Any, recorder: Any, history: Any) -> None:
    """Info, never fail."""
    fake.answers[JOIN] = [fake.hang]
    async with Transport(fake.target(), timeout=0.2) as transport:
        reply = await (await Participant.enter(transport, recorder)).join()
    assert (reply.status, history.of("join")[0].outcome) == (0, Outcome.INFO)
    assert "Timeout" in history.of("join")[0].value["error"]


async def test_a_refused_connection_certainly_did_nothing(participant: Any, history: Any, transport: Any) -> None:
    """Nothing was sent."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{unused.getsockname()[1]}"
        dialect = transport.dialect
        dialect._target = dialect._target.model_copy(update={"api_url": nobody})
        await participant.leave()
    assert history.of("leave")[0].outcome is Outcome.FAIL


async def test_a_rate_limit_is_waited_out_and_each_try_is_an_op(participant: Any, history: Any, fake: Any) -> None:
    """429: fail, then again when Retry-After says; the due time stays, for the user has waited since then."""
    fake.answers[JOIN] = [limited("0"), limited("0"), fake.healthy]
    assert (await participant.join(due=2.0)).ok
    assert [(op.outcome, op.due) for op in history.of("join")] == [
        (Outcome.FAIL, 2.0), (Outcome.FAIL, 2.0), (Outcome.OK, 2.0),
    ]  # fmt: skip


@pytest.mark.parametrize("given", [{"wait_out_limits": False}, {}])
async def test_a_rate_limit_is_told_where_nobody_waits_for_it(participant: Any, fake: Any, given: Any) -> None:
    """At the caller's wish, or where the wait is longer than anybody's patience."""
    fake.answers[JOIN] = [limited("3600")]
    assert (await participant.join(**given)).status == 429


async def test_a_poll_sees_a_session_or_none(participant: Any, history: Any, fake: Any) -> None:
    """Recorded as `{session}`; the request is the document's."""
    assert await participant.poll() is None
    fake.rows["chat_sessions"] = [row(participant.user, offerer_id=participant.user)]
    session = await participant.poll()
    assert (session.id, session.offerer) == ("S", participant.user)
    assert [op.value["session"] for op in history.of("poll")] == [None, session.value()]
    assert history.of("poll")[0].via is Via.POLL
    headers = fake.asked[-1][2]
    assert headers["Authorization"] == f"Bearer {participant.account.access_token}"
    assert headers["apikey"]


@pytest.mark.parametrize("answer", [HTML, web.json_response({}), web.json_response([{}]), web.Response(status=503)])
async def test_a_poll_that_cannot_be_read_is_info(participant: Any, history: Any, fake: Any, answer: Any) -> None:
    """And no exception."""
    fake.answers[POLL] = [answer]
    assert await participant.poll() is None
    assert history.of("poll")[0].outcome is Outcome.INFO


async def test_a_push_is_the_match_and_ends_the_search(participant: Any, history: Any, fake: Any) -> None:
    """Recorded as `push {session, event}`; then he unsubscribes (document, section 3 step 5)."""
    await participant.join()
    await participant.subscribe_matches()
    topic = f"realtime:matchmaking:{participant.user}"
    fake_socket = await fake.joined(topic)
    await fake_socket.insert(topic, "chat_sessions", row(participant.user), id_=2)
    session = await participant.next_match(5)
    assert session.id == "S"
    push = history.of("push")[0]
    assert (push.via, push.value["event"], push.value["session"]) == (Via.WS, "INSERT", session.value())
    await fake.until(lambda: fake.events("phx_leave"))
    assert history.of("unsubscribe")[0].value == {"topic": f"matchmaking:{participant.user}"}


async def test_the_poll_is_the_fallback(participant: Any, fake: Any, history: Any) -> None:
    """Without a push, the next poll finds the match."""
    fake.auto_accept = fake.auto_stand = True
    await participant.join()
    await participant.subscribe_matches()
    fake.rows["chat_sessions"] = [row(participant.user)]
    session = await participant.next_match(5)
    assert session.id == "S"
    assert not history.of("push")


async def test_a_poll_that_is_limited_waits_as_told(participant: Any, history: Any, fake: Any) -> None:
    """And the search goes on."""
    fake.answers[POLL] = [limited("0"), web.Response(status=500), fake.healthy]
    fake.rows["chat_sessions"] = [row(participant.user)]
    assert (await participant.next_match(5)).id == "S"
    assert [op.outcome for op in history.of("poll")] == [Outcome.FAIL, Outcome.INFO, Outcome.OK]


async def test_patience_ends_without_a_match(participant: Any, history: Any) -> None:
    """None; he stays subscribed and may go on waiting."""
    await participant.subscribe_matches()
    assert await participant.next_match(0.12) is None
    assert history.of("poll")
    assert not history.of("unsubscribe")


async def test_a_late_push_of_an_earlier_join_is_no_match(participant: Any, history: Any, fake: Any) -> None:
    """It is recorded all the same: checkers want to know."""
    topic = f"realtime:matchmaking:{participant.user}"
    for id_, number in (("S1", 1), ("S2", 2)):
        await participant.join()
        await participant.subscribe_matches()
        await fake.until(lambda number=number: len(fake.events("phx_join")) == number)
        await fake.sockets[0].insert(topic, "chat_sessions", row(participant.user, "S1"))
        await fake.sockets[0].insert(topic, "chat_sessions", row(participant.user, id_))
        assert (await participant.next_match(5)).id == id_


async def test_a_push_for_somebody_else_is_recorded_and_is_no_match(participant: Any, history: Any, fake: Any) -> None:
    """MM-S3 wants to see it; he must not enter it."""
    topic = f"realtime:matchmaking:{participant.user}"
    await participant.subscribe_matches()
    fake_socket = await fake.joined(topic)
    await fake_socket.insert(topic, "chat_sessions", row("stranger"))
    assert (await history.wait("push")).value["session"]["user2"] == "stranger"
    assert await participant.next_match(0) is None


async def test_the_subscription_records_both_times(participant: Any, history: Any, fake: Any) -> None:
    """`reply` when the target accepted, `ready` when the database subscription stood (PROTOCOL 1.4)."""
    fake.auto_stand = False
    await participant.subscribe_matches()
    assert not history.of("subscribe")
    topic = f"realtime:matchmaking:{participant.user}"
    await fake.sockets[0].stand(topic)
    op = await history.wait("subscribe")
    assert (op.outcome, op.value["topic"]) == (Outcome.OK, f"matchmaking:{participant.user}")
    assert 0 <= op.value["reply"] <= op.value["ready"]


async def test_a_subscription_without_the_system_message_has_no_ready(
    participant: Any, history: Any, fake: Any
) -> None:
    """It ends with the search; events may have been lost."""
    fake.auto_stand = False
    await participant.subscribe_matches()
    fake.rows["chat_sessions"] = [row(participant.user)]
    await participant.next_match(5)
    op = history.of("subscribe")[0]
    assert op.outcome is Outcome.OK
    assert "ready" not in op.value


async def test_a_database_that_refuses_the_subscription_is_a_failed_op(
    participant: Any, history: Any, fake: Any
) -> None:
    """PROTOCOL 1.4: a system message with status error; the poll remains."""
    fake.auto_stand = False
    await participant.subscribe_matches()
    await fake.sockets[0].stand(f"realtime:matchmaking:{participant.user}", "error")
    op = await history.wait("subscribe")
    assert (op.outcome, op.value["error"]) == (Outcome.FAIL, "said so")


async def test_a_target_without_push_is_not_asked_for_one(fake: Any, recorder: Any) -> None:
    """A declared poll-only target."""
    target = fake.target(capabilities=Capabilities(push=False), budgets={"poll_interval": 0.02})
    async with Transport(target) as transport:
        participant = await Participant.enter(transport, recorder)
        await participant.subscribe_matches()
        fake.rows["chat_sessions"] = [row(participant.user)]
        assert (await participant.next_match(5)).id == "S"
        await participant.close()
    assert fake.frames == []


async def test_a_target_without_poll_is_not_polled(fake: Any, recorder: Any, history: Any) -> None:
    """A declared push-only target."""
    target = fake.target(capabilities=Capabilities(poll=False), budgets={"poll_interval": 0.01})
    async with Transport(target) as transport:
        participant = await Participant.enter(transport, recorder)
        assert await participant.next_match(0.05) is None
    assert not history.of("poll")


async def test_without_a_poll_the_user_listens_and_then_looks(fake: Any, recorder: Any, history: Any) -> None:
    """Who cannot ask for his match subscribes before he joins; asked for it, he looks at the session he was told of."""
    fake.auto_accept = fake.auto_stand = True
    async with Transport(fake.target(capabilities=Capabilities(poll=False))) as transport:
        participant = await Participant.enter(transport, recorder)
        assert (await participant.join()).ok
        assert history.of("subscribe")[0].value["ready"] is not None
        assert await participant.poll() is None
        topic = f"realtime:matchmaking:{participant.user}"
        await (await fake.joined(topic)).insert(topic, "chat_sessions", row(participant.user), id_=2)
        await history.wait("push")
        fake.rows["chat_sessions"] = [row(participant.user)]
        assert (await participant.poll()).id == "S"
        await participant.close()
    assert not history.of("poll")
    assert history.of("look")[0].value["session"]["id"] == "S"


async def test_an_end_is_the_documents_update(participant: Any, history: Any, fake: Any) -> None:
    """PROTOCOL 4: PATCH with status ended and ended_at."""
    assert await participant.end("S")
    method, path, _, body = fake.asked[-1]
    assert (method, path, body["status"]) == ("PATCH", "/rest/v1/chat_sessions?id=eq.S", "ended")
    assert history.of("end")[0].value == {"id": "S"}


async def test_a_closed_tab_closes_the_socket(participant: Any, history: Any, fake: Any) -> None:
    """`disconnect {kind: close}`; the target sees a clean close, and nothing is unsubscribed."""
    await participant.subscribe_matches()
    await participant.vanish("close")
    assert (history.of("disconnect")[0].value, history.of("disconnect")[0].via) == ({"kind": "close"}, Via.SELF)
    assert fake.sockets[0].wire.closed
    assert not fake.events("phx_leave")


async def test_a_silent_user_answers_no_ping_and_stays_connected(participant: Any, history: Any, fake: Any) -> None:
    """A half-open peer: the TCP connection stands, and nobody is at home."""
    wire = fake.sockets[0].wire
    await wire.ping()
    await fake.until(lambda: fake.sockets[0].pongs == 1)
    await participant.vanish("silent")
    await wire.ping()
    await participant.poll()
    assert (fake.sockets[0].pongs, wire.closed) == (1, False)
    assert history.of("disconnect")[0].value == {"kind": "silent"}
    await participant.close()


async def test_who_vanished_may_come_back(participant: Any, history: Any, fake: Any) -> None:
    """A new socket, and `back`."""
    await participant.vanish("silent")
    await participant.connect()
    await history.wait("back")
    assert len(fake.sockets) == 2


async def test_closing_twice_disconnects_once(participant: Any, history: Any) -> None:
    """`close` is idempotent, and an open socket's end stands in the history."""
    await participant.close()
    await participant.close()
    assert len(history.of("disconnect")) == 1


async def test_signalling_needs_a_socket(transport: Any, recorder: Any) -> None:
    """A programming error, told at once."""
    participant = await Participant.enter(transport, recorder)
    with pytest.raises(RuntimeError, match="must be connected"):
        participant.signalling(None)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (web.json_response({"error": "Token has expired"}, status=401), "refused: 401 .*Token has expired"),
        (web.Response(text="<html>"), "refused: 200 <html>"),
    ],
)
async def test_a_socket_that_is_refused_is_told(
    fake: Any, transport: Any, recorder: Any, answer: web.Response, says: str
) -> None:
    """PROTOCOL 1.1: refusals at the upgrade."""
    fake.answers["GET /realtime"] = [answer]
    participant = await Participant.enter(transport, recorder)
    with pytest.raises(NotAdmitted, match=says):
        await participant.connect()


async def test_no_task_is_left_behind(transport: Any, recorder: Any) -> None:
    """One task for a participant, none after his end."""
    before = asyncio.all_tasks()
    participant = await Participant.enter(transport, recorder)
    await participant.connect()
    named = {task.get_name() for task in asyncio.all_tasks() - before}
    assert "realtime socket" in named
    await participant.close()
    assert "realtime socket" not in {task.get_name() for task in asyncio.all_tasks()}


@pytest.mark.parametrize(("answer", "outcome", "ended"), [(True, Outcome.OK, True), (False, Outcome.OK, False)])
async def test_a_skip_is_the_clients_rpc(
    participant: Any, history: Any, fake: Any, answer: Any, outcome: Any, ended: Any
):
    """PROTOCOL 4: `skip_partner`, which says whether it ended the session; the op is an `end` by skip."""
    fake.answers["POST /rest/v1/rpc/skip_partner"] = [web.json_response(answer)]
    assert await participant.skip("S")
    assert fake.asked[-1][3] == {"p_user_id": participant.user, "p_session_id": "S"}
    (op,) = history.of("end")
    assert (op.outcome, op.value) == (outcome, {"id": "S", "by": "skip", "ended": ended})


async def test_a_skip_that_is_refused_did_not_happen(participant: Any, history: Any, fake: Any):
    """Then the session may be ended by somebody else, of which he must be told."""
    fake.answers["POST /rest/v1/rpc/skip_partner"] = [web.json_response({}, status=404)]
    assert not await participant.skip("S")
    assert history.of("end")[0].outcome is Outcome.FAIL


async def test_a_friendship_is_asked_for_and_accepted(
    participant: Any, transport: Any, recorder: Any, history: Any, fake: Any
):
    """Each with his own token, as the policies have it; the acceptance is what counts."""
    other = await Participant.enter(transport, recorder)
    fake.answers["PATCH /rest/v1/study_connections"] = [web.json_response([{"id": "F"}])]
    assert await participant.befriend(other)
    asked, accepted = fake.asked[-2:]
    pending = {"requester_id": participant.user, "receiver_id": other.user, "status": "pending"}
    assert (asked[0], asked[1], asked[3]) == ("POST", "/rest/v1/study_connections", pending)
    assert asked[2]["Authorization"].endswith(participant.account.access_token)
    assert accepted[1].startswith(f"/rest/v1/study_connections?requester_id=eq.{participant.user}&receiver_id=eq.")
    assert (accepted[2]["prefer"], accepted[3]) == ("return=representation", {"status": "accepted"})
    assert accepted[2]["Authorization"].endswith(other.account.access_token)
    (op,) = history.of("befriend")
    assert (op.user, op.value, op.outcome) == (other.user, {"buddy": participant.user}, Outcome.OK)


@pytest.mark.parametrize(
    ("route", "answer", "outcome"),
    [
        ("POST", web.json_response({"message": "duplicate key"}, status=409), None),
        ("PATCH", web.json_response([]), Outcome.FAIL),
        ("PATCH", web.json_response({}, status=403), Outcome.FAIL),
        ("PATCH", web.json_response({}, status=503), Outcome.INFO),
    ],
    ids=["they are friends already", "nothing was there to accept", "forbidden", "nobody can tell"],
)
async def test_a_friendship_that_did_not_come_about(
    participant: Any, transport: Any, recorder: Any, history: Any, fake: Any, route: str, answer: Any, outcome: Any
):
    """No op says that they are buddies for certain."""
    other = await Participant.enter(transport, recorder)
    fake.answers[f"{route} /rest/v1/study_connections"] = [answer]
    assert not await participant.befriend(other)
    assert [op.outcome for op in history.of("befriend")] == ([] if outcome is None else [outcome])


async def test_a_session_can_be_forgotten(participant: Any, history: Any, fake: Any):
    """He unsubscribes; the same session is another channel thereafter."""
    session = SessionSeen("S", "other", participant.user, "active", "other")
    channel = participant.signalling(session)
    await channel.open()
    await participant.forget("S")
    await participant.forget("S")
    assert len(history.of("unsubscribe")) == 1
    assert participant.signalling(session) is not channel


@pytest.mark.parametrize(("headers", "wait"), [({"Retry-After": "7"}, 7.0), ({}, None)])
async def test_a_refusal_says_when_to_come_again(participant: Any, history: Any, fake: Any, headers: Any, wait: Any):
    """The op keeps what was said, for LIM-2."""
    fake.answers[JOIN] = [web.json_response({}, status=429, headers=headers)]
    await participant.join(wait_out_limits=False)
    assert history.of("join")[0].value["retry_after"] == wait
