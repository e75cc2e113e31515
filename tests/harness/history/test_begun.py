"""A call that was announced outlives the process that announced it, without a write for each."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import Trouble
from harness.history.journal import Journal, clock_stated, merge_histories, op_line, read_history
from harness.history.op import Op, Outcome, Via

_KILLED = """
import os, signal, sys
from pathlib import Path
from harness.history.clock import Clock
from harness.history.journal import Journal
from harness.history.op import Via
from harness.history.recorder import Recorder

journal = Journal(Path(sys.argv[1]), every=3600.0, clock=Clock("a", 0.0, 0.0))
recorder = Recorder(journal, process="t", announce=journal.announce)
recorder.begin("a", "d", "join", Via.HTTP).ok()
recorder.begin("b", "d", "join", Via.HTTP)
journal.flush()
recorder.begin("a", "d", "poll", Via.HTTP).ok()
recorder.begin("a", "d", "end", Via.HTTP).ok()
recorder.begin("b", "d", "poll", Via.HTTP)
recorder.begin("b", "d", "leave", Via.HTTP)
os.kill(os.getpid(), signal.SIGKILL)
"""


def an_op(n: int, op: str = "join", t1: float | None = 2.0) -> Op:
    return Op(n, 1.0, t1, "t", "u", "d", op, Outcome.INFO if t1 is None else Outcome.OK, Via.HTTP)


def beside(path: Path) -> Path:
    return path.with_name(path.name + ".begun")


def told(path: Path) -> list[tuple[int, str, bool]]:
    return [(op.n, op.op, op.t1 is not None) for op in read_history(path)]


def test_a_killed_process_leaves_every_call_with_an_effect(tmp_path: Path) -> None:
    """What had ended and was held back counts as under way; what was flushed is whole; a lost poll accuses nobody."""
    path = tmp_path / "h.ndjson"
    done = subprocess.run([sys.executable, "-c", _KILLED, str(path)], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    left = {(1, "join", True), (2, "join", False), (4, "end", False), (6, "leave", False)}
    assert set(told(path)) == left
    stated = clock_stated(path)
    assert stated is not None
    assert stated.id == "a"
    assert merge_histories([path], tmp_path / "all") == 4
    assert set(told(tmp_path / "all")) == left
    assert [path.name for path in tmp_path.glob("*.ndjson")] == ["h.ndjson"]


def test_an_announced_call_is_written_once(tmp_path: Path) -> None:
    """One line, as it ended, where it ended before the journal was flushed; and nothing lies beside in the end."""
    path = tmp_path / "h"
    with Journal(path, every=3600.0) as journal:
        journal.announce(an_op(1, t1=None))
        assert told(path) == [(1, "join", False)]
        journal.append(an_op(1))
        assert path.read_bytes() == b""
        journal.flush()
        assert beside(path).read_bytes().strip(b"\0") == b""
    assert path.read_bytes() == op_line(an_op(1))
    assert not beside(path).exists()


def test_a_call_that_outlasts_a_flush_is_one_op(tmp_path: Path) -> None:
    """It is in the file as one under way, and its end takes that place."""
    path = tmp_path / "h"
    with Journal(path, every=3600.0) as journal:
        journal.announce(an_op(1, t1=None))
        journal.flush()
        assert path.read_bytes() == op_line(an_op(1, t1=None))
        journal.append(an_op(2, "poll"))
        journal.append(an_op(1))
    assert told(path) == [(1, "join", True), (2, "poll", True)]


def test_more_calls_than_there_is_room_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full file is written into the journal and begins anew; one line that is longer than it goes the same way."""
    monkeypatch.setattr("harness.history.begun.SIZE", 1000)
    path = tmp_path / "h"
    journal = Journal(path, every=3600.0)
    for n in range(1, 101):
        journal.announce(an_op(n, t1=None))
        assert len(told(path)) == n
    long = an_op(101, t1=None)
    long.value = {"mode": "x" * 2000}
    journal.announce(long)
    assert [n for n, _, _ in sorted(told(path))] == list(range(1, 102))
    for n in range(1, 102):
        journal.append(an_op(n))
    journal.close()
    assert sorted(told(path)) == [(n, "join", True) for n in range(1, 102)]


def test_a_process_killed_between_writing_and_forgetting(tmp_path: Path) -> None:
    """A call whose end is in the file already is not counted again, and half an announcement is none."""
    path = tmp_path / "h"
    path.write_bytes(op_line(an_op(1)) + op_line(an_op(2, "poll"))[:-5])
    beside(path).write_bytes(op_line(an_op(1, t1=None)) + op_line(an_op(3, "end", None))[:-7] + bytes(100))
    assert told(path) == [(1, "join", True)]
    assert merge_histories([path], tmp_path / "all") == 1


def test_a_journal_that_is_taken_up_again_keeps_what_had_begun(tmp_path: Path) -> None:
    """The first announcement of the next process moves what the last one left into the file."""
    path = tmp_path / "h"
    path.write_bytes(op_line(an_op(1)))
    beside(path).write_bytes(op_line(an_op(1, t1=None)) + op_line(an_op(2, "end", None)) + bytes(100))
    with Journal(path, every=3600.0) as journal:
        journal.announce(an_op(3, t1=None))
        assert sorted(told(path)) == [(1, "join", True), (2, "end", False), (3, "join", False)]
        journal.append(an_op(3))
    assert sorted(told(path)) == [(1, "join", True), (2, "end", False), (3, "join", True)]


def test_a_disk_without_room(tmp_path: Path) -> None:
    """The first announcement says so, instead of a signal that ends the process at some later one."""
    code = (
        "import resource, sys; from pathlib import Path; from harness.history.journal import Journal\n"
        "from harness.history.op import *\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "op = Op(1, 1.0, None, 't', 'u', 'd', 'join', Outcome.INFO, Via.HTTP)\n"
        "Journal(Path(sys.argv[1])).announce(op)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "h")], check=False, capture_output=True, text=True, timeout=60
    )
    assert "Trouble" in done.stderr
    assert "h.begun cannot be written" in done.stderr


def test_no_folder(tmp_path: Path) -> None:
    """A folder that is gone is a Trouble with a remedy."""
    (tmp_path / "f").mkdir()
    journal = Journal(tmp_path / "f" / "h")
    (tmp_path / "f" / "h").unlink()
    (tmp_path / "f").rmdir()
    with pytest.raises(Trouble, match="cannot be written") as trouble:
        journal.announce(an_op(1, t1=None))
    assert trouble.value.remedy
    journal.close()
