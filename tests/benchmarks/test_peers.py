"""How many pairs a second one core connects: bare aiortc, and our peer with everything it watches.

Run alone: `pytest tests/benchmarks/test_peers.py`. Both run in turns in one process, so that a busy machine slows both.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection

from harness.network.loopback import Loopback
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


async def processor_time(pair: Callable[[], Awaitable[None]]) -> float:
    """Seconds of the processor for all pairs, some at a time: on a busy machine the clock on the wall says little."""
    began = time.process_time()
    for _ in range(PAIRS // AT_ONCE):
        await asyncio.gather(*(pair() for _ in range(AT_ONCE)))
    return time.process_time() - began


async def in_turns() -> dict[str, float]:
    """Pairs a second of one core, each the median of its rounds."""
    await processor_time(bare_pair)
    await processor_time(our_pair)
    rounds = [(await processor_time(bare_pair), await processor_time(our_pair)) for _ in range(ROUNDS)]
    bare, ours = (PAIRS / statistics.median(times) for times in zip(*rounds, strict=True))
    return {"bare_pairs_per_second": round(bare, 1), "our_pairs_per_second": round(ours, 1), "share": ours / bare}


def test_our_peer_keeps_up_with_bare_aiortc(benchmark: Any) -> None:
    """Reports the share of bare aiortc's pairs that our peer makes: the rest is what it does beside aiortc."""
    figures = benchmark.pedantic(lambda: asyncio.run(in_turns()), rounds=1)
    benchmark.extra_info.update(figures)
    print(figures)  # noqa: T201 — shown with -s
