"""Standard output and error that take no more: never a verdict's exit status, never a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.cli.progress import Progress
from harness.cli.running import say
from harness.cli.streams import put, show
from harness.errors import Trouble

BENCH = Path(__file__).parents[3] / "results" / "baselines" / "bench-quick.json"
VERBS = [f"report {BENCH}", f"export {BENCH} --to markdown", f"compare {BENCH} {BENCH} --json -", "report --help"]
BROKEN = "error: standard output cannot be written (Broken pipe): let its reader take all of it, or make room for it"


@contextmanager
def unread(monkeypatch: pytest.MonkeyPatch, name: str) -> Iterator[None]:
    """The stream is a pipe whose reader has gone."""
    out, into = os.pipe()
    os.close(out)
    with os.fdopen(into, "w") as stream, monkeypatch.context() as patch:
        patch.setattr(sys, name, stream)
        yield


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.split()[0])
def test_a_reader_who_goes_is_told_from_a_wrong_target(bash, tmp_path: Path, verb: str) -> None:
    """As in `| true`: status 3 and one line; the same where standard error goes the same way."""
    os.mkfifo(tmp_path / "pipe")
    unread = f"exec 7<>{tmp_path}/pipe 8>{tmp_path}/pipe 7>&-"
    ended = bash(f"{unread}; gurukul {verb} >&8")
    assert (ended.status, ended.err.splitlines()[-1]) == (3, BROKEN)
    assert "Traceback" not in ended.err
    assert bash(f"{unread}; gurukul {verb} >&8 2>&8").status == 3


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.split()[0])
def test_standard_output_without_room(bash, verb: str) -> None:
    """A full disk is one line."""
    ended = bash(f"gurukul {verb} > /dev/full")
    assert (ended.status, ended.err.splitlines()[-1]) == (3, BROKEN.replace("Broken pipe", "No space left on device"))
    assert "Traceback" not in ended.err


def test_standard_output_that_speaks_ascii_or_is_closed(bash) -> None:
    """What ASCII has no letter for is spelled; a document for a program is UTF-8 all the same."""
    ended = bash(f"gurukul report {BENCH}", PYTHONIOENCODING="ascii")
    assert ended.status == 0, ended.err
    assert ended.out.isascii() and "\\u2026" in ended.out
    assert not bash(f"gurukul export {BENCH} --to markdown", PYTHONIOENCODING="ascii").out.isascii()
    ended = bash(f"gurukul report {BENCH} >&-")
    assert (ended.status, ended.err) == (0, "")


def test_a_run_goes_on_without_spectators(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Progress that nobody reads any more is let go, line after line, and the tables that go there too."""
    with unread(monkeypatch, "stderr"), Progress() as progress:
        progress.note("one")
        progress.note("two")
        say("three")
        show("a table", to_stderr=True)
    put("the figures")
    assert capsys.readouterr().out == "the figures"


@pytest.mark.parametrize("write", [put, show])
def test_standard_output_that_nobody_reads_is_trouble(monkeypatch: pytest.MonkeyPatch, write) -> None:
    """Once: what comes after goes nowhere, so that Python has nothing to complain about at its end."""
    with unread(monkeypatch, "stdout"):
        with pytest.raises(Trouble, match=r"standard output cannot be written \(Broken pipe\)"):
            write("text")
        write("more")
