"""Fifty pairs stay connected with audio: nothing leaks, quality is told, and a blackholed pair is noticed."""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections.abc import Iterable
from contextlib import AsyncExitStack, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import orjson
import psutil

from harness.network.loopback import Loopback
from harness.network.nat import KINDS, Turn
from harness.network.vnet.clock import Pace
from harness.network.vnet.lab import VirtualLab
from harness.network.vnet.loop import run
from harness.peer.media import Media
from harness.peer.peer import Peer, PeerState
from harness.peer.ports import Network
from harness.peer.presence import End, Mended, Noticed, Stay, stay
from harness.peer.quality import Quality
from harness.peer.stage import Role
from harness.peer.wire import Wire, wires
from tests.stress.levels import Bound, rises, thirds

SECONDS = float(os.environ.get("PAIRS_SECONDS", "60"))
PAIRS = int(os.environ.get("PAIRS", "50"))
EVERY = max(1.0, SECONDS / 120)
"""Seconds between two samples."""
DEADLINE = 30.0
NOTICED_WITHIN = 5.0
"""Seconds from the first beat that is lost until both sides know: three beats, one a second, and slack."""

BOUNDS = {
    "resident_bytes": Bound(0.05, 8_000_000),
    "open_files": Bound(0.0, 0),
    "threads": Bound(0.0, 1),
    "asyncio_tasks": Bound(0.05, 20),
}


@dataclass
class Pair:
    """Two connected peers, and what they hear of each other."""

    peers: tuple[Peer, Peer]
    wires: tuple[Wire, Wire]
    stays: list[asyncio.Task[Stay]] = field(default_factory=list)

    def stays_until(self, over: asyncio.Event) -> None:
        """Both sides beat from now on."""
        self.stays = [
            asyncio.create_task(stay(peer, wire, over)) for peer, wire in zip(self.peers, self.wires, strict=True)
        ]


def test_fifty_pairs_with_audio_hold(folder: Path) -> None:
    """All stay connected from beginning to end, without an outage; what the process holds is level, and goes again.

    One more pair lives on the virtual network. Its line is cut without a word: both sides know within five seconds of
    the first beat that was lost, and of the path's return, too.
    """
    report = run(lambda _: held(), Pace.REAL)
    (folder / "samples.json").write_bytes(orjson.dumps(report, option=orjson.OPT_INDENT_2))
    print({name: one for name, one in report.items() if name not in {"samples", "quality", "outages"}})  # noqa: T201  for -s
    assert report["ends"] == {End.TIME.value: 2 * PAIRS}
    assert report["outages"] == [], f"or this process had too little of a core ({report['cpu_share']:.0%} of one)"
    assert {figure: pair for figure, pair in report["levels"].items() if rises(pair, BOUNDS[figure])} == {}
    assert report["after"] == report["before"]
    assert [len(side) for side in report["quality"]] == [PAIRS, PAIRS]
    assert all(None not in one.values() for side in report["quality"] for one in side)
    for outage in report["blackhole"]["outages"]:
        assert (outage["noticed"], outage["mended"]) == (Noticed.HEARTBEAT.value, Mended.ITSELF.value)
        assert outage["seconds_to_notice"] <= NOTICED_WITHIN


async def held() -> dict[str, Any]:
    """The whole run, and what was seen of it."""
    await warmed_up()
    before = kept()
    async with AsyncExitStack() as stack:
        over = asyncio.Event()
        pairs = [await connected(stack, Loopback(), Loopback()) for _ in range(PAIRS)]
        for pair in pairs:
            pair.stays_until(over)
        blackhole = asyncio.create_task(blackholed(over))
        began, spent = time.monotonic(), time.process_time()
        samples = await sampled(began)
        over.set()
        stays = [await one for pair in pairs for one in pair.stays]
        report = {
            "pairs": PAIRS, "seconds": round(time.monotonic() - began, 1),
            "cpu_share": round((time.process_time() - spent) / (time.monotonic() - began), 2),
            "quality_medians": medians([peer.quality() for pair in pairs for peer in pair.peers]),
            "quality": [[shown(pair.peers[side].quality()) for pair in pairs] for side in (0, 1)],
            "ends": counted(one.end.value for one in stays),
            "outages": [asdict(outage) for one in stays for outage in one.outages],
            "blackhole": await blackhole,
            "levels": {figure: thirds([sample[figure] for sample in samples]) for figure in BOUNDS},
            "samples": samples,
        }  # fmt: skip
    return report | {"before": before, "after": await settled(before)}


# ---------------------------------------------------------------- pairs


async def connected(stack: AsyncExitStack, here: Network, there: Network) -> Pair:
    """A pair with audio both ways, which stands until the stack is left."""
    left, right = wires()
    one = await stack.enter_async_context(Peer(Role.OFFERER, here, media=Media.AUDIO))
    other = await stack.enter_async_context(Peer(Role.ANSWERER, there, media=Media.AUDIO))
    results = await asyncio.gather(one.connect(left, DEADLINE), other.connect(right, DEADLINE))
    assert all(result.connected for result in results), results
    return Pair((one, other), (left, right))


async def warmed_up() -> None:
    """What a process keeps from its first pair on: the threads of the executor, modules, the loop's own files."""
    async with AsyncExitStack() as stack:
        await connected(stack, Loopback(), Loopback())
    async with VirtualLab():
        pass


async def blackholed(over: asyncio.Event) -> dict[str, Any]:
    """A pair behind NATs of ours: its line is cut after a third of the time, and heals when both sides know."""
    kind = KINDS["portrestricted"]
    async with VirtualLab() as lab, AsyncExitStack() as stack:
        here, there = (stack.enter_context(lab.place(kind, Turn.NONE)) for _ in range(2))
        pair = await connected(stack, here, there)
        missed = [states(peer) for peer in pair.peers]
        pair.stays_until(over)
        await passed(SECONDS / 3)
        here.cut()
        cut = [peer.spans.now() for peer in pair.peers]
        async with asyncio.timeout(DEADLINE):
            for one in missed:
                await one[PeerState.DISCONNECTED].wait()
        here.heal()
        async with asyncio.timeout(DEADLINE):
            for one in missed:
                await one[PeerState.CONNECTED].wait()
        stays = [await one for one in pair.stays]
        return {
            "outages": [
                {"seconds_to_notice": round(outage.at - moment, 3), "seconds": outage.seconds,
                 "noticed": outage.noticed.value, "mended": outage.mended.value}
                for moment, one in zip(cut, stays, strict=True) for outage in one.outages
            ],
            "quality": [shown(peer.quality()) for peer in pair.peers],
        }  # fmt: skip


def states(peer: Peer) -> dict[PeerState, asyncio.Event]:
    """An event for each state that the peer enters from now on."""
    entered = {state: asyncio.Event() for state in PeerState}
    peer.changed = lambda state: entered[state].set()
    return entered


# ---------------------------------------------------------------- what is held


async def sampled(began: float) -> list[dict[str, float]]:
    """A sample every `EVERY` seconds, for as long as the run lasts."""
    samples: list[dict[str, float]] = []
    while len(samples) * EVERY < SECONDS:
        await passed(began + EVERY * (len(samples) + 1) - time.monotonic())
        at, resident = time.monotonic() - began, psutil.Process().memory_info().rss
        samples.append({"at": at, "late": at - EVERY * (len(samples) + 1), "resident_bytes": resident, **kept()})
    return samples


async def passed(seconds: float) -> None:
    """The run goes on for so long."""
    await asyncio.sleep(max(0.0, seconds))


def kept() -> dict[str, float]:
    """What must be gone when the pairs are."""
    process = psutil.Process()
    return {
        "open_files": process.num_fds(),
        "threads": process.num_threads(),
        "asyncio_tasks": len(asyncio.all_tasks()),
    }


async def settled(before: dict[str, float]) -> dict[str, float]:
    """What is held when all is closed; closed transports give their files back at one of the loop's next turns."""
    with suppress(TimeoutError):
        async with asyncio.timeout(DEADLINE):
            while kept() != before:
                gc.collect()
                await asyncio.sleep(0)
    return kept()


# ---------------------------------------------------------------- what is told


def shown(quality: Quality) -> dict[str, float | None]:
    """As the report has it: seconds, and shares from 0 to 1."""
    return {"rtt": quality.rtt, "jitter": quality.jitter, "loss": quality.loss, "mos": quality.mos}


def medians(all_of_them: list[Quality]) -> dict[str, float]:
    """The median of each figure."""
    told = [shown(one) for one in all_of_them]
    return {name: round(median(one[name] for one in told if one[name] is not None), 6) for name in told[0]}


def counted(names: Iterable[str]) -> dict[str, int]:
    """How often each comes."""
    found: dict[str, int] = {}
    for name in names:
        found[name] = found.get(name, 0) + 1
    return found
