"""The signals of two calls at once: more than a handshake needs, in both directions, some before their description."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from conformance.outcome import NotOffered
from conformance.trial import Trial
from harness.client.signalling import SignalChannel

CALLS = 2
EARLY = 5
"""Candidates that each member sends before his description."""
BURST = 50
"""Candidates that follow it, as fast as they are taken."""
SIGNALS = EARLY + 1 + BURST
"""Signals of one member of a call."""
_OFFER_PATIENCE = 30.0
"""Seconds that an answerer waits for the offer; one that is lost shows in the history."""


async def exchange(trial: Trial) -> None:
    """Two pairs meet, and each exchanges a handshake and its candidates; nobody hangs up before all came.

    Raises:
        NotOffered: without push, signals are fetched by who asks for them.
        Inconclusive: the target does not bring them together.
    """
    channels = await calls(trial, CALLS)
    await asyncio.gather(*(_converse(trial, offerer, answerer) for offerer, answerer in channels))


async def calls(trial: Trial, count: int) -> list[tuple[SignalChannel, SignalChannel]]:
    """So many pairs in sessions of their own, with the channel of each member, not yet open. Raises as `exchange`."""
    if not trial.target.capabilities.push:
        raise NotOffered("without push there is no channel that could lose a signal")
    people = await trial.crowd(2 * count)
    await asyncio.gather(*(person.connect() for person in people))
    pairs = list(zip(people[::2], people[1::2], strict=True))
    async with trial.queue(keep_sessions=True):
        sessions = [await trial.pair(first, second) for first, second in pairs]
    return [
        (second.signalling(session), first.signalling(session))
        for (first, second), session in zip(pairs, sessions, strict=True)
    ]


async def _converse(trial: Trial, offerer: SignalChannel, answerer: SignalChannel) -> None:
    """The answerer comes when the first candidates have been sent already."""
    await offerer.open()
    await _candidates(offerer, EARLY)
    await answerer.open()
    _, heard = await asyncio.gather(_offer(offerer), _answer(answerer))
    patience = trial.budgets.notify + trial.budgets.tolerance
    await asyncio.gather(_hear(offerer, SIGNALS, patience), _hear(answerer, SIGNALS - heard, patience))


async def _offer(channel: SignalChannel) -> None:
    await channel.send("offer", offer={"type": "offer", "sdp": "v=0"})
    await _candidates(channel, BURST)


async def _answer(channel: SignalChannel) -> int:
    """Answers the offer; returns how many signals came up to it."""
    await _candidates(channel, EARLY)
    heard = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(_OFFER_PATIENCE):
            while True:
                heard += 1
                if (await channel.receive(_OFFER_PATIENCE)).kind == "offer":
                    break
            await channel.send("answer", answer={"type": "answer", "sdp": "v=0"})
    await _candidates(channel, BURST)
    return heard


async def _candidates(channel: SignalChannel, count: int) -> None:
    for number in range(count):
        candidate = f"candidate:{number} 1 udp 1 192.0.2.1 9 typ host"
        await channel.send("ice-candidate", candidate={"candidate": candidate, "sdpMid": "0", "sdpMLineIndex": 0})


async def _hear(channel: SignalChannel, count: int, patience: float) -> None:
    """Takes what comes, until all came or `patience` is over: what is missing shows in the history."""
    with suppress(TimeoutError):
        async with asyncio.timeout(patience):
            for _ in range(count):
                await channel.receive(patience)
