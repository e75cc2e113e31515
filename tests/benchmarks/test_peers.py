"""How many pairs a second one core connects: bare aiortc, our peer, and the whole journey through a server.

Run alone: `pytest -s tests/benchmarks/test_peers.py`. All take turns in one process, so that a busy machine slows all.
This process keeps to one core, where there are several; the server and its database, which are processes of their own,
have the others. Pairs a second are those per second of this process's processor time: journeys wait for the target
and talk for a while, which costs nothing, and with enough of them at once the core is never idle.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection

from harness.actor.pairing import run_pairs
from harness.actor.peers_plan import PeersPlan
from harness.checkers.figures import pairs_of
from harness.history.op import Op
from harness.history.recorder import Recorder
from harness.lab.deployment import deployment
from harness.lab.postgres import embedded_postgres
from harness.network.loopback import Loopback
from harness.target import Target
from tests.harness.peer.wire import both, wires

ROUNDS, PAIRS, AT_ONCE = 5, 20, 10


async def bare_pair() -> None:
    """Two peer connections that exchange whole descriptions and one message each way."""
    options = RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
    one, other = RTCPeerConnection(options), RTCPeerConnection(options)
    echoed = asyncio.Event()
    channel = one.createDataChannel("bare")
    channel.on("open", lambda: channel.send("there"))
    channel.on("message", lambda _: echoed.set())
    other.on("datachannel", lambda theirs: theirs.on("message", theirs.send))
    try:
        with Loopback().attached():
            await one.setLocalDescription()
            await other.setRemoteDescription(one.localDescription)
            await other.setLocalDescription()
            await one.setRemoteDescription(other.localDescription)
        await asyncio.wait_for(echoed.wait(), 30)
    finally:
        await asyncio.gather(one.close(), other.close())


async def our_pair() -> None:
    """Two of our peers, over signals in memory."""
    results = await both(*wires(), deadline=30)
    assert all(result.connected for result in results), results


@dataclass(frozen=True)
class Spent:
    """Seconds that a round took: of this process's processor time, and of the wall."""

    processor: float
    wall: float


@contextmanager
def stopwatch() -> Iterator[Callable[[], Spent]]:
    """Gives what has been spent since."""
    began, wall = time.process_time(), time.monotonic()
    yield lambda: Spent(time.process_time() - began, time.monotonic() - wall)


async def some_at_a_time(pair: Callable[[], Awaitable[None]]) -> Spent:
    """A round of pairs."""
    with stopwatch() as spent:
        for _ in range(PAIRS // AT_ONCE):
            await asyncio.gather(*(pair() for _ in range(AT_ONCE)))
        return spent()


async def journeys(target: Target, seed: int) -> Spent:
    """A round of pairs of users, who sign up, join, are matched, signal, connect, talk for a second and end."""
    ops: list[Op] = []
    with stopwatch() as spent:
        await run_pairs(
            target, Recorder(SimpleNamespace(append=ops.append)), PeersPlan(pairs=PAIRS, seed=seed, concurrency=PAIRS)
        )
        took = spent()
    seen = pairs_of(ops)
    assert (seen.attempted, seen.connected) == (PAIRS, PAIRS), seen
    return took


async def in_turns() -> dict[str, float]:
    """Pairs a second of one core, each the median of its rounds."""
    await some_at_a_time(bare_pair)
    await some_at_a_time(our_pair)
    rounds = [
        ((await some_at_a_time(bare_pair)).processor, (await some_at_a_time(our_pair)).processor)
        for _ in range(ROUNDS)
    ]  # fmt: skip
    bare, ours = (PAIRS / statistics.median(times) for times in zip(*rounds, strict=True))
    return {"bare_pairs_per_second": round(bare, 1), "our_pairs_per_second": round(ours, 1), "share": ours / bare}


def test_our_peer_keeps_up_with_bare_aiortc(benchmark: Any) -> None:
    """On loopback, our peer connects at least 60 % of the pairs that bare aiortc does on the same core."""
    figures = benchmark.pedantic(lambda: asyncio.run(in_turns()), rounds=1)
    benchmark.extra_info.update(figures)
    print(figures)  # noqa: T201 — shown with -s


async def with_a_server(folder: Path) -> dict[str, float | str]:
    """Bare pairs and whole journeys in turns, and what each costs."""
    async with beside(folder) as (target, cores):
        await some_at_a_time(bare_pair)
        await journeys(target, 0)
        rounds = [(await some_at_a_time(bare_pair), await journeys(target, 1 + n)) for n in range(ROUNDS)]
    bare, whole = ([spent.processor for spent in times] for times in zip(*rounds, strict=True))
    per_second = [PAIRS / statistics.median(times) for times in (bare, whole)]
    return {
        "bare_pairs_per_second": round(per_second[0], 1),
        "journeys_per_second": round(per_second[1], 1),
        "share": round(per_second[1] / per_second[0], 3),
        "journeys_per_second_of_the_wall": round(PAIRS / statistics.median(took.wall for _, took in rounds), 1),
        "cores": cores,
    }


@asynccontextmanager
async def beside(folder: Path) -> AsyncIterator[tuple[Target, str]]:
    """The hardened engine on all cores but one, and this process on that one; says how the cores were shared."""
    cores = sorted(os.sched_getaffinity(0))
    ours, theirs = cores[:1], cores[1:] or cores
    os.sched_setaffinity(0, theirs)  # what is started from here on stays there
    try:
        with embedded_postgres() as cluster:
            async with deployment("hardened", cluster, folder / "server.log") as deployed:
                os.sched_setaffinity(0, ours)
                yield deployed.target, f"generator on {ours}, server and PostgreSQL on {theirs}"
    finally:
        os.sched_setaffinity(0, cores)


def test_the_whole_journey_beside_bare_pairs(benchmark: Any, tmp_path: Path) -> None:
    """Join, match, signal and data both ways through the reference server, beside bare pairs: the ratio is told.

    Every user of every round must connect.
    """
    figures = benchmark.pedantic(lambda: asyncio.run(with_a_server(tmp_path)), rounds=1)
    benchmark.extra_info.update(figures)
    print(figures)  # noqa: T201 — shown with -s
