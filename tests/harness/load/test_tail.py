"""Journals that grow while they are read: what is complete, what is under way, and what was never finished."""

from __future__ import annotations

from pathlib import Path

from harness.history.clock import Clock
from harness.history.journal import Journal
from harness.history.lines import op_line
from harness.history.op import Op, Outcome, Via
from harness.load.tail import SILENT, Tail


def an_op(n: int, op: str, t0: float, t1: float | None, process: str = "t.swarm.0") -> Op:
    outcome = Outcome.INFO if t1 is None else Outcome.OK
    return Op(n, t0, t1, process, "" if op == "generator" else "u", "d1", op, outcome, Via.HTTP)


def note(n: int, at: float, process: str = "t.swarm.0") -> Op:
    return an_op(n, "generator", at, at, process)


def names(ops: list[Op]) -> list[str]:
    return [op.op for op in ops if op.op != "generator"]


def test_a_cut_is_where_the_slowest_process_is_complete(tmp_path: Path) -> None:
    """What came after it waits for the next one; a call that had begun by then is under way, whatever became of it."""
    with Journal(tmp_path / "history.a.0.ndjson") as one, Journal(tmp_path / "history.a.1.ndjson") as two:
        one.announce(an_op(1, "join", 9.0, None))
        for op in (
            an_op(2, "poll", 9.5, 9.9),
            note(3, 10.0),
            an_op(1, "join", 9.0, 10.5),
            an_op(4, "poll", 11.0, 11.1),
        ):
            one.append(op)
        one.append(note(5, 12.0))
        two.append(note(1, 10.2, "t.swarm.1"))
        one.flush()
        two.flush()
        tail = Tail(tmp_path, "a")
        first = tail.cut()
        assert (first.until, names(first.ended), names(first.open)) == (10.2, ["poll"], ["join"])
        assert (first.open[0].t1, first.open[0].outcome) == (None, Outcome.INFO)
        two.append(note(2, 11.5, "t.swarm.1"))
        two.flush()
        second = tail.cut()
        assert (second.until, names(second.ended), names(second.open)) == (11.5, ["join", "poll"], [])
        assert tail.cut().ended == []


def test_a_torn_line_waits_for_its_rest(tmp_path: Path) -> None:
    """Half a line is nothing yet; and when the run is over nothing is held back."""
    path, line = tmp_path / "history.a.0.ndjson", op_line(an_op(2, "leave", 10.1, 10.2))
    path.write_bytes(op_line(note(1, 10.0)) + line[:20])
    tail = Tail(tmp_path, "a")
    assert names(tail.cut().ended) == []
    with path.open("ab") as file:
        file.write(line[20:])
    assert names(tail.cut().ended) == []
    assert names(tail.cut(over=True).ended) == ["leave"]


def test_journals_come_onto_one_clock(tmp_path: Path) -> None:
    """Each by the bounds that it states now."""
    with Journal(tmp_path / "history.a.0.ndjson", clock=Clock("b", -1000.0, 0.5)) as journal:
        journal.append(an_op(1, "poll", 1010.0, 1010.5))
        journal.append(note(2, 1012.0))
        journal.flush()
        cut = Tail(tmp_path, "a").cut()
    assert [(op.t0, op.t1) for op in cut.ended if op.op == "poll"] == [(9.5, 11.0)]


def test_a_process_that_fell_silent_holds_nobody_up(tmp_path: Path) -> None:
    """It is not waited for any more, and its users have lost their sockets."""
    with Journal(tmp_path / "history.a.0.ndjson") as one, Journal(tmp_path / "history.a.1.ndjson") as two:
        one.append(an_op(1, "join", 9.0, 9.1))
        one.append(Op(2, 10.0, 10.0, "t.swarm.0", "", "", "generator", Outcome.OK, Via.SELF,
                      {"offered": 1, "started": 1, "dropped": 0}))  # fmt: skip
        two.append(note(1, 11.0 + SILENT, "t.swarm.1"))
        one.flush()
        two.flush()
        tail = Tail(tmp_path, "a")
        cut = tail.cut()
    assert cut.until == 11.0 + SILENT
    assert [op.op for op in tail.silent(cut.ended)] == ["heartbeat", "lost", "generator"]
