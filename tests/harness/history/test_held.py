"""What a journal has promised outlives its process, in order, and stands in the history once."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import Trouble
from harness.history import held
from harness.history.held import beside, held_lines, settle
from harness.history.journal import Journal, merge_histories, read_history
from harness.history.lines import op_line
from harness.history.op import Op, Outcome, Via
from harness.load.loss import write_off

KILLED = """
import os, signal, sys
from pathlib import Path
from harness.history.journal import Journal
from harness.history.recorder import Recorder
from harness.history.op import Via

journal = Journal(Path(sys.argv[1]), every=3600.0)
recorder = Recorder(journal, announce=journal.announce)
for round in range(2):
    join = recorder.begin("a", "d1", "join", Via.HTTP)
    recorder.saw("a", "d1", "push", Via.WS, round=round)
    join.answered(200)
    journal.flush() if round == int(sys.argv[2]) else None
recorder.begin("a", "d1", "leave", Via.HTTP)
recorder.begin("a", "d1", "poll", Via.POLL).ok()
os.kill(os.getpid(), signal.SIGKILL)
"""


def call(n: int, ended: float | None = None, process: str = "p0", kind: str = "join") -> Op:
    outcome = Outcome.INFO if ended is None else Outcome.OK
    return Op(n, float(n), ended, process, "a", "d1", kind, outcome, Via.HTTP)


def told(path: Path) -> list[tuple[int, str, bool]]:
    """Number, kind and whether it ended of each op that a history has."""
    return [(op.n, op.op, op.t1 is not None) for op in read_history(path)]


@pytest.mark.parametrize("flushed", [-1, 0, 1], ids=["never written", "written between", "written before the end"])
def test_what_was_promised_outlives_a_kill(flushed: int, tmp_path: Path) -> None:
    """Up to the last call that was announced nothing is missing and nothing doubled; reading and merging agree."""
    path = tmp_path / "h"
    ended = subprocess.run([sys.executable, "-c", KILLED, str(path), str(flushed)], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert beside(path).exists()
    known = [(1, "join", True), (2, "push", True), (3, "join", True), (4, "push", True), (5, "leave", False)]
    assert sorted(told(path)) == known
    assert merge_histories([path], tmp_path / "all") == len(known)
    assert told(tmp_path / "all") == known


def test_a_call_stands_once_where_it_began(tmp_path: Path) -> None:
    """Its announcement is replaced by its end where both came between two writes, and ended by a later line else."""
    with Journal(tmp_path / "h", every=3600.0) as journal:
        first, second = call(1), call(3)
        journal.announce(first)
        journal.append(call(2, 2.5, kind="poll"))
        journal.announce(second)
        first.t1, first.outcome = 2.75, Outcome.OK
        journal.append(first)
        assert [op.n for op in read_history(tmp_path / "h")] == [1, 2, 3]
        journal.flush()
        second.t1, second.outcome = 4.0, Outcome.OK
        journal.append(second)
    lines = (tmp_path / "h").read_bytes().splitlines(keepends=True)
    assert [lines[0], lines[3]] == [op_line(first), op_line(second)]
    assert len(lines) == 4
    assert told(tmp_path / "h") == [(1, "join", True), (2, "poll", True), (3, "join", True)]
    assert not beside(tmp_path / "h").exists()


def test_an_end_is_promised_with_what_followed_it(tmp_path: Path) -> None:
    """Nothing that came before an announced call is missing where that call is not."""
    journal = Journal(tmp_path / "h", every=3600.0)
    first = call(1)
    journal.announce(first)
    first.t1, first.outcome = 1.5, Outcome.OK
    journal.append(first)
    journal.announce(call(2))
    assert (tmp_path / "h").read_bytes() == b""
    assert told(tmp_path / "h") == [(1, "join", True), (2, "join", False)]
    journal.close()


@pytest.mark.parametrize("written", range(0, 700, 50))
def test_a_process_that_ended_while_it_wrote(written: int, tmp_path: Path) -> None:
    """However far the write came, each op is there once, and the rest of a line is dropped for good by settling."""
    journal = Journal(tmp_path / "h", every=3600.0)
    journal.append(call(1, 1.5))
    journal.flush()
    before = (tmp_path / "h").read_bytes()
    calls = [call(n) for n in (2, 3, 4)]
    for op in calls:
        journal.announce(op)
        op.t1, op.outcome = op.t0 + 0.25, Outcome.OK
        journal.append(op)
    promised = beside(tmp_path / "h").read_bytes()
    journal.close()
    whole = (tmp_path / "h").read_bytes()
    beside(tmp_path / "h").write_bytes(promised)
    (tmp_path / "h").write_bytes(whole[: len(before) + written])
    there = told(tmp_path / "h")
    assert [number for number, *_ in there] == [1, 2, 3, 4]
    assert all(ended for *_, ended in there[:3])  # the last end had not been promised yet
    settle(tmp_path / "h")
    assert told(tmp_path / "h") == there
    assert (tmp_path / "h").read_bytes().endswith(b"\n")
    assert not beside(tmp_path / "h").exists()


def test_a_lost_worker_is_written_off_with_what_it_promised(tmp_path: Path) -> None:
    """Its journal holds the call under way, and nothing stays beside it."""
    journal = Journal(tmp_path / "h", every=3600.0)
    journal.announce(call(1))
    promised = beside(tmp_path / "h").read_bytes()
    journal.close()
    (tmp_path / "h").write_bytes(b"")
    beside(tmp_path / "h").write_bytes(promised)
    write_off(tmp_path / "h", [])
    assert told(tmp_path / "h")[0] == (1, "join", False)
    assert {"lost", "heartbeat"} <= {kind for _, kind, _ in told(tmp_path / "h")}
    assert not beside(tmp_path / "h").exists()


def test_a_journal_that_goes_on_takes_what_was_left_beside_it(tmp_path: Path) -> None:
    """What a killed process promised is not lost to the one that follows it."""
    journal = Journal(tmp_path / "h", every=3600.0)
    journal.announce(call(1))
    promised = beside(tmp_path / "h").read_bytes()
    journal.close()
    (tmp_path / "h").write_bytes(b"")
    beside(tmp_path / "h").write_bytes(promised)
    with Journal(tmp_path / "h", every=3600.0) as journal:
        journal.announce(call(2, process="p1"))
        assert told(tmp_path / "h") == [(1, "join", False), (2, "join", False)]
    assert told(tmp_path / "h") == [(1, "join", False), (2, "join", False)]


def test_more_than_there_is_room_for_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that finds no room stands in the journal itself before it is sent, and all before it."""
    monkeypatch.setattr(held, "ROOM", 400)
    with Journal(tmp_path / "h", every=3600.0) as journal:
        for n in range(1, 9):
            journal.announce(call(n))
            assert [op.n for op in read_history(tmp_path / "h")] == list(range(1, n + 1))
        assert (tmp_path / "h").stat().st_size > 0


def test_lines_that_are_released_while_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader who comes between two writes starts again, and finds what is held now."""
    journal = Journal(tmp_path / "h", every=3600.0)
    journal.announce(call(1))
    pread, reads = os.pread, []

    def interrupted(file: int, length: int, at: int) -> bytes:
        reads.append(at)
        if len(reads) == 3:  # it knows how many lines there are, and has not read them
            journal.flush()
            journal.announce(call(2))
        return pread(file, length, at)

    monkeypatch.setattr(held.os, "pread", interrupted)
    size, lines = held_lines(tmp_path / "h")
    monkeypatch.undo()
    assert (size, lines) == ((tmp_path / "h").stat().st_size, op_line(call(2)))
    journal.close()


def test_no_room_for_what_is_held_is_a_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told at once, with what to do; a signal would kill the process at some later line."""

    def refused(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(held.os, "posix_fallocate", refused)
    with (
        Journal(tmp_path / "h") as journal,
        pytest.raises(Trouble, match=r"cannot be written.*No space left") as caught,
    ):
        journal.announce(call(1))
    assert "has room" in caught.value.remedy
