"""What is said of a run that is under way: nothing that is not so, however early it is cut and how little is kept."""

from __future__ import annotations

import random
from pathlib import Path
from types import ModuleType

import pytest
from msgspec.structs import replace

from harness.checkers.judge import judge
from harness.history.journal import read_history
from harness.history.lines import op_line
from harness.history.op import Op, Outcome, Via
from harness.history.recorder import EFFECTS
from harness.load import live
from harness.load.live import Live
from harness.load.loss import parting, write_off
from harness.target import Budgets, Capabilities

SEEDS = range(60)


def cut(ops: list[Op], until: float) -> tuple[list[Op], list[Op]]:
    """What has ended by a moment, and which calls with effects are under way then."""
    ended = sorted((op for op in ops if op.t1 is not None and op.t1 <= until), key=lambda op: op.t1 or 0.0)
    open_ = [op for op in ops if op.t0 <= until and (op.t1 is None or op.t1 > until) and op.op in EFFECTS]
    return ended, [replace(op, t1=None, outcome=Outcome.INFO) for op in open_]


@pytest.mark.parametrize("keep", [10**6, 40])
def test_a_right_target_is_never_accused(simulator: ModuleType, monkeypatch: pytest.MonkeyPatch, keep: int) -> None:
    """At no moment of a run, and not when only its last ops are kept."""
    monkeypatch.setattr(live, "KEEP", keep)
    for seed in SEEDS:
        ops, seen = simulator.simulate(seed, 6, 8), Live(simulator.BUDGETS, Capabilities())
        taken: set[int] = set()
        for until in range(1, 40, 2):
            ended, under_way = cut(ops, until)
            seen.take([op for op in ended if op.n not in taken], until)
            taken |= {op.n for op in ended}
            seen.judge(under_way)
            assert not set(seen.snapshot()["violations"]) - {"MM-L6"}, (seed, until, seen.snapshot()["findings"])
        if keep == 40 and len(ops) > 80:
            assert seen.snapshot()["judged"]["forgotten"]


@pytest.mark.parametrize("requirement", ["MM-S1", "MM-S3", "MM-L2"])
def test_a_fault_shows_before_the_run_is_over(simulator: ModuleType, requirement: str) -> None:
    """What the judge says of the whole history is said before half of the runs are over, and at the end of all."""
    early = faulty = 0
    for seed in SEEDS:
        ops = simulator.simulate(seed, 6, 8, fault=requirement)
        if requirement not in judge(ops, simulator.BUDGETS).violations:
            continue
        faulty += 1
        seen, until = Live(simulator.BUDGETS, Capabilities()), max(op.t0 for op in ops) - 8
        ended, under_way = cut(ops, until)
        seen.take(ended, until)
        seen.judge(under_way)
        early += requirement in seen.snapshot()["violations"]
        seen.take([op for op in ops if op not in ended], float("inf"))
        seen.judge([])
        assert seen.snapshot()["violations"] == {
            **judge(ops, simulator.BUDGETS).warnings, **judge(ops, simulator.BUDGETS).violations,
        }  # fmt: skip
    assert faulty >= 5
    assert early * 2 >= faulty


def an_op(n: int, user: str, op: str, t0: float, t1: float | None = None, **value: object) -> Op:
    via = {"push": Via.WS, "poll": Via.POLL}.get(op, Via.HTTP)
    return Op(n, t0, t0 + 0.1 if t1 is None else t1, "t.swarm.0", user, "d1", op, Outcome.OK, via, value)


def test_what_is_shown_is_what_happened() -> None:
    """Waits, notices by the way on which they came first, and the stages of a pair, second by second."""
    shown = {"id": "s", "user1": "a", "user2": "b", "status": "active", "offerer": "a"}
    seen = Live(Budgets(), Capabilities())
    seen.take([
        an_op(1, "a", "join", 10.0), an_op(2, "b", "join", 11.0), an_op(3, "c", "join", 11.2),
        an_op(4, "a", "push", 11.5, 11.5, session=shown), an_op(5, "a", "poll", 11.6, session=shown),
        an_op(6, "b", "poll", 12.5, session=shown),
        an_op(7, "b", "signal_recv", 12.7, 12.7, id="s", sender="a", seq=1, type="offer"),
        an_op(8, "b", "connect", 12.6, 13.0, id="s", stage="ice-checks-timeout", times={}),
    ], 13.5)  # fmt: skip
    now = seen.snapshot()
    assert (now["joins"], now["waiting"], now["matches"], now["correct"]) == (3, 1, 1, 1)
    assert now["told"] == {"push": 1, "poll": 1, "reply": 0}
    assert now["series"] == {
        "step": 1, "correct": [0, 1, 0], "waiting": [1, 2, 1], "push": [0, 1, 0], "poll": [0, 0, 1], "reply": [0, 0, 0],
    }  # fmt: skip
    assert dict(now["stages"]) == {
        "told by push or poll": 1, "offer received": 1, "answer received": 0, "ICE": 0, "DTLS": 0, "data both ways": 0,
    }  # fmt: skip


def test_the_loss_of_a_process_accuses_nobody(simulator: ModuleType) -> None:
    """Whatever its users did last, and though a part of it never reached the journal."""
    for seed in SEEDS:
        ops, rng = simulator.simulate(seed, 6, 8), random.Random(seed)
        killed = rng.uniform(2.0, 12.0)
        lost = {op.user for op in ops if op.user and int(op.user[1:]) % 2}
        ended, under_way = cut([op for op in ops if op.user in lost], killed - rng.uniform(0.0, 0.5))
        own = [replace(op, process="t.swarm.1") for op in (*ended, *under_way)]
        others = [op for op in ops if op.user not in lost]
        found = judge([*own, *others, *parting(own, others)], simulator.BUDGETS).violations
        assert not found, (seed, found)


def test_a_lost_journal_is_ended(tmp_path: Path) -> None:
    """Its torn line goes; its users lost their sockets, and may have done what others saw; the rest never came."""
    note = {"offered": 10, "started": 3, "dropped": 1}
    own = [an_op(1, "a", "join", 10.0), replace(an_op(2, "", "generator", 11.0), value=note)]
    (tmp_path / "h").write_bytes(b"".join(map(op_line, own)) + b'{"n":3,"t0"')
    (tmp_path / "g").write_bytes(op_line(an_op(1, "b", "signal_recv", 11.5, id="s", sender="a", seq=1, type="offer")))
    write_off(tmp_path / "h", [tmp_path / "g"])
    write_off(tmp_path / "none", [])
    ops = read_history(tmp_path / "h")
    assert [(op.op, op.user, op.t1 is None) for op in ops[2:]] == [
        ("signal_send", "a", True), ("heartbeat", "a", True), ("lost", "a", False), ("generator", "", False),
    ]  # fmt: skip
    assert ops[-1].value == {"offered": 10, "started": 3, "dropped": 7, "lost": 6}
    assert ops[2].value == {"id": "s", "seq": 1, "type": "offer"}
