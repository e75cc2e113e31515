"""How many pairs a second one core connects: bare aiortc, our peer, and the whole journey through a server.

Run alone: `pytest -s tests/benchmarks/test_peers.py`. All take turns in one process and on uvloop, so that a busy
machine slows all. This process keeps to one core, where there are several; the server and its database, which are
processes of their own, have the others. Pairs a second are those per second of this process's processor time: journeys
wait for the target, which costs nothing, and with enough of them at once the core is never idle.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import uvloop
from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection

from harness.actor.journey import Span
from harness.actor.persona import Persona
from harness.actor.scene import Scene
from harness.actor.virtual_user import VirtualUser
from harness.client.participant import Transport
from harness.history.op import Op
from harness.history.quiet_memory import search_less_for_garbage
from harness.history.recorder import Recorder
from harness.lab.deployment import deployment
from harness.lab.postgres import embedded_postgres
from harness.network.loopback import Loopback
from harness.target import Target
from tests.benchmarks.cores import cores_apart, kept_to
from tests.harness.peer.wire import both, wires

ROUNDS, PAIRS, AT_ONCE = 5, 20, 10
TURNS = 21
"""Rounds of bare pairs and journeys."""
T = TypeVar("T")


class BarePair:
    """Two peer connections that exchange whole descriptions and one message each way."""

    async def connect(self) -> None:
        """Makes both, and returns when data went both ways."""
        options = RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        one, other = self.both = RTCPeerConnection(options), RTCPeerConnection(options)
        echoed = asyncio.Event()
        channel = one.createDataChannel("bare")
        channel.on("open", lambda: channel.send("there"))
        channel.on("message", lambda _: echoed.set())
        other.on("datachannel", lambda theirs: theirs.on("message", theirs.send))
        with Loopback().attached():
            await one.setLocalDescription()
            await other.setRemoteDescription(one.localDescription)
            await other.setLocalDescription()
            await one.setRemoteDescription(other.localDescription)
        await asyncio.wait_for(echoed.wait(), 30)

    async def close(self) -> None:
        """Ends both."""
        await asyncio.gather(*(one.close() for one in self.both))


async def bare_pair() -> None:
    """A bare pair, from its making to its end."""
    pair = BarePair()
    await pair.connect()
    await pair.close()


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


async def bare_pairs() -> Spent:
    """A round of bare pairs at once: all are connected, carry data both ways, and are closed when the last has."""
    pairs = [BarePair() for _ in range(PAIRS)]
    with stopwatch() as spent:
        await asyncio.gather(*(pair.connect() for pair in pairs))
        await asyncio.gather(*(pair.close() for pair in pairs))
        return spent()


@dataclass(frozen=True)
class Journeys:
    """What a round of them took: before the joins, from there to the end of the peer connections, and afterwards."""

    entering: Spent
    """Sign-up, and the opening of the socket."""
    journey: Spent
    """Join, match, subscriptions, signals, data both ways, and the closing of the peer connections, as of bare pairs.

    The users are those of `gurukul peers`.
    """
    leaving: Spent
    """The closing of the sockets; nobody hangs up before."""


class Watched:
    """A round of users whose connections are counted as they come to stand."""

    def __init__(self, transport: Transport) -> None:
        self.ops: list[Op] = []
        self.all_connected = asyncio.Event()
        self._connected = 0
        recorder = Recorder(SimpleNamespace(append=self.ops.append))
        persona = Persona(name="pair", talk=(60.0, 60.0), peer_share=1.0, handshake=30.0, patience=30.0)
        self.scene = Scene(transport, recorder, persona, Loopback(), report=self._note)

    def _note(self, span: Span) -> None:
        assert not span.error, span
        self._connected += span.name == "connect"
        if self._connected == 2 * PAIRS:
            self.all_connected.set()


async def journeys(transport: Transport, seed: int) -> Journeys:
    """A round of users who have entered beforehand; their connections are closed when the last has data both ways."""
    round_ = Watched(transport)
    with stopwatch() as spent:
        users = await asyncio.gather(*(VirtualUser.enter(round_.scene, seed + n) for n in range(2 * PAIRS)))
        entering = spent()
    with stopwatch() as spent:
        now = round_.scene.recorder.now()
        plays = [asyncio.create_task(user.play(now, lambda: None)) for user in users]
        await asyncio.wait_for(round_.all_connected.wait(), 60)
        await asyncio.gather(*(user.disconnect() for user in users))
        journey = spent()
    for play in plays:
        play.cancel()
    assert all(isinstance(end, asyncio.CancelledError) for end in await asyncio.gather(*plays, return_exceptions=True))
    with stopwatch() as spent:
        await asyncio.gather(*(user.close() for user in users))
        leaving = spent()
    return Journeys(entering, journey, leaving)


def on_uvloop(work: Coroutine[Any, Any, T]) -> T:
    """Runs it on the loop that `gurukul peers` and swarms have, and with garbage searched for as seldom as there."""
    gc.collect()
    search_less_for_garbage()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


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
    figures = benchmark.pedantic(lambda: on_uvloop(in_turns()), rounds=1)
    benchmark.extra_info.update(figures)
    print(figures)  # noqa: T201 — shown with -s


async def with_a_server(folder: Path) -> dict[str, float | str]:
    """Bare pairs and whole journeys in turns, and what each costs."""
    async with beside(folder) as (target, cores), Transport(target) as transport:
        await bare_pairs()
        await journeys(transport, 0)
        rounds = [(await bare_pairs(), await journeys(transport, 1 + n)) for n in range(TURNS)]
    bare = [alone.processor for alone, _ in rounds]
    whole = [visit.journey.processor for _, visit in rounds]
    entered = [visit.entering.processor + visit.journey.processor for _, visit in rounds]
    return {
        "bare_pairs_per_second": per_second(bare),
        "journeys_per_second": per_second(whole),
        "share": share(bare, whole),
        "journeys_with_entering_per_second": per_second(entered),
        "share_with_entering": share(bare, entered),
        "leaving_ms": round(1000 * statistics.median(visit.leaving.processor for _, visit in rounds) / PAIRS, 2),
        "journeys_per_second_of_the_wall": per_second([visit.journey.wall for _, visit in rounds]),
        "cores": cores,
    }


def per_second(times: list[float]) -> float:
    """Pairs a second, by the median of rounds."""
    return round(PAIRS / statistics.median(times), 1)


def share(bare: list[float], whole: list[float]) -> float:
    """Whole journeys per bare pair: the median over pairs of rounds, each beside its neighbour."""
    return round(statistics.median(alone / all_ for alone, all_ in zip(bare, whole, strict=True)), 3)


@asynccontextmanager
async def beside(folder: Path) -> AsyncIterator[tuple[Target, str]]:
    """The hardened engine on all cores but one, and this process on that one; says how the cores were shared."""
    ours, theirs = cores_apart()
    with kept_to(theirs), embedded_postgres() as cluster:
        async with deployment("hardened", cluster, folder / "server.log") as deployed:
            with kept_to(ours):
                yield deployed.target, f"generator on {ours}, server and PostgreSQL on {theirs}"


def test_the_whole_journey_beside_bare_pairs(benchmark: Any, tmp_path: Path) -> None:
    """Join, match, signal and data both ways through the reference server, beside bare pairs: the ratio is told.

    Every user of every round must connect.
    """
    figures = benchmark.pedantic(lambda: on_uvloop(with_a_server(tmp_path)), rounds=1)
    benchmark.extra_info.update(figures)
    print(figures)  # noqa: T201 — shown with -s
