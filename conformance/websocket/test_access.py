"""SEC-WS-1 and SEC-WS-24 to SEC-WS-29: whose a socket is, for how long, and what it tells to whom."""

from __future__ import annotations

import base64
import re
from urllib.parse import urlsplit

import orjson

from conformance.realtime.room import Room, room, said
from conformance.scenario import requires
from conformance.trial import SETTLE, Trial
from conformance.wire.frames import frame
from conformance.wire.realtime import (
    ANSWER,
    EVENT,
    Binding,
    RealtimeSocket,
    address,
    data_of,
    must,
    raw_of,
    socket_of,
)
from conformance.wire.tokens import minted
from harness.client.dialect import Account
from harness.protocol.phoenix import Frame

FOREIGN = "https://foreign.example"
LIFETIME = 4
"""Seconds that a short-lived token is good for: enough to subscribe."""
_EXPIRED = re.compile(r"Token has expired \d+ seconds ago")
_INSIDE = re.compile(r'Traceback|File "/|\.py\b|\.exs?:\d|postgres(?:ql)?://|password=|SELECT .* FROM', re.IGNORECASE)


@requires("SEC-WS-1")
async def test_sec_ws_1_a_foreign_page(trial: Trial) -> None:
    """A socket from a foreign page carries the user's cookie, as a browser would, and no token: it gets nothing of his.

    That it could have come is shown by the user's own socket.
    """
    there = await room(trial)
    headers = {"Origin": FOREIGN, "Cookie": _cookie(trial, there.second.account)}
    async with socket_of(trial, headers=headers) as foreign, socket_of(trial, there.second) as own:
        await own.subscribed("room", [there.binding()])
        if foreign.handshake.upgraded:
            await foreign.join("room", [there.binding(), _all("messages")])
            await foreign.system("room")
        await there.write("private")
        await _arrives(trial, own, "private")
        await _never(trial, foreign, "private", "a socket with a foreign Origin and the user's cookie")


@requires("SEC-WS-24")
async def test_sec_ws_24_what_is_anothers(trial: Trial) -> None:
    """A stranger joins another's topic with the other's bindings, and asks for all rows: he hears of his own alone."""
    theirs, his = await room(trial), await room(trial)
    victim, topic = theirs.second.user, f"matchmaking:{theirs.second.user}"
    sessions = [{**_all("chat_sessions"), "filter": f"{column}=eq.{victim}"} for column in ("user1_id", "user2_id")]
    async with socket_of(trial, his.second) as stranger, socket_of(trial, theirs.second) as member:
        await member.subscribed("room", [theirs.binding(), _all("chat_sessions")])
        await stranger.subscribed(topic, [*sessions, theirs.binding("*"), _all("messages"), _all("chat_sessions")])
        for there, content in ((theirs, "theirs"), (his, "his")):
            await there.write(content)
            await there.first.end(there.session.id)
        for socket, there, content in ((member, theirs, "theirs"), (stranger, his, "his")):
            await _arrives(trial, socket, content)
            over = await socket.change(lambda data: data.get("type") == "UPDATE")
            must(over, trial, socket, sent=f"the end of session {there.session.id}", came="its member was not told")
        await _never(trial, stranger, "theirs", "a stranger's subscription to everything")
        others = _mentions(stranger, theirs)
        must(
            not others, trial, stranger, sent="a stranger's subscription to everything", came=f"he was told of {others}"
        )


@requires("SEC-WS-25")
async def test_sec_ws_25_who_is_nobody(trial: Trial) -> None:
    """A socket without a user hears of no message and no session, whatever it subscribes to."""
    there = await room(trial)
    async with socket_of(trial) as nobody, socket_of(trial, there.second) as member:
        await nobody.join("room", [there.binding("*"), _all("messages"), _all("chat_sessions")])
        await nobody.system("room")
        await member.subscribed("room", [there.binding()])
        await there.write("private")
        await _arrives(trial, member, "private")
        await _never(trial, nobody, "private", "a socket without a user")
        told = [data_of(one) for one in nobody.frames if one.event == "postgres_changes" and "record" in data_of(one)]
        must(not told, trial, nobody, sent="a socket without a user", came=f"it was told {told}")


@requires("SEC-WS-26")
async def test_sec_ws_26_a_token_that_expires(trial: Trial) -> None:
    """When the token of an open channel runs out, the channel is told so and closed, and nothing comes any more."""
    there = await room(trial)
    async with socket_of(trial, there.second) as short, socket_of(trial, there.second) as long:
        await long.subscribed("room", [there.binding()])
        short.token = minted(trial, there.second, lifetime=LIFETIME)
        await short.subscribed("room", [there.binding()])
        await there.write("before")
        await _arrives(trial, short, "before")
        async with trial.waiting():
            closed = await short.heard(lambda one: one.event == "phx_close", LIFETIME + EVENT)
        told = await short.heard(lambda one: one.event == "system" and _EXPIRED.fullmatch(one.payload["message"]), 0.0)
        must(told, trial, short, sent=f"a token for {LIFETIME} s", came="no system message that it has expired")
        must(closed, trial, short, sent=f"a token for {LIFETIME} s", came="no phx_close when it had expired")
        await there.write("after")
        await _arrives(trial, long, "after")
        await _never(trial, short, "after", "a channel whose token has expired")


@requires("SEC-WS-27")
async def test_sec_ws_27_a_forged_token_on_the_open_socket(trial: Trial) -> None:
    """An anonymous channel is pushed the user's token with another signature: it gets nothing of his."""
    there = await room(trial)
    head, _, signature = there.second.account.access_token.rpartition(".")
    async with socket_of(trial) as forger, socket_of(trial, there.second) as own:
        await own.subscribed("room", [there.binding()])
        join = await forger.join("room", [there.binding(), _all("messages")])
        await forger.push(join.topic, "access_token", {"access_token": f"{head}.{signature[::-1]}"}, join.ref)
        await forger.alive()
        await there.write("private")
        await _arrives(trial, own, "private")
        await _never(trial, forger, "private", "a channel with a forged token")


@requires("SEC-WS-28")
async def test_sec_ws_28_refusals_give_nothing_away(trial: Trial) -> None:
    """What is refused, at the upgrade, at a join, by a filter, by a Close, repeats no token and shows no inside."""
    account = await trial.shared("realtime")
    token, key = account.access_token, trial.target.anon_key
    forged = token[:-4] + token[-4:][::-1]
    async with raw_of(trial, address(trial, apikey=forged)) as refused:
        _gives_nothing_away(trial, refused.handshake.body.decode(errors="replace"), forged, key)
    async with socket_of(trial, account) as socket:
        for bad in (forged, "nonsense"):
            socket.token = bad
            await socket.join("mine")
        socket.token = token
        await socket.join("filters", [{**_all("messages"), "filter": "id=eq.'; select 1 --"}])
        await socket.system("filters")
        await socket.send(frame(b"\xff"), "text that is no UTF-8")
        await socket.over(ANSWER)
        said = [one.payload.decode(errors="replace") for one in socket.messages]
        said.append(socket.closed.close_reason if socket.closed is not None else "")
    _gives_nothing_away(trial, "\n".join(said), forged, key, token)


@requires("SEC-WS-29")
async def test_sec_ws_29_upgrades_that_are_none(trial: Trial) -> None:
    """Another version is refused by naming ours; an upgrade without a key, and a plain GET, become no socket."""
    async with raw_of(trial, headers={"Sec-WebSocket-Version": "99"}) as socket:
        answer = socket.handshake
        named = "13" in answer.headers.get("sec-websocket-version", "")
        must(
            named and 400 <= answer.status < 500,
            trial,
            socket,
            sent="version 99",
            came=f"{answer.status} {answer.headers}",
        )
    without: tuple[dict[str, str | None], ...] = (
        {"Sec-WebSocket-Key": None},
        {"Sec-WebSocket-Key": "too short"},
        {"Upgrade": None, "Connection": None},
    )
    for headers in without:
        async with raw_of(trial, headers=headers) as socket:
            status = socket.handshake.status
            must(400 <= status < 500, trial, socket, sent=f"an upgrade with {headers}", came=f"the answer {status}")


def _all(table: str) -> Binding:
    return {"event": "*", "schema": "public", "table": table}


def _cookie(trial: Trial, account: Account) -> str:
    """The session cookie of the web application (PROTOCOL 3)."""
    label = (urlsplit(trial.target.supabase_url).hostname or "").partition(".")[0]
    session = orjson.dumps({"access_token": account.access_token, "refresh_token": "", "token_type": "bearer"})
    return f"sb-{label}-auth-token=base64-{base64.urlsafe_b64encode(session).decode().rstrip('=')}"


async def _arrives(trial: Trial, socket: RealtimeSocket, content: str) -> Frame:
    """The positive control: who may read this message is told of it."""
    event = await socket.change(said(content))
    must(event, trial, socket, sent=f"a message {content!r}", came=f"its reader was not told within {EVENT:.0f} s")
    assert event is not None
    return event


async def _never(trial: Trial, socket: RealtimeSocket, content: str, what: str) -> None:
    """Called when somebody else has been told: a moment later, and behind an answer, it has not come here."""
    if socket.handshake.upgraded and not socket.ended:
        await socket.until(lambda: False, 2 * SETTLE)
        await socket.alive()
    told = any(content.encode() in one.payload for one in socket.messages)
    must(not told, trial, socket, sent=f"{what}, and a message {content!r} of others", came="it was told to it")


def _mentions(socket: RealtimeSocket, there: Room) -> list[str]:
    """The tables of changes that name another's session."""
    return [
        str(data_of(one).get("table"))
        for one in socket.frames
        if one.event == "postgres_changes" and there.session.id in str(data_of(one))
    ]


def _gives_nothing_away(trial: Trial, text: str, *secrets: str) -> None:
    for secret in secrets:
        whole = secret in text or secret.rpartition(".")[2] in text
        must(not whole, trial, sent="refused requests", came="an answer that repeats a token or a key")
    inside = _INSIDE.search(text)
    must(inside is None, trial, sent="refused requests", came=f"an answer that shows {inside and inside[0]!r}")
