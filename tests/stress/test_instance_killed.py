"""Two instances on one database, and one of them killed in the middle of a swarm."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import asyncpg
import pytest

from harness.actor.persona import Persona
from harness.actor.scene import Scene
from harness.actor.virtual_user import VirtualUser
from harness.checkers.judge import judge
from harness.client import Participant, Transport
from harness.history.journal import Journal, merge_histories, read_history
from harness.history.op import Op, Outcome, Via
from harness.history.recorder import Recorder
from harness.lab.instances import Instances, running_instances
from harness.load.swarm import SwarmPlan, SwarmProgress, SwarmResult, run_swarm
from harness.network.loopback import Loopback
from harness.results.finding import Verdict

USERS = 500
PLAN = SwarmPlan(
    "search_and_chat", users=USERS, arrivals="poisson", rate=20.0, seed=5, talk=(8.0, 16.0), lead=6.0, rounds=1
)
KILLED_AFTER = USERS // 2
"""How many have joined when one instance is killed; about half of them are in a session then."""
CAUGHT = 40
"""How many users more join at that very moment."""
DESERTED = 8
"""Sessions that one member leaves at that moment, by closing his tab or by falling silent."""
LATE = 4
"""Users who join when the time to heal is over, however long the swarm took: MM-L7 is about them."""
SETTLED_WITHIN = 30.0
"""Seconds after the last user has gone, within which the database must know that nobody is there."""


@dataclass(frozen=True)
class Aftermath:
    """What a swarm left that lost an instance: its history, the moment of the kill, and what was counted."""

    ops: list[Op]
    killed: Op
    deserted: set[str]
    """Users whose partners vanished at that moment, the last of them at `vanished` (the history's seconds)."""
    vanished: float
    result: SwarmResult
    instances: Instances


@pytest.mark.parametrize("one_port", [True, False], ids=["workers", "servers"])
async def test_one_of_two_instances_is_killed(cluster, folder, one_port):
    """No requirement is broken, every join is accounted for, who was cut off is back, and nothing stays behind."""
    async with running_instances("hardened", cluster, folder, one_port=one_port) as instances:
        after = await swarm_that_loses_an_instance(instances, folder)
        assert_valid(after, after.ops, exercised={"MM-L7"})
        # A checker excuses for a while what follows a fault that it knows of. This one needs no excuse.
        assert_valid(after, [op for op in after.ops if op.op != "fault"], exercised={"MM-L1", "MM-L2", "MM-L3"})
        assert_the_deserted_are_told(after)
        assert_everyone_is_accounted_for(after)
        assert_matches_went_on(after)
        assert_who_was_cut_off_is_back(after)
        await assert_nothing_stays(instances)


# ---------------------------------------------------------------- the run


async def swarm_that_loses_an_instance(instances: Instances, folder: Path) -> Aftermath:
    """Runs the swarm; when enough have joined, others join and leave at once, and the first instance is killed."""
    enough = asyncio.Event()

    def progress(so_far: SwarmProgress) -> None:
        if so_far.started >= KILLED_AFTER:
            enough.set()

    with Journal(folder / "history.lab.ndjson") as journal:
        recorder = Recorder(journal, process="hardened.swarm.lab")
        async with Transport(instances.target) as transport:
            pairs = await talking_pairs(transport, recorder, DESERTED)
            async with asyncio.TaskGroup() as group:
                swarm = group.create_task(run_swarm(PLAN, instances.target, folder, name="swarm", progress=progress))
                fault = group.create_task(kill_when(enough, instances, transport, recorder, pairs))
            killed = fault.result()[0]
            assert killed.t1 is not None
            await asyncio.sleep(killed.t1 + instances.target.budgets.heal - recorder.now())
            pairs += await talking_pairs(transport, recorder, LATE // 2)
            await asyncio.gather(*(user.close() for user in pairs))
        recorder.close()
    history = folder / "history.ndjson"
    merge_histories([journal.path, *swarm.result().histories], history)
    return Aftermath(read_history(history), *fault.result(), swarm.result(), instances)


async def talking_pairs(transport: Transport, recorder: Recorder, pairs: int) -> list[Participant]:
    """Users who have found each other while nobody else searched, and listen to their sessions."""
    users = [await Participant.enter(transport, recorder) for _ in range(2 * pairs)]
    await asyncio.gather(*(user.connect() for user in users))
    await asyncio.gather(*(user.subscribe_matches() for user in users))
    await asyncio.gather(*(user.join() for user in users))
    for user in users:
        session = await user.next_match(10.0)
        assert session is not None
        await user.signalling(session).open()
    return users


async def kill_when(
    enough: asyncio.Event, instances: Instances, transport: Transport, recorder: Recorder, pairs: list[Participant]
) -> tuple[Op, set[str], float]:
    """Kills the first instance while users join, and while one of each pair vanishes; the other waits to be told."""
    scene = Scene(transport, recorder, Persona(talk=(2.0, 4.0), patience=20.0), Loopback())
    caught = [await VirtualUser.enter(scene, seed) for seed in range(CAUGHT)]
    await enough.wait()
    answered = asyncio.Event()
    playing = [asyncio.create_task(user.play(recorder.now(), answered.set)) for user in caught]
    await answered.wait()
    fault = recorder.begin("", "", "fault", Via.SELF, kind="kill")
    killed = fault.ok(process=await instances.kill(0))
    staying = await desert(pairs)
    vanished = recorder.now()
    await asyncio.gather(*playing, *(hears_of_the_end(user) for user in staying))
    await asyncio.gather(*(user.close() for user in caught))
    return killed, {user.user for user in staying}, vanished


async def desert(pairs: list[Participant]) -> list[Participant]:
    """One member of each session vanishes, every other one silently; returns those who stay."""
    seen: dict[str, Participant] = {}
    kinds = cycle(("close", "silent"))
    for user in pairs:
        session = await user.next_match(0.0)
        assert session is not None
        if session.id in seen:
            await user.vanish(next(kinds))
        else:
            seen[session.id] = user
    return list(seen.values())


async def hears_of_the_end(user: Participant) -> None:
    """Waits until he is told that his session is over; the history has it."""
    session = await user.next_match(0.0)
    assert session is not None
    await asyncio.wait_for(user.signalling(session).ended.wait(), 60)


# ---------------------------------------------------------------- what must hold


def assert_valid(after: Aftermath, ops: list[Op], exercised: set[str]) -> None:
    """Nothing was broken, and these requirements were not merely untouched."""
    judged = judge(ops, after.instances.target.budgets, after.instances.target.capabilities)
    found = [finding.sentence for result in judged.results for finding in result.findings]
    assert (judged.verdict, found) == (Verdict.VALID, [])
    assert exercised - {result.requirement for result in judged.results if result.checked} == set()


def assert_the_deserted_are_told(after: Aftermath) -> None:
    """Each learns of the end of his session within the budget, wherever his socket and his partner's had been."""
    budgets = after.instances.target.budgets
    latest = after.vanished + budgets.disconnect + budgets.tolerance
    told = {op.user for op in after.ops if op.op == "told" and op.t0 <= latest}
    assert len(after.deserted) == DESERTED
    assert after.deserted - told == set()


def assert_everyone_is_accounted_for(after: Aftermath) -> None:
    """All joined; each was matched, or has left the queue in vain (one at most)."""
    assert (after.result.offered, after.result.started, after.result.dropped) == (USERS, USERS, 0)
    joined = users_of(after.ops, "join")
    matched = {member for op in after.ops for member in members(op)}
    assert len(joined) == USERS + CAUGHT + 2 * DESERTED + LATE
    assert joined - matched - users_of(after.ops, "leave") == set()
    assert len(joined - matched) <= 1


def assert_matches_went_on(after: Aftermath) -> None:
    """Sessions were made of users who joined after the kill."""
    late = {op.user for op in after.ops if op.op == "join" and op.outcome is Outcome.OK and op.t0 > after.killed.t1}
    assert any(members(op) and set(members(op)) <= late for op in after.ops)


def assert_who_was_cut_off_is_back(after: Aftermath) -> None:
    """Many lost their socket, not before the kill; each was back, or had finished, within the disconnect budget."""
    lost = [op for op in after.ops if op.op == "lost"]
    assert len(lost) >= 20
    assert min(op.t0 for op in lost) >= after.killed.t0
    allowed = after.instances.target.budgets.disconnect
    returns = [op for op in after.ops if op.op in {"back", "disconnect"}]
    away = [op for op in lost if not any(o.user == op.user and 0 <= o.t0 - op.t0 <= allowed for o in returns)]
    assert away == []


async def assert_nothing_stays(instances: Instances) -> None:
    """When all have gone, no session is active, nobody queues, nobody counts as present, and one instance is left."""
    connection = await asyncpg.connect(instances.database_url)
    try:
        async with asyncio.timeout(SETTLED_WITHIN):
            while left := await remains(connection):
                await connection.execute("select pg_sleep(0.5)")
    except TimeoutError:
        pytest.fail(f"still there after {SETTLED_WITHIN:g} s: {left}")
    finally:
        await connection.close()


REMAINS = """
select 'active sessions', count(*) from public.chat_sessions where status = 'active' having count(*) > 0
union all select 'session members', count(*) from gurukul.session_members having count(*) > 0
union all select 'queue entries', count(*) from public.waiting_queue having count(*) > 0
union all select 'live sockets', count(*) from gurukul.live_sockets having count(*) > 0
union all select 'instances', count(*) from gurukul.instances having count(*) <> 1
union all select 'replication slots', count(*) from pg_replication_slots where database = current_database()
          having count(*) <> 1
"""


async def remains(connection: asyncpg.Connection) -> dict[str, int]:
    """What the database still holds that it should not."""
    return dict(await connection.fetch(REMAINS))


def users_of(ops: Iterable[Op], name: str) -> set[str]:
    """Everybody with such an op that may have taken effect."""
    return {op.user for op in ops if op.op == name and op.outcome is not Outcome.FAIL}


def members(op: Op) -> tuple[str, ...]:
    """The two members of the session that an op shows; nobody for most ops."""
    shown = op.value.get("session")
    return (shown["user1"], shown["user2"]) if isinstance(shown, dict) else ()
