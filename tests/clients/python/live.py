"""Realtime beside the match: broadcast, presence, private channels, subscription errors, tokens on an open socket."""

from __future__ import annotations

from typing import Any

from matching import end, pair
from realtime.types import RealtimePostgresChangesListenEvent as Event
from report import Suite, equal, fails, holds, includes, matches
from stage import Inbox, Person, Stage, aside, joined, settled, subscribe, until


def _config(**broadcast: bool) -> dict[str, Any]:
    return {"config": {"broadcast": broadcast, "presence": {"key": "", "enabled": False}, "private": False}}


async def broadcast(stage: Stage, suite: Suite) -> None:
    topic = f"room-{aside()}"

    async def member(**options: bool) -> tuple[Any, Inbox]:
        heard = Inbox("a broadcast")
        channel = (await stage.client()).channel(
            topic, _config(ack=False, self=False) if not options else _config(**options)
        )
        channel.on_broadcast("*", heard.put)
        await joined(channel)
        return channel, heard

    async def members():
        return [await member(), await member(ack=True, self=True)]

    (plain, heard), (echoing, echoed) = await suite.must("two members of one topic", members)

    async def to_the_others():
        await plain.send_broadcast("one", {"text": "héllo", "list": [1, None]})
        message = await echoed.first(lambda m: m["event"] == "one")
        equal("payload", message["payload"], {"text": "héllo", "list": [1, None]})

    async def echo():
        await echoing.send_broadcast("two", {"n": 2})
        await echoed.first(lambda m: m["event"] == "two")
        await heard.first(lambda m: m["event"] == "two")
        equal("events that the sender of the first heard", [m["event"] for m in heard.came], ["two"])

    async def over_rest():
        await (await stage.client()).channel(topic).http_send("rest", {"n": 3})
        equal("payload", (await heard.first(lambda m: m["event"] == "rest"))["payload"], {"n": 3})

    await suite.check("a broadcast reaches the others", to_the_others)
    await suite.check("self and ack: the sender hears it too", echo)
    await suite.check("http_send goes over REST", over_rest)


async def presence(stage: Stage, suite: Suite) -> None:
    topic = f"present-{aside()}"

    async def member(key: str) -> tuple[Any, dict[str, Inbox]]:
        inboxes = {name: Inbox(f"a presence {name}") for name in ("sync", "join", "leave")}
        config = {"config": {"broadcast": None, "presence": {"key": key, "enabled": True}, "private": False}}
        channel = (await stage.client()).channel(topic, config)
        channel.on_presence_sync(inboxes["sync"].put)
        channel.on_presence_join(lambda key, _, new: inboxes["join"].put((key, new)))
        channel.on_presence_leave(lambda key, _, left: inboxes["leave"].put((key, left)))
        await joined(channel)
        return channel, inboxes

    async def members():
        return [await member("ada"), await member("bob")]

    (ada, _), (bob, told) = await suite.must("two members with keys", members)

    async def track():
        await ada.track({"mood": "glad"})
        key, new = await told["join"].first()
        equal("join", (key, new[0]["mood"]), ("ada", "glad"))
        equal("state", list(bob.presence_state()), ["ada"])

    async def untrack():
        await ada.untrack()
        key, left = await told["leave"].first()
        equal("leave", (key, left[0]["mood"]), ("ada", "glad"))
        equal("state", list(bob.presence_state()), [])

    await suite.check("track is told to the others", track)
    await suite.check("untrack is told to the others", untrack)


async def channels(stage: Stage, suite: Suite) -> None:
    async def private():
        person = await stage.person()
        topic = f"private-{aside()}"
        config = {"config": {"broadcast": None, "presence": None, "private": True}}
        subscription = await subscribe(person.client.channel(topic, config))
        state, error = await subscription.states.first(patience=12)
        equal("state", state, "CHANNEL_ERROR")
        matches("error", error, f"Unauthorized: You do not have permissions to read from this Channel topic: {topic}")
        await person.client.remove_all_channels()

    async def bad_filter():
        person = await stage.person()
        channel = person.client.channel(f"bad-{aside()}")
        channel.on_postgres_changes(Event.Insert, lambda _: None, table="messages", filter="undefined")
        subscription = await subscribe(channel)
        _, error = await subscription.states.first(lambda s: s[0] == "CHANNEL_ERROR", 12)
        matches("error", error, "Error parsing `filter` params")
        await person.client.remove_all_channels()

    async def wrong_key():
        client = await stage.client("wrong")
        client.realtime.max_retries = 1
        error = await fails(client.channel("door").subscribe())
        matches("error", error, "401")

    async def leave_and_return():
        client = await stage.client()
        kept = f"kept-{aside()}"
        await joined(client.channel(kept))
        for _ in range(3):
            subscription = await joined(client.channel(f"again-{aside()}"))
            await client.remove_channel(subscription.channel)
            equal("channels", [channel.topic for channel in client.get_channels()], [f"realtime:{kept}"])
        await client.remove_all_channels()
        holds("channels", client.get_channels() == [], "none", client.get_channels())

    await suite.check("a private channel without permission: CHANNEL_ERROR", private)
    await suite.check("a filter that cannot be read: CHANNEL_ERROR", bad_filter)
    await suite.check("a wrong key: the socket is refused with 401", wrong_key)
    await suite.check("remove_channel leaves the others, remove_all_channels none", leave_and_return)


async def tokens(stage: Stage, suite: Suite) -> None:
    async def people():
        one, two = await stage.person(), await stage.person()
        return one, two, (await pair(stage, one, two))["id"]

    one, two, session = await suite.must("two people in a session", people)

    async def post() -> None:
        row = {"session_id": session, "sender_id": one.user, "content": "hello"}
        await one.client.table("messages").insert(row).execute()

    async def listening(person_client: Any) -> tuple[Any, Inbox]:
        seen = Inbox("a message")
        channel = person_client.channel(f"tokens-{aside()}")
        channel.on_postgres_changes(Event.Insert, seen.put, table="messages", schema="public")
        return await joined(channel, changes=True), seen

    async def seen_after_all(seen: Inbox) -> None:
        async def once_more() -> bool:
            before = len(seen.came)
            await post()
            try:
                await seen.first(lambda _: len(seen.came) > before, 1)
            except Exception:  # noqa: BLE001 — not yet: the server has not taken the token over
                return False
            return True

        await until("a message", once_more, 15, 0)

    async def signed_in_later():
        client = await stage.client()
        _, seen = await listening(client)
        _, fence = await listening(two.client)
        await post()
        await fence.first()
        equal("messages that nobody in particular saw", seen.came, [])
        await _take_over(two, client)
        await seen_after_all(seen)

    async def refreshed():
        subscription, seen = await listening(two.client)
        await seen_after_all(seen)
        await two.client.auth.refresh_session()
        await settled(two.client)
        await seen_after_all(seen)
        equal("states", [state for state, _ in subscription.states.came], ["SUBSCRIBED"])

    await suite.check("after signing in, an open channel sees what the user may see", signed_in_later)
    await suite.check("after refresh_session the open channel goes on", refreshed)
    await end(one, session)


async def _take_over(person: Person, client: Any) -> None:
    session = await person.client.auth.get_session()
    includes("session", {"user": session.user.id}, {"user": person.user})
    await client.auth.set_session(session.access_token, session.refresh_token)
    await settled(client)
