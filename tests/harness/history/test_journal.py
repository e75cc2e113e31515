"""The journal keeps every op, reads back what it wrote, and says what is wrong with what it cannot read."""

from __future__ import annotations

import logging
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import Trouble
from harness.history.journal import Journal, is_torn, merge_histories, read_history, write_history
from harness.history.lines import op_line, op_record, parse_op
from harness.history.op import Op, Outcome, Via
from harness.history.recorder import Recorder

TIMES = st.floats(0, 1e6)


def an_op(n: int = 1, t0: float = 1.0, process: str = "p0") -> Op:
    return Op(n, t0, t0 + 0.5, process, "u", "d1", "join", Outcome.OK, Via.HTTP, {"mode": "global"}, 7, 0.9)


@given(
    n=st.integers(1, 2**53), t0=TIMES, took=st.none() | st.floats(0, 100), due=st.none() | TIMES,
    outcome=st.sampled_from(Outcome), via=st.sampled_from(Via), names=st.lists(st.text(), min_size=3, max_size=3),
    value=st.dictionaries(st.text(), st.none() | st.booleans() | st.text() | st.integers(-(2**53), 2**53), max_size=4),
)  # fmt: skip
def test_a_line_says_the_whole_op(
    n: int, t0: float, took: float | None, due: float | None, outcome: Outcome, via: Via, names: list[str], value: dict
) -> None:
    """Every op survives the way to disk and back, whatever it holds."""
    t1 = None if took is None else t0 + took
    op = Op(n, t0, t1, names[0], names[1], names[2], "poll", outcome, via, value, 3, due)
    line = op_line(op)
    assert line.count(b"\n") == 1
    assert parse_op(line) == op


def test_a_recorder_writes_into_a_journal(tmp_path: Path) -> None:
    """The journal is a sink: calls are lines in the order of their ends, and last those that never came back."""
    path = tmp_path / "history.ndjson"
    with Journal(path) as journal:
        recorder = Recorder(journal, process="t.swarm.0", seed=5, clock=iter([1.0, 2.0, 3.0]).__next__)
        lost = recorder.begin("a", "d1", "leave", Via.HTTP)
        recorder.begin("a", "d1", "join", Via.HTTP, token="x").answered(200)
        recorder.close()
    ops = read_history(path)
    assert [(op.op, op.t0, op.t1, op.outcome) for op in ops] == [
        ("join", 2.0, 3.0, Outcome.OK), ("leave", 1.0, None, Outcome.INFO),
    ]  # fmt: skip
    assert ops[0].value == {"token": "x", "status": 200}
    assert lost.op.process == "t.swarm.0"


def test_a_call_that_was_announced_is_one_op(tmp_path: Path) -> None:
    """A write has it as a call that never came back while it is under way; reading and merging agree on its end."""
    journal = Journal(tmp_path / "h", every=3600.0)
    recorder = Recorder(journal, clock=iter([1.0, 2.0, 3.0, 4.0, 5.0]).__next__, announce=journal.announce)
    join = recorder.begin("a", "d1", "join", Via.HTTP, mode="global")
    journal.flush()
    assert [(op.op, op.t1, op.outcome) for op in read_history(tmp_path / "h")] == [("join", None, Outcome.INFO)]
    recorder.begin("a", "d1", "poll", Via.POLL).ok()
    recorder.begin("a", "d1", "end", Via.HTTP, id="s")
    join.answered(200)
    recorder.close()
    journal.close()
    told = [("join", 1.0, 5.0, Outcome.OK), ("poll", 2.0, 3.0, Outcome.OK), ("end", 4.0, None, Outcome.INFO)]
    assert [(op.op, op.t0, op.t1, op.outcome) for op in read_history(tmp_path / "h")] == told
    assert merge_histories([tmp_path / "h"], tmp_path / "all") == 3
    assert [(op.op, op.t0, op.t1, op.outcome) for op in read_history(tmp_path / "all")] == told


def test_a_call_that_ends_before_the_next_write_stands_once(tmp_path: Path) -> None:
    """Calls under way come first in a write: what it ends with, they had begun before."""
    with Journal(tmp_path / "h", every=3600.0) as journal:
        recorder = Recorder(journal, announce=journal.announce)
        recorder.begin("a", "d1", "join", Via.HTTP).answered(200)
        recorder.saw("a", "d1", "push", Via.WS)
        leave = recorder.begin("a", "d1", "leave", Via.HTTP)
        journal.flush()
        journal.flush()
        leave.answered(200)
    lines = [parse_op(line) for line in (tmp_path / "h").read_bytes().splitlines()]
    assert [(op.op, op.t1 is None) for op in lines] == [
        ("leave", True), ("join", False), ("push", False), ("leave", False),
    ]  # fmt: skip


KILLED = """
import os, signal, sys
from pathlib import Path
from harness.history.journal import Journal
from harness.history.op import Via
from harness.history.recorder import Recorder

journal = Journal(Path(sys.argv[1]), every=float(sys.argv[2]))
recorder = Recorder(journal, announce=journal.announce)
join = recorder.begin("a", "d1", "join", Via.HTTP)
for number in range(int(sys.argv[3])):
    recorder.begin("a", "d1", "signal_send", Via.HTTP, seq=number).answered(201)
    recorder.saw("a", "d1", "signal_recv", Via.WS, seq=number)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("every", [0.0, 0.0005, 3600.0])
def test_a_killed_process_leaves_all_up_to_one_moment(every: float, tmp_path: Path) -> None:
    """However often it wrote: no op is there of which an earlier one is missing, and what was under way is left."""
    run = [sys.executable, "-c", KILLED, str(tmp_path / "h"), str(every), "300"]
    assert subprocess.run(run, check=False).returncode == -signal.SIGKILL
    ops = read_history(tmp_path / "h")
    assert [op.n for op in ops] == list(range(1, len(ops) + 1))
    assert [(op.op, op.t1) for op in ops if op.t1 is None] == ([("join", None)] if ops else [])
    assert bool(ops) == (every < 1)


def test_a_journal_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """Opening a journal again appends to it."""
    for n in (1, 2):
        journal = Journal(tmp_path / "h")
        journal.append(an_op(n))
        journal.close()
        journal.close()
    assert [op.n for op in read_history(tmp_path / "h")] == [1, 2]


def test_what_is_flushed_survives_a_kill(tmp_path: Path) -> None:
    """After `flush`, and after each `every` seconds while ops come in, the file holds the ops."""
    journal = Journal(tmp_path / "h", every=0.0)
    journal.append(an_op(1))
    assert len(read_history(tmp_path / "h")) == 1
    patient = Journal(tmp_path / "g", every=3600.0)
    patient.append(an_op(1))
    assert read_history(tmp_path / "g") == []
    patient.flush()
    assert len(read_history(tmp_path / "g")) == 1
    journal.close()
    patient.close()


def test_a_torn_last_line_is_dropped_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What a killed process left half written is dropped, and the log says which line."""
    path = tmp_path / "h"
    path.write_bytes(op_line(an_op(1)) + op_line(an_op(2))[:-9])
    with caplog.at_level(logging.WARNING):
        assert [op.n for op in read_history(path)] == [1]
    assert "torn" in caplog.text
    assert "line 2" in caplog.text


def test_a_last_line_without_newline_is_kept(tmp_path: Path) -> None:
    """A whole op counts even when its newline is missing."""
    path = tmp_path / "h"
    path.write_bytes(op_line(an_op(1)).rstrip())
    assert len(read_history(path)) == 1


def test_blank_lines_are_nothing(tmp_path: Path) -> None:
    """Blank lines are skipped, and still counted for the numbers in errors."""
    path = tmp_path / "h"
    path.write_bytes(b"\n" + op_line(an_op(1)) + b"  \n")
    assert len(read_history(path)) == 1


WRONG = {
    "not json": (b"{", "line 1: not an op"),
    "a list": (b"[]", "not a JSON object"),
    "a number": (b"5", "not a JSON object"),
    "no time": (op_line(an_op()).replace(b'"t0":1.0,', b""), "no key 't0'"),
    "a time in words": (op_line(an_op()).replace(b'"t0":1.0', b'"t0":"now"'), "a wrong 't0': 'now'"),
    "another outcome": (op_line(an_op()).replace(b'"ok"', b'"fine"'), "a wrong 'outcome': 'fine'"),
    "an outcome that is a list": (op_line(an_op()).replace(b'"ok"', b"[1]"), "a wrong 'outcome': [1]"),
    "another way": (op_line(an_op()).replace(b'"http"', b'"smtp"'), "a wrong 'via': 'smtp'"),
    "an unknown key": (op_line(an_op()).replace(b'"seed"', b'"sneed"'), "unknown key 'sneed'"),
    "an end before its start": (op_line(an_op()).replace(b'"t1":1.5', b'"t1":0.5'), "an end before its start"),
    "a value that is none": (op_line(an_op()).replace(b'{"mode":"global"}', b"[]"), "a wrong 'value'"),
    "not utf-8": (b"\xff\xfe\x00", "line 1: not an op"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_malformed_line_is_named(name: str, tmp_path: Path) -> None:
    """A line that is no op is a Trouble with file, line number and what is wrong: one line, no traceback."""
    line, text = WRONG[name]
    path = tmp_path / "h"
    path.write_bytes(line.rstrip(b"\n") + b"\n" + op_line(an_op()))
    with pytest.raises(Trouble) as trouble:
        read_history(path)
    assert f"{path}, line 1" in str(trouble.value)
    assert text in str(trouble.value)
    assert "\n" not in str(trouble.value)


def test_optional_keys_may_be_left_out() -> None:
    """`value`, `seed` and `due` have defaults, so that a history can be written by hand."""
    line = b'{"n":1,"t0":0,"t1":1,"process":"p","user":"u","device":"d","op":"leave","outcome":"ok","via":"http"}'
    assert parse_op(line) == Op(1, 0, 1, "p", "u", "d", "leave", Outcome.OK, Via.HTTP)


def test_what_json_cannot_say_becomes_text() -> None:
    """A value of another kind is written as its text instead of losing the op."""
    op = an_op()
    op.value = {"path": Path("/x")}
    assert op_record(op)["value"] == {"path": "/x"}
    op.value = {"error": ["a lone \ud800", 2**70, 1.5, None], "keys": {1: True}}
    assert op_record(op)["value"] == {"error": ["a lone ?", str(2**70), 1.5, None], "keys": {"1": True}}
    assert parse_op(op_line(op)).outcome is Outcome.OK


def test_histories_merge_by_start(tmp_path: Path) -> None:
    """Several files become one, ordered by the start of the ops; a torn end of one of them is left out."""
    (tmp_path / "a").write_bytes(op_line(an_op(1, 5.0)) + op_line(an_op(2, 1.0)) + b'{"n":3')
    (tmp_path / "b").write_bytes(op_line(an_op(1, 3.0, "p1")).rstrip())
    assert merge_histories([tmp_path / "a", tmp_path / "b"], tmp_path / "all") == 3
    assert [(op.process, op.t0) for op in read_history(tmp_path / "all")] == [("p0", 1.0), ("p1", 3.0), ("p0", 5.0)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "all", "b"]


def test_merging_names_a_malformed_line(tmp_path: Path) -> None:
    """A line in the middle that is no op is a Trouble, and nothing is written."""
    (tmp_path / "a").write_bytes(b'{"t0": "x"}\n' + op_line(an_op()))
    with pytest.raises(Trouble, match="line 1"):
        merge_histories([tmp_path / "a"], tmp_path / "all")
    assert not (tmp_path / "all").exists()


def test_writing_and_reading_a_whole_history(tmp_path: Path) -> None:
    """`write_history` replaces what was there."""
    write_history([an_op(1), an_op(2)], tmp_path / "h")
    write_history([an_op(3)], tmp_path / "h")
    assert [op.n for op in read_history(tmp_path / "h")] == [3]


def test_no_file_and_no_folder(tmp_path: Path) -> None:
    """A missing history, and one that cannot be written, are Troubles that name the path and a remedy."""
    with pytest.raises(Trouble, match="there is no history"):
        read_history(tmp_path / "none")
    with pytest.raises(Trouble, match="cannot be read"):
        read_history(tmp_path)
    with pytest.raises(Trouble, match="cannot be written") as trouble:
        Journal(tmp_path / "no" / "h")
    assert trouble.value.remedy
    with pytest.raises(Trouble, match="cannot be written"):
        write_history([], tmp_path / "no" / "h")


def test_a_full_disk_is_a_trouble() -> None:
    """When the disk refuses, the run stops with a Trouble instead of going on without a history."""
    journal = Journal(Path("/dev/full"), every=0.0)
    with pytest.raises(Trouble, match="No space left"):
        journal.append(an_op())
    with pytest.raises(Trouble, match="No space left"):
        journal.close()
    journal.close()


def test_what_the_disk_refused_is_written_later_and_once(tmp_path: Path) -> None:
    """A write that was cut short goes on where it stopped, as soon as there is room."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    journal = Journal(tmp_path / "h", every=3600.0)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(op_line(an_op(1))) + 9, hard))
        for n in (1, 2, 3):
            journal.append(an_op(n))
        with pytest.raises(Trouble, match="cannot be written"):
            journal.flush()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    journal.append(an_op(4))
    journal.close()
    assert [op.n for op in read_history(tmp_path / "h")] == [1, 2, 3, 4]


def test_a_closed_journal_takes_nothing(tmp_path: Path) -> None:
    """An op after the end is a Trouble, not a silent loss."""
    journal = Journal(tmp_path / "h")
    journal.close()
    journal.flush()
    with pytest.raises(Trouble, match="is closed"):
        journal.append(an_op())


def journal_of(path: Path, ops: list[Op]) -> Path:
    """A journal in which a call was announced before it ended, and another never came back."""
    with Journal(path, every=3600.0) as journal:
        recorder = Recorder(journal, clock=iter([1.0, 2.0, 3.0]).__next__, announce=journal.announce)
        join = recorder.begin("a", "d1", "join", Via.HTTP)
        recorder.begin("a", "d1", "leave", Via.HTTP)
        journal.flush()
        join.answered(200)
        for op in ops:
            journal.append(op)
        recorder.close()
    return path


def test_a_history_that_is_given_twice_counts_once(tmp_path: Path) -> None:
    """Whether a file holds it twice or two files hold it: calls that were announced, and those that never came back."""
    once = journal_of(tmp_path / "a", [an_op(7), an_op(8), an_op(1, process="p1")])
    ops = read_history(once)
    assert len(ops) == 5
    twice = tmp_path / "twice"
    twice.write_bytes(once.read_bytes() * 2)
    assert read_history(twice) == ops
    assert merge_histories([once, once], tmp_path / "all") == 5
    assert sorted(read_history(tmp_path / "all"), key=str) == sorted(ops, key=str)
    assert merge_histories([twice], tmp_path / "all") == 5


def test_histories_of_two_runs_are_not_put_together(tmp_path: Path) -> None:
    """Their processes have the same names and numbers, and other ops."""
    one = journal_of(tmp_path / "a", [an_op(7)])
    other = journal_of(tmp_path / "b", [an_op(7, t0=5.0)])
    with pytest.raises(Trouble, match="b: the process p0 has two different ops with the number 7, so these are"):
        merge_histories([one, other], tmp_path / "all")
    (tmp_path / "c").write_bytes(one.read_bytes() + other.read_bytes())
    with pytest.raises(Trouble, match="c: the process p0 has two different ops with the number 7"):
        read_history(tmp_path / "c")


@pytest.mark.parametrize(
    ("text", "torn"),
    [(b"", False), (op_line(an_op()), False), (op_line(an_op()).rstrip(), False), (op_line(an_op()) + b"\n \n", False),
     (op_line(an_op())[:-9], True), (op_line(an_op()) + op_line(an_op(2))[:1], True)],
)  # fmt: skip
def test_a_torn_last_line_can_be_asked_for(text: bytes, torn: bool, tmp_path: Path) -> None:
    """A line without its newline is whole where it can be read."""
    (tmp_path / "h").write_bytes(text)
    assert is_torn(tmp_path / "h") is torn
