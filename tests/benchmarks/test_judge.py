"""How long the judge takes for a history of 100,000 ops: 5 s are the bar, and 60 s and 2 GB for a million.

For the million: `python tests/benchmarks/test_judge.py 1000000`.
"""

from __future__ import annotations

import random
import resource
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from harness.checkers.figures import figures
from harness.checkers.judge import judge
from harness.history.journal import read_history, write_history
from harness.history.op import Op, Outcome, Via
from harness.target import Budgets

OPS = 100_000


def long_history(size: int) -> list[Op]:
    """Bursts of 32 users who join, are matched, exchange signals and part; halfway something breaks and is mended."""
    rng = random.Random(7)
    ops: list[Op] = []
    start, number = 0.0, 0

    def add(user: str, op: str, at: float, took: float, via: Via, **value: Any) -> None:
        ops.append(Op(len(ops) + 1, at, at + took, "t.swarm.0", user, "d1", op, Outcome.OK, via, value))

    while len(ops) < size:
        users = [f"{number + n:08d}-user" for n in range(32)]
        number += 32
        for user in users:
            at = start + rng.uniform(0, 0.1)
            add(user, "join", at, 0.01, Via.HTTP, mode="global", token=user)
            add(user, "subscribe", at + 0.02, 0.1, Via.WS, topic=f"matchmaking:{user}", reply=0.01, ready=0.1)
            for poll in range(3):
                add(user, "poll", at + 0.15 + poll * 0.05, 0.01, Via.POLL, session=None)
        for one, two in zip(users[::2], users[1::2], strict=True):
            value = {"id": f"s-{one}", "user1": one, "user2": two, "status": "active"}
            born = start + 0.4
            for user, other in ((one, two), (two, one)):
                add(user, "push", born + rng.uniform(0, 0.1), 0.0, Via.WS, session=value, event="INSERT")
                add(user, "subscribe", born + 0.2, 0.1, Via.WS, topic=f"session:s-{one}", reply=0.01, ready=0.1)
                add(user, "fetch", born + 0.31, 0.01, Via.HTTP, id=value["id"], rows=0, session=value)
                for seq in range(3):
                    at, what = born + 0.4 + seq * 0.01, {"id": value["id"], "seq": seq, "type": "ice-candidate"}
                    add(user, "signal_send", at, 0.01, Via.HTTP, **what)
                    heard = {"sender": other, "message": f"{other}-{seq}", "by": "push", "channel": value["id"]}
                    add(user, "signal_recv", at + 0.05, 0.0, Via.WS, **what, **heard)
            add(one, "end", start + 3, 0.01, Via.HTTP, id=value["id"])
            add(two, "told", start + 3.1, 0.0, Via.WS, id=value["id"], by="update")
            for user in (one, two):
                add(user, "disconnect", start + 4, 0.01, Via.SELF, kind="close")
        start += 0.5
        if len(ops) % 50_000 < 1_500:
            add("", "fault", start, 0.2, Via.SELF, kind="restart")
    return ops[:size]


@pytest.fixture(scope="module")
def history() -> list[Op]:
    return long_history(OPS)


def test_judge(benchmark: Any, history: list[Op]) -> None:
    """A right history of this size is judged, and found right."""
    judgement = benchmark.pedantic(judge, args=(history, Budgets()), rounds=3)
    assert judgement.verdict == "valid"
    assert judgement.matches > 1000


def test_judge_a_bad_history(benchmark: Any, history: list[Op]) -> None:
    """Thousands of findings, each with its witness, do not change the order of magnitude."""
    bad = [op for op in history if op.op not in {"end", "told", "disconnect"}]
    doubles = [
        Op(n, op.t0 + 0.2, op.t1, "x", op.user, "d1", "push", Outcome.OK, Via.WS, _another(op, n))
        for n, op in enumerate(bad)
        if op.op == "push" and n % 3 == 0
    ]
    judgement = benchmark.pedantic(judge, args=(bad + doubles, Budgets()), rounds=2)
    assert judgement.violations["MM-S1"] > 1000


def _another(op: Op, n: int) -> dict[str, Any]:
    return {"session": {**op.value["session"], "id": f"again-{n}"}, "event": "INSERT"}


def test_read_and_measure(benchmark: Any, history: list[Op], tmp_path: Path) -> None:
    """The same from a file, with its figures."""
    write_history(history, tmp_path / "history.ndjson")
    judgement = judge(history, Budgets())

    def read() -> int:
        return figures(read_history(tmp_path / "history.ndjson"), judgement, "t").matches

    assert benchmark.pedantic(read, rounds=3) == judgement.matches


def main(size: int) -> None:
    """Prints the seconds for a history of this size, and the most memory that was held."""
    ops = long_history(size)
    start = time.process_time()
    judgement = judge(ops, Budgets())
    took = time.process_time() - start
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    sys.stdout.write(f"{size:,} ops: {took:.1f} s of CPU, {held:.2f} GB at most, {judgement.reason}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))
