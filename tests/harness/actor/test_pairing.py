"""Pairs against a real server."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.actor.pairing import PairProgress, run_pairs
from harness.actor.peers_plan import PeersPlan
from harness.checkers.figures import pairs_of
from harness.errors import Trouble
from harness.history.op import Op
from harness.history.recorder import Recorder
from harness.lab.server import running_server
from harness.target import Budgets, Target

NOWHERE = Target(name="nowhere", api_url="http://127.0.0.1:9/api", supabase_url="http://127.0.0.1:9", anon_key="k")


def recorder(ops: list[Op]) -> Recorder:
    return Recorder(SimpleNamespace(append=ops.append))


@pytest.fixture
async def hardened(database_url: str, tmp_path: Path):
    """The hardened engine on a fresh database."""
    async with running_server("hardened", database_url, tmp_path / "server.log") as server:
        yield Target(
            name="hardened", api_url=server.api_url, supabase_url=server.supabase_url, anon_key=server.anon_key,
            budgets=Budgets(poll_interval=0.5, match=0.2, tolerance=0.1),
        )  # fmt: skip


async def test_every_pair_connects_and_a_cut_run_leaves_no_task(hardened):
    """All pairs make a real connection through the target; a run that is cancelled afterwards cleans up."""
    ops: list[Op] = []
    heard: list[tuple[int, int]] = []

    def told(now: PairProgress) -> None:
        heard.append((now.finished, now.connected))

    await run_pairs(hardened, recorder(ops), PeersPlan(pairs=3, concurrency=3), progress=told)
    pairs = pairs_of(ops)
    assert (pairs.attempted, pairs.connected, pairs.failures_by_stage) == (3, 3, {})
    assert heard[-1] == (3, 6)
    assert [op.op for op in ops].count("drain") == 1

    before = asyncio.all_tasks()
    joined = asyncio.Event()

    def note(op: Op) -> None:
        if op.op == "join":
            joined.set()

    run = asyncio.create_task(run_pairs(hardened, Recorder(SimpleNamespace(append=note)), PeersPlan(pairs=2, seed=2)))
    await asyncio.wait_for(joined.wait(), 20)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert asyncio.all_tasks() - before == set()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"network": "moon"}, "there is no network “moon”: use loopback, vnet, netns"),
        ({"network": "vnet", "nat_mix": "moon"}, "there is no mix 'moon': use "),
        ({"network": "vnet", "turns": ("quic",)}, "there is no arm “quic”: use --turn none, udp, tcp, tls"),
        ({"turns": ("udp",)}, "loopback has neither NATs nor a relay: choose --network vnet"),
        ({"nat_mix": "design-doc"}, "loopback has neither NATs nor a relay"),
        ({"pairs": 0}, "no pairs are no run"),
        ({"concurrency": 0}, "no pairs are no run"),
        ({}, "127.0.0.1:9"),
    ],
)
async def test_bad_input_and_a_target_out_of_reach_are_trouble(arguments, says):
    """Each is one line with a remedy."""
    with pytest.raises(Trouble) as caught:
        await run_pairs(NOWHERE, recorder([]), PeersPlan(**{"pairs": 1, **arguments}))
    assert says in str(caught.value)
    assert caught.value.remedy
