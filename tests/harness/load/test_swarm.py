"""Swarms as real Locust processes, against a real server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections import Counter
from pathlib import Path

import pytest

from harness.cli.judging import Terms, judged
from harness.errors import Trouble
from harness.history.journal import read_history
from harness.history.op import Op, Outcome
from harness.load.swarm import SwarmPlan, SwarmProgress, arrivals_of, run_swarm, scenarios, schedule_of
from harness.results.finding import Verdict
from harness.target import Target

QUICK = SwarmPlan(
    "search_and_chat", users=12, arrivals="burst:6/0.1s@0.3s", talk=(0.2, 0.4), drain=0.5, lead=1.0, rounds=1
)
NOWHERE = Target(name="nowhere", api_url="http://127.0.0.1:9/api", supabase_url="http://127.0.0.1:9", anon_key="k")
ROOT = Path(__file__).parents[3]


def ops_of(histories: list[Path]) -> list[Op]:
    return [op for history in histories for op in read_history(history)]


async def test_two_processes_make_one_swarm(hardened, tmp_path):
    """Every arrival joins when due and is matched; each process leaves a history, and they drain together."""
    heard: list[SwarmProgress] = []
    plan = SwarmPlan(**{**QUICK.__dict__, "processes": 2, "peer_share": 0.5})
    result = await run_swarm(plan, hardened, tmp_path, name="one", progress=heard.append)
    assert (result.offered, result.started, result.dropped, result.exit_status) == (12, 12, 0, 0)
    assert [path.name for path in result.histories] == ["history.one.0.ndjson", "history.one.1.ndjson"]
    assert heard[-1].matched == heard[-1].finished == 12
    ops = ops_of(result.histories)
    assert {op.process for op in ops} == {"hardened.swarm.0", "hardened.swarm.1"}
    joins = [op for op in ops if op.op == "join"]
    assert len(joins) == 12
    assert all(op.due is not None and op.t0 >= op.due for op in joins)
    drains = [op for op in ops if op.op == "drain"]
    assert len(drains) == 2
    assert min(op.t0 for op in drains) >= max(op.t1 for op in joins)
    connects = [op for op in ops if op.op == "connect"]
    assert all(op.outcome is Outcome.OK for op in connects), connects
    assert all(count == 2 for count in Counter(op.value["id"] for op in connects).values())


async def test_two_swarms_side_by_side_do_not_mix(hardened, tmp_path):
    """Each has its own processes: none of them plays for the other, and all who are due come."""
    plan = SwarmPlan(**{**QUICK.__dict__, "processes": 2})
    swarms = (run_swarm(plan, hardened, tmp_path, name=name) for name in ("left", "right"))
    for name, result in zip(("left", "right"), await asyncio.gather(*swarms), strict=True):
        assert (result.offered, result.started, result.dropped, result.exit_status) == (12, 12, 0, 0)
        assert [path.name for path in result.histories] == [f"history.{name}.{n}.ndjson" for n in (0, 1)]


@pytest.mark.parametrize("processes", [1, 2])
async def test_a_target_out_of_reach_is_our_trouble(tmp_path, processes):
    """The trouble of any of the child's processes comes back as one line, not as a traceback and not as a finding."""
    plan = SwarmPlan(**{**QUICK.__dict__, "processes": processes})
    with pytest.raises(Trouble) as caught:
        await run_swarm(plan, NOWHERE, tmp_path, name="lost")
    assert "127.0.0.1:9" in str(caught.value)
    assert caught.value.remedy
    assert "Traceback" not in (tmp_path / "locust.lost.log").read_text()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"scenario": "dance"},
            "there is no scenario “dance”: use buddies, burst, joins, poll_only, push_only, queue_churn, ",
        ),
        ({"arrivals": "wave"}, "“wave” is no arrival schedule"),
        ({"duration": 0.0}, "nobody is due within that time"),
        ({"processes": 0}, "0 processes cannot carry a swarm"),
        ({"users": 0}, "a swarm of 0 users is none"),
    ],
)
async def test_a_plan_that_says_nothing_is_refused_before_anything_starts(tmp_path, changes, says):
    """Bad input is one line with a remedy, and leaves no file."""
    with pytest.raises(Trouble) as caught:
        await run_swarm(SwarmPlan(**{**QUICK.__dict__, **changes}), NOWHERE, tmp_path, name="bad")
    assert says in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_the_locustfiles_are_the_scenarios():
    """What can be asked for is what lies in the package."""
    assert list(scenarios()) == [
        "buddies", "burst", "joins", "poll_only", "push_only", "queue_churn", "reconnect_storm", "search_and_chat",
        "soak", "spam", "vanishing",
    ]  # fmt: skip


@pytest.mark.parametrize(("scenario", "way", "other"), [("poll_only", "poll", "push"), ("push_only", "push", "poll")])
async def test_a_match_is_learnt_of_one_way_alone(hardened, tmp_path, scenario, way, other):
    """Everybody is matched, and the history shows nothing of the other way; the verdict is valid all the same.

    Five come at once: whoever of them is left over is told later, when the next five are there.
    """
    plan = SwarmPlan(**{**QUICK.__dict__, "scenario": scenario, "arrivals": "burst:5/0.001s@0.5s"})
    result = await run_swarm(plan, hardened, tmp_path, name=scenario)
    ops = ops_of(result.histories)
    kinds = {op.op for op in ops if (op.value.get("session") if op.op in {"poll", "push"} else True)}
    assert way in kinds
    assert other not in {op.op for op in ops}
    patient = hardened.budgets.model_copy(update={"generator_lag": 10.0})  # other tests run beside this one
    figures = judged(ops, Terms({"hardened": patient}))
    assert [(one.verdict, one.matches) for one in figures] == [(Verdict.VALID, 6)]


async def test_a_burst_comes_at_once(hardened, tmp_path):
    """Without a schedule of its own a burst is a hundred users who are due within a tenth of a second, and all meet."""
    plan = SwarmPlan("burst", None, arrivals_of("burst"), talk=(0.1, 0.2), drain=0.5, lead=6.0)
    result = await run_swarm(plan, hardened, tmp_path, name="burst")
    assert (result.offered, result.started, result.dropped) == (100, 100, 0)
    ops = ops_of(result.histories)
    dues = [op.due for op in ops if op.op == "join" and op.due is not None]
    assert max(dues) - min(dues) <= 0.1
    assert {op.value["mode"] for op in ops if op.op == "join"} == {"global"}
    assert len({op.user for op in ops if op.op == "join"}) == 100


async def test_locust_by_itself(hardened, tmp_path):
    """`locust -f locustfiles/search_and_chat.py --host URL -u 4 -r 4` works: -u arrivals at -r per second."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "locust", "-f", str(ROOT / "locustfiles" / "search_and_chat.py"), "--headless",
        "--only-summary", "--host", hardened.api_url, "-u", "4", "-r", "4", "-t", "30s", "--talk", "0.1:0.2",
        "--drain", "0.5", "--lead", "1", "--rounds", "1", "--anon-key", hardened.anon_key,
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        output, _ = await asyncio.wait_for(process.communicate(), 120)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    assert process.returncode == 0, output.decode()
    (history,) = tmp_path.glob("results/*-locust/history.swarm.0.ndjson")
    ops = read_history(history)
    assert sum(op.op == "join" for op in ops) == 4
    assert sum(op.op == "end" for op in ops) == 2
    assert "due → matched" in output.decode()


async def test_a_closed_swarm_has_so_many_at_once(hardened, tmp_path):
    """The next user joins only when one is through, over both processes; all come in the end."""
    plan = SwarmPlan("search_and_chat", 10, "closed:4", processes=2, rounds=1, talk=(0.1, 0.2), drain=0.5, lead=0.0)
    result = await run_swarm(plan, hardened, tmp_path, name="closed")
    assert (result.offered, result.started, result.dropped) == (10, 10, 0)
    ops = ops_of(result.histories)
    spans = [(min(op.t0 for op in mine), max(op.t1 or op.t0 for op in mine)) for mine in by_user(ops).values()]
    assert len(spans) == 10
    assert max(sum(start <= at < end for start, end in spans) for at, _ in spans) <= 4


def by_user(ops: list[Op]) -> dict[str, list[Op]]:
    users: dict[str, list[Op]] = {}
    for op in ops:
        if op.user and op.op in {"join", "end", "told"}:
            users.setdefault(op.user, []).append(op)
    return users


async def test_a_trace_brings_users_as_they_came_elsewhere(hardened, tmp_path):
    """Due times are the file's."""
    trace = tmp_path / "day.csv"
    trace.write_text("due\n0\n0.2\n0.2\n0.9\n")
    plan = SwarmPlan("search_and_chat", None, f"trace:{trace}", rounds=1, talk=(0.1, 0.2), drain=0.5, lead=1.0)
    result = await run_swarm(plan, hardened, tmp_path, name="trace")
    due = sorted(op.due for op in ops_of(result.histories) if op.op == "join" and op.due is not None)
    assert [round(at - due[0], 3) for at in due] == [0.0, 0.2, 0.2, 0.9]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("    arrivals = 'poisson:9/s'", "poisson:9/s"),
        ("    arrivals: str = 'ramp:1..2/s@3s'", "ramp:1..2/s@3s"),
        ("    pass", ""),
    ],
)
def test_a_locustfile_may_set_its_arrivals(monkeypatch, tmp_path, body, says):
    """The class attribute is read without importing the file, and holds where the plan names none."""
    (tmp_path / "own.py").write_text(f"import nothing\nclass Own(ArrivingUser):\n{body}\n")
    monkeypatch.setattr("harness.load.swarm.scenarios", lambda: {"own": tmp_path / "own.py"})
    assert arrivals_of("own") == says
    assert schedule_of(SwarmPlan("own", 3)).text == (says or "constant")
    assert schedule_of(SwarmPlan("own", 3, "burst:3/1s@1s")).text == "burst:3/1s@1s"


def test_arrivals_that_must_be_worked_out_are_refused(monkeypatch, tmp_path):
    """What cannot be read without running the file is told."""
    (tmp_path / "own.py").write_text("class Own:\n    arrivals = 'a' + 'b'\n")
    monkeypatch.setattr("harness.load.swarm.scenarios", lambda: {"own": tmp_path / "own.py"})
    with pytest.raises(Trouble, match="the arrivals of own are no plain text"):
        arrivals_of("own")


@pytest.mark.parametrize(("cut", "failed"), [("30s", "1(100.00%)"), ("3s", None)])
async def test_a_wait_that_did_not_end_is_no_success_in_locusts_statistics(hardened, tmp_path, cut, failed):
    """A single user waits in vain: a failure when the run ends by itself, and no row at all when it is cut off."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "locust", "-f", str(ROOT / "locustfiles" / "search_and_chat.py"), "--headless",
        "--only-summary", "--host", hardened.api_url, "-u", "1", "-r", "1", "-t", cut,
        "--drain", "0.5" if failed else "60", "--lead", "0.5", "--anon-key", hardened.anon_key,
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output = (await asyncio.wait_for(process.communicate(), 60))[0].decode()
    rows = [line for line in output.splitlines() if "2 due → matched" in line]
    assert "1 due → join answered" in output
    assert all(failed in row for row in rows if "%)" in row) if failed else not rows, output
    assert bool(rows) == bool(failed), output
    (history,) = tmp_path.glob("results/*-locust/history.swarm.0.ndjson")
    assert any(op.op == "generator" for op in read_history(history))
