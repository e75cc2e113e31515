"""SEC-WS-20 to SEC-WS-23: sockets that are slow, silent, greedy, or talk nonsense."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from conformance.outcome import Inconclusive
from conformance.scenario import requires
from conformance.trial import Trial
from conformance.websocket.hostile import bystander, served_while
from conformance.wire.frames import frame
from conformance.wire.realtime import ANSWER, RealtimeSocket, must, socket_of
from conformance.wire.socket import SocketLost
from harness.protocol.phoenix import Frame, encode, heartbeat

DRIPS = 8
"""Sockets that send one byte at a time."""
PACE = 0.01
"""Seconds between two bytes, so that each comes alone."""
JOINS = 400
"""Joins in one go; a browser's page makes two."""
SWEEP = 6.0
"""Seconds by which a silent socket may outstay its time: servers look for them every few seconds."""
HELD_UP = 0.4
"""Seconds: servers of short budgets ask every second whether a client is there, and wait for about as long."""
_ODD: tuple[Any, ...] = (
    None,
    0,
    "x",
    [],
    [[]],
    True,
    {"config": []},
    {"config": "x"},
    {"config": {"postgres_changes": 1}},
)


@requires("SEC-WS-20")
async def test_sec_ws_20_one_byte_at_a_time(trial: Trial) -> None:
    """While several sockets send a frame byte by byte, others are answered; and the frames are read when whole."""
    data = frame(encode(heartbeat("drip"), "2.0.0").encode())
    async with bystander(trial) as other:
        await served_while(trial, other, asyncio.gather(*(_drip(trial, data) for _ in range(DRIPS))))


@requires("SEC-WS-21")
async def test_sec_ws_21_silent_sockets_are_closed(trial: Trial) -> None:
    """A socket whose client says nothing is closed when its time is over; one that beats stays."""
    idle = trial.budgets.idle
    async with trial.waiting(), socket_of(trial) as silent, socket_of(trial) as beating:
        await silent.join("silent")
        gaps: list[float] = []
        lags: list[float] = []
        beside = [asyncio.create_task(_beat(beating, idle / 3, gaps)), asyncio.create_task(_lag(lags))]
        try:
            over = await silent.over(idle + SWEEP + trial.budgets.tolerance)
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
        if max(gaps, default=0.0) > idle / 2:
            raise Inconclusive(f"held up: {max(gaps):.1f} s went by from one answered heartbeat to the next")
        if beating.ended and max(lags, default=0.0) > HELD_UP:
            raise Inconclusive(f"we were held up ourselves for {max(lags):.1f} s, and may have answered too late")
        must(over, trial, silent, sent=f"nothing for {idle + SWEEP:.0f} s", came="the socket stayed open")
        stays = not beating.ended and await beating.alive()
        must(stays, trial, beating, sent=f"a heartbeat every {idle / 3:.0f} s", came=beating.end)


@requires("SEC-WS-22")
async def test_sec_ws_22_a_flood_of_joins(trial: Trial) -> None:
    """Hundreds of joins in one go cost nobody else his answer; the flooder is answered, or closed."""
    async with bystander(trial) as other, socket_of(trial) as flooder:
        with suppress(SocketLost):
            refs = [await flooder.ask_to_join(f"flood:{number}") for number in range(JOINS)]
            answered = await served_while(trial, other, flooder.reply(refs[-1]))
            must(
                answered or flooder.ended, trial, flooder, sent=f"{JOINS} joins in one go", came="the last stayed open"
            )
        join = await other.join("after-the-flood")
        must(join.ok, trial, other, sent="somebody else's join after the flood", came=f"the refusal {join.reason}")


@requires("SEC-WS-23")
async def test_sec_ws_23_nonsense_in_the_right_form(trial: Trial) -> None:
    """Payloads of every wrong type, on every event, are answered or dropped: the socket and all others go on."""
    async with bystander(trial), socket_of(trial) as socket:
        join = await socket.join("sense")
        for event in ("phx_join", "access_token", "broadcast", "presence", "phx_leave", "no_such_event"):
            for payload in _ODD:
                topic = "realtime:other" if event == "phx_join" else join.topic
                await socket.text(encode(Frame(topic, event, payload, "n", join.ref), "2.0.0"))
            alive = await socket.alive(ANSWER)
            must(alive, trial, socket, sent=f"{event} with payloads of every wrong type", came=socket.end)
            join = await socket.join("sense")


async def _drip(trial: Trial, data: bytes) -> None:
    async with socket_of(trial) as socket:
        with socket.unfinished():
            for byte in data:
                await socket.drip(bytes((byte,)))
                await asyncio.sleep(PACE)
        reply = await socket.reply("drip")
        if reply is None and socket.late:
            raise Inconclusive("we were held up ourselves, and could not answer a ping in time")
        must(reply, trial, socket, sent="a heartbeat byte by byte", came=f"no answer; {socket.end}")


async def _beat(socket: RealtimeSocket, every: float, gaps: list[float]) -> None:
    """Beats for as long as it is answered, and notes the seconds from one answer to the next."""
    clock = asyncio.get_running_loop().time
    last = clock()
    answered = True
    while answered:
        answered = await socket.alive()
        gaps.append(clock() - last)
        last = clock()
        await asyncio.sleep(every)


async def _lag(lags: list[float]) -> None:
    """Notes by how many seconds this loop wakes too late: that long nothing is read or answered here."""
    clock = asyncio.get_running_loop().time
    while True:
        due = clock() + HELD_UP / 4
        await asyncio.sleep(HELD_UP / 4)
        lags.append(clock() - due)
