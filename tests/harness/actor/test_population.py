"""Users behind NATs of the in-process network, matched by a real server; arms in turn; nothing left behind."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.actor.pairing import run_pairs
from harness.actor.peers_plan import PeersPlan
from harness.actor.population import Population, populated
from harness.checkers.connections import connections_of
from harness.errors import Trouble
from harness.history.op import Op
from harness.history.recorder import Recorder
from harness.lab.server import running_server
from harness.network.mix import mix_of
from harness.network.nat import KINDS, Turn
from harness.network.vnet.clock import Pace
from harness.network.vnet.loop import run
from harness.target import Budgets, Target

BLOCKED = 'shares = { portrestricted = 0.25, symmetric = 0.75 }\nsource = "a test"\n'


class Lab:
    """Notes what is asked of it."""

    name = "paper"
    relayed_bytes = 7

    def __init__(self):
        self.asked = []

    def place(self, kind, turn):
        self.asked.append((kind.name, turn))


def recorded(tell) -> list[Op]:
    ops: list[Op] = []
    tell(Recorder(SimpleNamespace(append=ops.append)))
    return ops


def test_both_members_of_a_session_are_in_the_same_arm_and_sessions_take_them_in_turn():
    """Whoever sees a session first puts it into the next arm; a kind goes with the user."""
    lab = Lab()
    population = Population(lab, mix_of("design-doc"), (Turn.NONE, Turn.TCP))
    kinds = ["symmetric", "fullcone", "fullcone", "symmetric", "fullcone"]
    for kind, session in zip(kinds, "ababc", strict=True):
        population.place(KINDS[kind], session)
    assert lab.asked == list(zip(kinds, [Turn.NONE, Turn.TCP, Turn.NONE, Turn.TCP, Turn.NONE], strict=True))


@pytest.mark.parametrize(("turns", "told"), [((Turn.UDP,), "udp"), ((Turn.UDP, Turn.TCP), "")])
def test_the_history_tells_of_the_mix_and_of_the_relay(turns, told):
    """The relay's bytes are those of an arm where there was one alone."""
    population = Population(Lab(), mix_of("design-doc"), turns)
    (mix,) = recorded(population.tell_mix)
    assert (mix.op, mix.value["name"]) == ("mix", "design-doc")
    assert sum(mix.value["shares"].values()) == pytest.approx(1)
    (relay,) = recorded(population.tell_relay)
    assert (relay.op, relay.value) == ("relay", {"turn": told, "bytes": 7})


async def test_the_virtual_network_needs_its_loop():
    """On another event loop it is trouble, in one sentence."""
    with pytest.raises(Trouble, match="needs an event loop of its own"):
        async with populated(PeersPlan(network="vnet")):
            pass


def target_of(server) -> Target:
    return Target(
        name="hardened", api_url=server.api_url, supabase_url=server.supabase_url, anon_key=server.anon_key,
        budgets=Budgets(poll_interval=0.5, match=0.2, tolerance=0.1),
    )  # fmt: skip


def test_users_behind_nats_connect_as_theory_says_and_leave_nothing(database_url: str, tmp_path: Path):
    """Two arms through a real server: no contradiction. A run that is cut in the middle gives all places back."""
    file = tmp_path / "mine.toml"
    file.write_text(f"[mine]\n{BLOCKED}")
    plan = PeersPlan(pairs=8, network="vnet", nat_mix=str(file), turns=("none", "udp"), handshake=4.0)
    ops: list[Op] = []

    async def whole_and_cut(_):
        log = tmp_path / "server.log"
        async with running_server("hardened", database_url, log) as server, populated(plan) as there:
            await run_pairs(target_of(server), Recorder(SimpleNamespace(append=ops.append)), plan, there)
            assert there.lab._places == {}
            await cut(server, there)
            assert there.lab._places == {}
            assert there.lab.server_host.open_sockets == 6

    async def cut(server, there):
        before = asyncio.all_tasks()
        connecting = asyncio.Event()
        place = there.place
        there.place = lambda *home: (connecting.set(), place(*home))[1]
        cut_ops: list[Op] = []
        running = asyncio.create_task(
            run_pairs(target_of(server), Recorder(SimpleNamespace(append=cut_ops.append)), plan, there)
        )
        await asyncio.wait_for(connecting.wait(), 20)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        closing = {task for task in asyncio.all_tasks() - before if task.get_name().startswith("peer connection")}
        await asyncio.wait_for(asyncio.gather(*closing), 20)
        assert asyncio.all_tasks() - before == set()
        assert [op.op for op in cut_ops][-1] == "relay"

    run(whole_and_cut, Pace.REAL)
    found = connections_of(ops)
    assert found is not None
    assert (found.network, found.mix, found.contradictions) == ("vnet", "mine", ())
    assert {arm.turn: arm.attempted for arm in found.arms} == {"none": 4, "udp": 4}
    arms = {arm.turn: arm for arm in found.arms}
    assert arms["none"].connected == arms["none"].theory.expected < 4
    assert arms["udp"].connected == 4
    assert found.relay_bytes and found.relay_bytes > 0
    kinds = Counter(op.value["nat"] for op in ops if op.op == "connect")
    assert kinds == Counter(kind.name for pair in mix_of(str(file)).draw(plan.seed, 8) for kind in pair)
    assert kinds["portrestricted"] < 8, "whoever meets whom, fewer than four pairs connect without a relay"
