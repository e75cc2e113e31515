"""RT-9 to RT-18: joins and what they are answered, leaving, joining twice, topics that are none."""

from __future__ import annotations

from collections.abc import Callable

from conformance.realtime.room import room, said
from conformance.scenario import requires
from conformance.trial import Trial
from conformance.wire.realtime import BOTH, EVENT, Binding, RealtimeSocket, data_of, must, socket_of
from harness.protocol.phoenix import Frame

HIGHEST_ID = 2**27 - 1
OK = {"status": "ok", "response": {}}
UNMATCHED = {"status": "error", "response": {"reason": "unmatched topic"}}


@requires("RT-9")
async def test_rt_9_the_reply_echoes_the_bindings(trial: Trial) -> None:
    """Each binding stands in the reply at its own index, as it was sent, with an id; equal ones have equal ids."""
    person = await trial.enter()
    mine = _sessions("user1_id", person.user)
    asked: list[Binding] = [mine, _sessions("user2_id", person.user), {"event": "*", "schema": "public"}, mine]
    for vsn in BOTH:
        async with socket_of(trial, person, vsn) as socket:
            join = await socket.join(f"matchmaking:{person.user}", asked)
            listed = join.response.get("postgres_changes")
            same = isinstance(listed, list) and [_without_id(one) for one in listed] == asked
            what = f"a join in {vsn} with four bindings, the first and the last equal"
            must(join.ok and same, trial, socket, sent=what, came=f"the response {join.response}")
            ids = join.ids
            numbers = all(isinstance(one, int) and 0 <= one <= HIGHEST_ID for one in ids)
            must(numbers and ids[0] == ids[3] and len(set(ids)) == 3, trial, socket, sent=what, came=f"the ids {ids}")


@requires("RT-10")
async def test_rt_10_a_join_without_bindings(trial: Trial) -> None:
    """The reply to a join without bindings lists none: the official client reads an absent list as a mismatch."""
    for vsn in BOTH:
        async with socket_of(trial, vsn=vsn) as socket:
            join = await socket.join("nothing")
            right = join.ok and join.response.get("postgres_changes") == []
            must(right, trial, socket, sent=f"a join in {vsn} without bindings", came=f"the reply {join.reply.payload}")


@requires("RT-11")
async def test_rt_11_the_subscription_is_announced(trial: Trial) -> None:
    """After the reply comes one `system` message that says that the database subscription stands."""
    person = await trial.enter()
    name = f"matchmaking:{person.user}"
    wanted = {
        "channel": name, "extension": "postgres_changes", "message": "Subscribed to PostgreSQL", "status": "ok",
    }  # fmt: skip
    for vsn in BOTH:
        async with socket_of(trial, person, vsn) as socket:
            join = await socket.join(name, [_sessions("user1_id", person.user)])
            said = await socket.system(name)
            right = said is not None and said.payload == wanted and said.ref is None
            must(right, trial, socket, sent=f"a join in {vsn} with a binding", came=f"the system message {said}")
            later = said is not None and socket.frames.index(said) > socket.frames.index(join.reply)
            must(later, trial, socket, sent=f"a join in {vsn}", came="the system message before the reply")


@requires("RT-12")
async def test_rt_12_leaving(trial: Trial) -> None:
    """A leave is answered, and then the channel is closed under its own ref."""
    for vsn in BOTH:
        async with socket_of(trial, vsn=vsn) as socket:
            join = await socket.join("left")
            reply = await socket.reply(await socket.push(join.topic, "phx_leave", {}, join.ref))
            right = reply is not None and reply.payload == OK
            must(right, trial, socket, sent=f"phx_leave in {vsn}", came=f"the reply {reply}")
            closed = await socket.heard(_closing(join.ref))
            after = closed is not None and reply is not None
            after = after and socket.frames.index(closed) > socket.frames.index(reply)  # type: ignore[arg-type]
            must(
                after, trial, socket, sent=f"phx_leave in {vsn}", came=f"{closed} instead of phx_close after the reply"
            )


@requires("RT-13")
async def test_rt_13_nothing_comes_after_leaving(trial: Trial) -> None:
    """Of two channels with the same binding one is left: a change is told to the other alone."""
    there = await room(trial)
    async with socket_of(trial, there.second) as socket:
        left = await socket.subscribed("left", [there.binding()])
        await socket.subscribed("kept", [there.binding()])
        await socket.reply(await socket.push(left.topic, "phx_leave", {}, left.ref))
        await there.write("after the leave")
        kept = await _change_on(socket, "realtime:kept")
        must(kept, trial, socket, sent="a change, on two channels of which one is left", came="nothing to the other")
        told = [one for one in socket.frames if one.event == "postgres_changes" and one.topic == left.topic]
        must(not told, trial, socket, sent="a change after phx_leave", came="the channel that was left was told")


@requires("RT-14")
async def test_rt_14_leaving_what_was_never_joined(trial: Trial) -> None:
    """A leave of a topic that was not joined is answered ok."""
    async with socket_of(trial) as socket:
        reply = await socket.reply(await socket.push("realtime:never", "phx_leave", {}))
        right = reply is not None and reply.payload.get("status") == "ok"
        must(right, trial, socket, sent="phx_leave of a topic that was never joined", came=f"the reply {reply}")


@requires("RT-15")
async def test_rt_15_joining_twice(trial: Trial) -> None:
    """The second join of a topic closes the first under its old ref, and takes its place: a change comes once."""
    there = await room(trial)
    async with socket_of(trial, there.second) as socket:
        first = await socket.subscribed("twice", [there.binding()])
        seen = len(socket.frames)
        second = await socket.join("twice", [there.binding("*")])
        closed = await socket.heard(_closing(first.ref))
        must(closed, trial, socket, sent="a second join of a topic", came="no phx_close with the ref of the first")
        must(second.ok, trial, socket, sent="a second join of a topic", came=f"the refusal {second.reason}")
        await socket.until(lambda: any(one.event == "system" for one in socket.frames[seen:]), EVENT)
        for content in ("once", "the end"):
            await there.write(content)
            await socket.change(said(content))
        told = [one.payload["ids"] for one in socket.frames if said("once")(data_of(one))]
        must(
            told == [second.ids], trial, socket, sent="a change after a second join", came=f"frames with the ids {told}"
        )


@requires("RT-16")
async def test_rt_16_a_push_to_nowhere(trial: Trial) -> None:
    """A push to a topic that was not joined is answered with an error, in both versions."""
    for vsn in BOTH:
        async with socket_of(trial, vsn=vsn) as socket:
            reply = await socket.reply(await socket.push("realtime:nowhere", "broadcast", {"type": "broadcast"}))
            right = reply is not None and reply.payload == UNMATCHED
            must(
                right, trial, socket, sent=f"a push in {vsn} to a topic that was not joined", came=f"the reply {reply}"
            )


@requires("RT-17")
async def test_rt_17_a_topic_without_a_name(trial: Trial) -> None:
    """A join of `realtime:` names what is missing."""
    async with socket_of(trial) as socket:
        join = await socket.join("")
        right = not join.ok and join.reason == "TopicNameRequired: You must provide a topic name"
        must(right, trial, socket, sent="a join of realtime:", came=f"the reply {join.reply.payload}")


@requires("RT-18")
async def test_rt_18_bad_tokens_at_a_join(trial: Trial) -> None:
    """A join with what is no token, and one with another's signature, are refused each in its own words."""
    head, _, signature = (await trial.shared("realtime")).access_token.rpartition(".")
    for token, reason in (
        ("nonsense", "MalformedJWT: The token provided is not a valid JWT"),
        (f"{head}.{signature[::-1]}", "JwtSignatureError: Failed to validate JWT signature"),
    ):
        async with socket_of(trial) as socket:
            socket.token = token
            join = await socket.join("mine")
            right = not join.ok and join.reason == reason
            must(right, trial, socket, sent="a join with a bad token", came=f"the reply {join.reply.payload}")


def _sessions(column: str, user: str) -> Binding:
    return {"event": "INSERT", "schema": "public", "table": "chat_sessions", "filter": f"{column}=eq.{user}"}


def _without_id(one: object) -> object:
    return {key: value for key, value in one.items() if key != "id"} if isinstance(one, dict) else one


def _closing(ref: str) -> Callable[[Frame], bool]:
    return lambda one: one.event == "phx_close" and one.ref == ref


async def _change_on(socket: RealtimeSocket, topic: str) -> Frame | None:
    return await socket.heard(lambda one: one.event == "postgres_changes" and one.topic == topic)
