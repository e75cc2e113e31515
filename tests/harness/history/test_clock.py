"""Clocks: how a journal states its own, and what becomes of ops that another clock stamped."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import Trouble
from harness.history.clock import Clock, clock_of, on_reference
from harness.history.journal import Journal, clock_stated, merge_histories, read_history
from harness.history.lines import op_line
from harness.history.op import Op, Outcome, Via


def an_op(n: int = 1, t0: float = 10.0, t1: float | None = 10.5, process: str = "t.swarm.0", **value: object) -> Op:
    return Op(n, t0, t1, process, "u", "d1", "join", Outcome.OK, Via.HTTP, value, due=9.0)


def test_an_op_moves_by_the_offset_and_grows_by_the_error() -> None:
    """It may have begun a little earlier and ended a little later than it says; when it was due is only moved."""
    moved = on_reference(an_op(ready=0.2), Clock("b", offset=100.0, error=0.25))
    assert (moved.t0, moved.t1, moved.due) == (109.75, 110.75, 109.0)
    assert moved.value["ready"] == 0.7
    assert moved.process == "t.swarm.0@b"
    assert on_reference(an_op(t1=None), Clock("b", 1.0, 0.5)).t1 is None


def test_a_journal_states_its_clock_once(tmp_path: Path) -> None:
    """In its first line; readers of the ops skip it."""
    clock = Clock("host-b", -0.5, 0.01)
    for n in (1, 2):
        with Journal(tmp_path / "h", clock=clock) as journal:
            journal.append(an_op(n))
    lines = (tmp_path / "h").read_bytes().splitlines()
    assert lines[0].rstrip() == b'{"clock":{"id":"host-b","offset":-0.5,"error":0.01}}'
    assert clock_of(clock.record()) == clock
    assert [op.n for op in read_history(tmp_path / "h")] == [1, 2]


def test_a_clock_can_be_stated_anew(tmp_path: Path) -> None:
    """In the place of the first line, whatever its numbers; the ops stay. A journal that states none gets none."""
    with Journal(tmp_path / "h", clock=Clock("host-b", -0.5, 0.01)) as journal:
        journal.append(an_op(1))
        journal.restate(Clock("host-b", -1234.567890123, 1 / 3))
        journal.append(an_op(2))
    assert clock_stated(tmp_path / "h") == Clock("host-b", -1234.567890123, 1 / 3)
    assert [op.n for op in read_history(tmp_path / "h")] == [1, 2]
    with Journal(tmp_path / "g") as journal:
        journal.append(an_op(1))
        journal.restate(Clock("host-b"))
    assert (tmp_path / "g").read_bytes() == op_line(an_op(1))


def write(path: Path, clock: str, *ops: Op) -> Path:
    path.write_bytes(clock.encode() + b"".join(map(op_line, ops)))
    return path


def test_journals_of_one_clock_are_merged_as_they_are(tmp_path: Path) -> None:
    """Processes of one machine share its clock: nothing moves, whatever offset it has from others."""
    stated = '{"clock": {"id": "a", "offset": 5, "error": 1}}\n'
    files = [write(tmp_path / "1", stated, an_op(1, 3.0, 4.0)), write(tmp_path / "2", stated, an_op(2, 1.0, 2.0))]
    assert merge_histories(files, tmp_path / "all") == 2
    assert [(op.t0, op.process) for op in read_history(tmp_path / "all")] == [(1.0, "t.swarm.0"), (3.0, "t.swarm.0")]


def test_journals_of_two_clocks_come_onto_one(tmp_path: Path) -> None:
    """Each by its own offset and error, ordered by what is then the start."""
    files = [
        write(tmp_path / "1", '{"clock": {"id": "a"}}\n', an_op(1, 3.0, 4.0)),
        write(tmp_path / "2", '{"clock": {"id": "b", "offset": -1000, "error": 0.5}}\n', an_op(1, 1002.0, 1002.0)),
    ]
    assert merge_histories(files, tmp_path / "all") == 2
    ops = read_history(tmp_path / "all")
    assert [(op.t0, op.t1, op.process) for op in ops] == [(1.5, 2.5, "t.swarm.0@b"), (3.0, 4.0, "t.swarm.0@a")]


def test_who_states_no_clock_among_several_is_refused(tmp_path: Path) -> None:
    """Nobody can say when its ops were."""
    files = [
        write(tmp_path / "1", '{"clock": {"id": "a"}}\n', an_op()),
        write(tmp_path / "2", '{"clock": {"id": "b"}}\n', an_op()),
        write(tmp_path / "3", "", an_op()),
    ]
    with pytest.raises(Trouble, match="3 does not say by which clock it was stamped"):
        merge_histories(files, tmp_path / "all")


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ('{"clock": {"id": "a b"}}', "a word of letters"),
        ('{"clock": {"id": "a", "error": -1}}', "not negative"),
        ('{"clock": {"id": "a", "offset": "1"}}', "are seconds"),
        ('{"clock": {"id": "a", "drift": 1}}', "a clock is stated as"),
        ('{"clock": 7}', "a clock is stated as"),
    ],
)
def test_a_clock_that_is_stated_wrongly(line: str, wrong: str, tmp_path: Path) -> None:
    """The file, the line and what it must be."""
    file = write(tmp_path / "h", line + "\n", an_op())
    with pytest.raises(Trouble, match=wrong):
        read_history(file)
    with pytest.raises(Trouble, match="line 1"):
        merge_histories([file], tmp_path / "all")
