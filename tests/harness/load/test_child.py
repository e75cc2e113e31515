"""A swarm's child process is given up when it comes no further, and not while it does."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest

from harness.errors import Trouble
from harness.load.child import run_child

_COUNTING = """
import os, sys, time
from pathlib import Path
pipe = int(sys.argv[-2].partition("=")[2])
Path(sys.argv[1]).write_text(str(os.getpid()))
for number in range(int(sys.argv[2])):
    os.write(pipe, b"%d\\n" % (number if sys.argv[3] == "on" else 0))
    time.sleep(0.05)
sys.exit(7)
"""
"""Counts on, or says the same again and again, twenty times a second."""


async def counted(folder: Path, lines: int, way: str, within: float | None = 0.1) -> tuple[int, list[bytes]]:
    """Exit status of a child that counts, and what was heard of it; a number is progress if it is a new one."""
    heard: list[bytes] = []

    def hear(line: bytes) -> bool:
        heard.append(line)
        return line not in heard[:-1]

    command = [sys.executable, "-c", _COUNTING, str(folder / "pid"), str(lines), way]
    return await run_child(command, folder / "log", hear, within=within, stuck=3.0), heard


async def test_a_late_child_is_waited_for_while_it_comes_further(tmp_path):
    """Four seconds and more of progress, where 3.1 seconds were allowed."""
    status, heard = await counted(tmp_path, 80, "on")
    assert (status, len(heard)) == (7, 80)


async def test_a_child_that_comes_no_further_is_given_up(tmp_path):
    """It says something all the time, and never anything new."""
    with pytest.raises(Trouble, match="did not end in time"):
        await counted(tmp_path, 10_000, "still")
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


async def test_nobody_gives_up_a_child_that_may_take_for_ever(tmp_path):
    """No limit is set where nobody can say how long it takes."""
    assert (await counted(tmp_path, 80, "still", within=None))[0] == 7
