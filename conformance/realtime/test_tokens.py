"""RT-38 and RT-39: the token of a channel is renewed on the open socket, and one that has run out is refused."""

from __future__ import annotations

import re

from conformance.realtime.room import room, said
from conformance.scenario import requires
from conformance.trial import Trial
from conformance.wire.realtime import EVENT, must, socket_of
from conformance.wire.tokens import minted

_EXPIRED = re.compile(r"InvalidJWTToken: Token has expired \d+ seconds ago")
EVERY = 0.5


@requires("RT-38")
async def test_rt_38_a_token_on_the_open_socket(trial: Trial) -> None:
    """A channel that was joined without a user's token hears nothing; with one pushed to it, it hears what is his.

    The push has no reply.
    """
    there = await room(trial)
    async with socket_of(trial, there.second) as socket:
        token, socket.token = socket.token, ""
        join = await socket.subscribed("room", [there.binding()])
        await there.write("unseen")
        # It is told late, if at all: by then the channel must still speak without the token.
        await socket.change(said("unseen"), trial.budgets.notify + trial.budgets.tolerance)
        ref = await socket.push(join.topic, "access_token", {"access_token": token}, join.ref)
        for number in range(int(EVENT / EVERY)):
            await there.write(f"seen {number}")
            if await socket.change(lambda data: str(data["record"].get("content")).startswith("seen"), EVERY):
                break
        contents = [
            one.payload["data"]["record"].get("content") for one in socket.frames if one.event == "postgres_changes"
        ]
        must(
            contents,
            trial,
            socket,
            sent="access_token, then messages that its user may read",
            came="he was told of none",
        )
        must("unseen" not in contents, trial, socket, sent="a message before the token", came="it was told to anon")
        must(not any(one.ref == ref for one in socket.frames), trial, socket, sent="access_token", came="a reply to it")


@requires("RT-39")
async def test_rt_39_a_token_that_has_run_out(trial: Trial) -> None:
    """A join with a token that has run out is refused, and the reason says for how long it has."""
    person = await trial.enter()
    async with socket_of(trial, person) as socket:
        socket.token = minted(trial, person, lifetime=-100)
        join = await socket.join("mine")
        refused = not join.ok and _EXPIRED.fullmatch(join.reason)
        must(
            refused, trial, socket, sent="a join with a token that has run out", came=f"the reply {join.reply.payload}"
        )
