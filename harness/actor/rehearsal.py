"""The signals of a handshake without a peer behind them: the same messages, with small bodies."""

from __future__ import annotations

import asyncio

from harness.peer.ports import Incoming, SignalPort
from harness.peer.stage import Role, Stage

_SDP = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=rehearsal\r\nt=0 0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"
_CANDIDATE = {"candidate": "candidate:1 1 udp 2130706431 127.0.0.1 9 typ host", "sdpMid": "0", "sdpMLineIndex": 0}
_END = {"candidate": "", "sdpMid": "0", "sdpMLineIndex": 0}


async def rehearse(signals: SignalPort, role: Role, deadline: float) -> Stage:
    """Exchanges descriptions and candidates as a peer would, without making a connection.

    Returns:
        `connected` when the other side's description and end of candidates came, `aborted` when the session was ended
        before, `signalling-lost` when `deadline` seconds were over first.
    """
    exchange = asyncio.create_task(_exchange(signals, role))
    ended = asyncio.create_task(signals.ended.wait())
    try:
        await asyncio.wait((exchange, ended), timeout=deadline, return_when=asyncio.FIRST_COMPLETED)
        if exchange.done():
            return exchange.result()
        return Stage.ABORTED if ended.done() else Stage.SIGNALLING_LOST
    finally:
        exchange.cancel()
        ended.cancel()
        await asyncio.gather(exchange, ended, return_exceptions=True)


async def _exchange(signals: SignalPort, role: Role) -> Stage:
    if role is Role.OFFERER:
        await _describe(signals, "offer")
    described = finished = False
    while not (described and finished):
        signal = await signals.receive()
        if signal.kind == "call-ended":
            return Stage.ABORTED
        if signal.kind == "offer" and role is Role.ANSWERER and not described:
            await _describe(signals, "answer")
        described = described or signal.kind in {"offer", "answer"}
        finished = finished or _is_end(signal)
    return Stage.CONNECTED


async def _describe(signals: SignalPort, kind: str) -> None:
    await signals.send(kind, **{kind: {"type": kind, "sdp": _SDP}})
    await signals.send("ice-candidate", candidate=_CANDIDATE)
    await signals.send("ice-candidate", candidate=_END)


def _is_end(signal: Incoming) -> bool:
    candidate = signal.body.get("candidate")
    return signal.kind == "ice-candidate" and isinstance(candidate, dict) and not candidate.get("candidate")
