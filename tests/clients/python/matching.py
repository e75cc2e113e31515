"""The client flow: join, listen, poll, match by push and by poll, signal both ways, end; and the functions."""

from __future__ import annotations

import json
from typing import Any

from realtime.types import RealtimePostgresChangesListenEvent as Event
from report import Suite, Unmet, equal, fails, holds, includes
from stage import Inbox, Person, Stage, joined, until

SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"


async def join(stage: Stage, person: Person, mode: str = "global") -> None:
    """Joins the queue, and waits until the own entry stands or a match is there."""
    answer = await stage.api("POST", "/matching/join", person.token, {"matchMode": mode})
    equal("join", (answer.status_code, answer.json()["message"]), (200, "Joined queue successfully"))


async def queued(person: Person) -> None:
    """Waits until the own queue entry stands."""

    async def entry() -> Any:
        return (await person.client.table("waiting_queue").select("*").eq("user_id", person.user).execute()).data

    await until("a queue entry of his own", entry)


async def poll(person: Person) -> dict[str, Any] | None:
    """The poll of the front end: the caller's active session, or None."""
    answer = await (
        person.client.table("chat_sessions")
        .select("id, user1_id, user2_id")
        .or_(f"user1_id.eq.{person.user},user2_id.eq.{person.user}")
        .eq("status", "active")
        .limit(1)
        .maybe_single()
        .execute()
    )
    return answer.data if answer else None


async def pair(stage: Stage, first: Person, second: Person) -> dict[str, Any]:
    """Two people in one session, found by poll.

    The documented engine may leave both waiting when their searches meet ("System busy", and no retry): there the
    second one presses the button again, as a person would.
    """
    await join(stage, first)
    await queued(first)
    for _ in range(4 if stage.engine == "documented" else 0):
        await join(stage, second)
        try:
            session = await until("an active session by poll", lambda: poll(second), 1.5)
        except Unmet:
            continue
        for person in (first, second):
            await _ghostless(stage, person)
        return session
    await join(stage, second)
    return await until("an active session by poll", lambda: poll(second))


async def end(person: Person, session: str) -> None:
    """Ends a session as the front end does."""
    await person.client.table("chat_sessions").update({"status": "ended"}).eq("id", session).execute()


async def matchmaking(stage: Stage, suite: Suite) -> None:
    async def people():
        return [await stage.person() for _ in range(3)]

    waiter, comer, stranger = await suite.must("three people sign in", people)
    matches, strange = Inbox("a push of the match"), Inbox("a push to the stranger")

    async def listen():
        channel = waiter.client.channel(f"matchmaking:{waiter.user}")
        for column in ("user1_id", "user2_id"):
            channel.on_postgres_changes(Event.Insert, matches.put, table="chat_sessions", schema="public",
                                        filter=f"{column}=eq.{waiter.user}")  # fmt: skip
        everything = stranger.client.channel("everything")
        everything.on_postgres_changes(Event.All, strange.put, table="chat_sessions", schema="public")
        await joined(everything, changes=True)
        return await joined(channel, changes=True)

    async def by_push():
        payload = await matches.first()
        data = payload["data"]
        includes("data", data, {"type": "INSERT", "schema": "public", "table": "chat_sessions", "errors": None})
        equal("the two", {data["record"]["user1_id"], data["record"]["user2_id"]}, {waiter.user, comer.user})
        holds("columns", data["columns"][0] == {"name": "id", "type": "uuid"}, "names and types", data["columns"])
        return data["record"]

    await suite.must("join", lambda: join(stage, waiter))
    subscription = await suite.must("subscribe to matchmaking:<uid> with two INSERT bindings", listen)
    await suite.check("the queue entry of his own is to be seen", lambda: queued(waiter))
    await suite.must("the second one joins", lambda: join(stage, comer))
    record = await suite.must("a match by push", by_push)

    async def by_poll():
        for person in (waiter, comer):
            session = await until("an active session by poll", lambda person=person: poll(person))
            equal("session", session["id"], record["id"])

    async def remove():
        await waiter.client.remove_channel(subscription.channel)
        equal("channels", waiter.client.get_channels(), [])

    async def over():
        await end(comer, record["id"])
        for person in (waiter, comer):
            equal("active session", await poll(person), None)

    async def unseen():
        own = await pair(stage, stranger, comer)
        await strange.first(lambda p: p["data"].get("record", {}).get("id") == own["id"])
        others = [p for p in strange.came if p["data"]["type"] != "DELETE" and p["data"]["record"]["id"] != own["id"]]
        equal("pushes about others", others, [])
        await end(comer, own["id"])

    await suite.check("a match by poll, of both, the same one", by_poll)
    await suite.check("once matched, the channel is removed", remove)
    await suite.check("end by PATCH", over)
    await suite.check("a stranger saw nothing of it", unseen)
    await _functions(stage, suite)


async def _functions(stage: Stage, suite: Suite) -> None:
    async def people():
        return await stage.person(), await stage.person()

    first, second = await suite.must("two people for the functions", people)

    async def find_match():
        answer = await first.client.rpc("find_match", {"p_user_id": first.user, "p_match_mode": "global"}).execute()
        nothing = {"match_found": False, "session_id": None, "partner_id": None, "message": "Queued"}
        equal("rows", answer.data, [nothing])
        answer = await second.client.rpc("find_match", {"p_user_id": second.user}).execute()
        includes("row", answer.data[0], {"match_found": True, "partner_id": first.user, "message": "Match found"})

    async def skip():
        session = await poll(first)
        given = {"p_user_id": first.user, "p_session_id": session["id"]}
        equal("data", (await first.client.rpc("skip_partner", given).execute()).data, True)
        equal("active session", await poll(second), None)

    async def leave():
        await join(stage, first)
        await queued(first)
        equal("status", (await stage.api("POST", "/matching/leave", first.token)).status_code, 200)
        await _ghostless(stage, first)
        equal("rows", (await first.client.table("waiting_queue").select("*").execute()).data, [])

    async def unknown_caller():
        answer = await stage.api("POST", "/matching/join")
        equal("answer", (answer.status_code, answer.json()), (401, {"error": "Unauthorized"}))

    await suite.check("rpc find_match: 'Queued', then 'Match found'", find_match)
    await suite.check("rpc skip_partner: true", skip)
    await suite.check("join and leave", leave)
    await suite.check("join without a caller: 401", unknown_caller)


async def _ghostless(stage: Stage, person: Person) -> None:
    """Makes sure that an entry that was removed stays so.

    In the documented engine the search that a join has started, and that nobody awaits, may put it there again. Nobody
    later shall meet this ghost.
    """
    absent = 0 if stage.engine == "documented" else 3

    async def gone() -> bool:
        nonlocal absent
        answer = await person.client.table("waiting_queue").delete().eq("user_id", person.user).execute()
        absent = 0 if answer.data else absent + 1
        return absent >= 3

    if absent < 3:
        await until("an empty queue", gone)


async def signalling(stage: Stage, suite: Suite) -> None:
    async def people():
        one, two = await stage.person(), await stage.person()
        return one, two, (await pair(stage, one, two))["id"]

    one, two, session = await suite.must("two people in a session", people)
    rooms = {person.user: (Inbox("a message"), Inbox("an update")) for person in (one, two)}

    async def attend():
        for person in (one, two):
            messages, updates = rooms[person.user]
            channel = person.client.channel(f"session:{session}")
            channel.on_postgres_changes(Event.Insert, messages.put, table="messages", schema="public",
                                        filter=f"session_id=eq.{session}")  # fmt: skip
            channel.on_postgres_changes(Event.Update, updates.put, table="chat_sessions", schema="public",
                                        filter=f"id=eq.{session}")  # fmt: skip
            await joined(channel, changes=True)

    async def signal(sender: Person, content: dict[str, Any]) -> None:
        row = {"session_id": session, "sender_id": sender.user, "type": "text", "content": json.dumps(content)}
        await sender.client.table("messages").insert(row).execute()

    def heard(person: Person, sender: Person) -> list[Any]:
        records = [p["data"]["record"] for p in rooms[person.user][0].came]
        return [json.loads(r["content"]) for r in records if r["sender_id"] == sender.user]

    async def both_ways():
        sent = [{"type": "offer", "offer": {"type": "offer", "sdp": SDP}}]
        sent += [
            {"type": "ice-candidate", "candidate": {"candidate": f"candidate:{n}", "sdpMid": "0"}} for n in range(6)
        ]
        back = [{"type": "answer", "answer": {"type": "answer", "sdp": SDP}}, *sent[1:]]
        for there, here in zip(sent, back, strict=True):
            await signal(one, there)
            await signal(two, here)
        await rooms[two.user][0].first(lambda _: len(heard(two, one)) == 7)
        await rooms[one.user][0].first(lambda _: len(heard(one, two)) == 7)
        equal("heard by the second", heard(two, one), sent)
        equal("heard by the first", heard(one, two), back)

    async def forged():
        row = {"session_id": session, "sender_id": two.user, "content": "{}"}
        await fails(one.client.table("messages").insert(row).execute(), code="42501")

    async def told():
        await signal(one, {"type": "call-ended"})
        await end(one, session)
        data = (await rooms[two.user][1].first())["data"]
        includes("record", data["record"], {"id": session, "status": "ended"})
        equal("old_record", data["old_record"], {"id": session})
        await rooms[two.user][0].first(lambda _: {"type": "call-ended"} in heard(two, one))

    await suite.must("both subscribe to session:<id>", attend)
    await suite.check("signals both ways, in order", both_ways)
    await suite.check("a signal in the partner's name is refused", forged)
    await suite.check("the end is told to the partner", told)
