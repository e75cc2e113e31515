"""RT-1 to RT-4: how a socket is opened, and how it is refused."""

from __future__ import annotations

from typing import Any

from conformance.scenario import requires
from conformance.trial import Trial
from conformance.wire.handshake import Handshake, accept_value
from conformance.wire.realtime import ANSWER, RealtimeSocket, address, must, note_of, raw_of
from harness.protocol.phoenix import Vsn

GATEWAY = ("No API key found in request", "Invalid API key", "Invalid authentication credentials")
"""What the gateway in front of Realtime says of a missing or bad key, where it looks at keys itself (PROTOCOL 2.3)."""
_SPOKEN: tuple[tuple[str | None, Vsn], ...] = ((None, "1.0.0"), ("1.0.0", "1.0.0"), ("2.0.0", "2.0.0"))


@requires("RT-1")
async def test_rt_1_no_key_no_socket(trial: Trial) -> None:
    """An upgrade without an API key is refused, and the body says why."""
    await _refused(trial, None, "no API key", "API key is missing", *GATEWAY[:1])


@requires("RT-2")
async def test_rt_2_a_bad_key_is_named(trial: Trial) -> None:
    """A key that is no token, and one with another's signature, are refused each in its own words."""
    head, _, signature = trial.target.anon_key.rpartition(".")
    await _refused(trial, "nonsense", "a key that is no token", "The token provided is not a valid JWT", *GATEWAY[1:])
    if head:
        forged = f"{head}.{signature[::-1]}"
        await _refused(trial, forged, "a forged key", "Failed to validate JWT signature", *GATEWAY[1:])


@requires("RT-3")
async def test_rt_3_the_handshake_is_the_standards(trial: Trial) -> None:
    """The accept value is right, and nothing is agreed on that was not offered."""
    async with raw_of(trial) as socket:
        headers = socket.handshake.headers
        right = headers.get("sec-websocket-accept") == accept_value()
        must(
            right, trial, socket, sent="an upgrade", came=f"{socket.handshake.status} without its Sec-WebSocket-Accept"
        )
        for name in ("sec-websocket-extensions", "sec-websocket-protocol"):
            must(
                name not in headers, trial, socket, sent="an upgrade that offers nothing", came=f"an answer with {name}"
            )


@requires("RT-4")
async def test_rt_4_without_a_version_frames_are_objects(trial: Trial) -> None:
    """Who names no `vsn` speaks 1.0.0; who names one speaks that."""
    for asked, spoken in _SPOKEN:
        async with RealtimeSocket(address(trial, vsn=asked), note_of(trial), vsn=spoken) as socket:
            answered = await socket.alive(ANSWER)
            must(
                answered,
                trial,
                socket,
                sent=f"a heartbeat of {spoken} with vsn={asked}",
                came=f"no answer; {socket.end}",
            )


async def _refused(trial: Trial, key: str | None, what: str, *texts: str) -> None:
    async with raw_of(trial, address(trial, apikey=key)) as socket:
        answer = socket.handshake
        refused = answer.status == 401 and _text(answer) in texts
        must(refused, trial, socket, sent=f"an upgrade with {what}", came=f"the answer {answer.described}")


def _text(answer: Handshake) -> Any:
    body = answer.json if isinstance(answer.json, dict) else {}
    return body.get("error", body.get("message"))
