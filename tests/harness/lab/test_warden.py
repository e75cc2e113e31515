"""The warden: a child never outlives its owner, however the owner ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.lab.warden import Spec, Warden

Gone = Callable[[int], bool]
SAY_AND_WAIT = "echo $$; exec sleep 600"
DEAF = "trap '' TERM; echo $$; while :; do sleep 600 & wait; done"
PARENT = """
import sys, time
from harness.lab.warden import Spec, Warden
warden = Warden(Spec(command=["sh", "-c", sys.argv[1]], remove=sys.argv[2]))
print(warden.read_line(20), warden.pid, flush=True)
time.sleep(600)
"""


def shell(script: str, **more) -> Warden:
    return Warden(Spec(command=["sh", "-c", script], **more))


def test_what_the_child_says_is_read_line_by_line_until_it_ends():
    """Lines come whole; after the last one there is None, and the exit status is the child's."""
    warden = shell("echo one; echo; echo two; exit 7")
    assert [warden.read_line(20) for _ in range(4)] == ["one", "", "two", None]
    assert warden.wait(20) == 7
    assert warden.stop() == 7


def test_a_silent_child_is_not_waited_for_longer_than_said():
    """A line that does not come within the time is None, and the child still runs."""
    warden = shell("sleep 600")
    assert warden.read_line(0.05) is None
    assert warden.exit_status() is None
    warden.stop()


def test_stop_ends_the_child_and_may_be_called_twice(gone: Gone):
    """After stop the child is gone; its status says by which signal."""
    warden = shell(SAY_AND_WAIT)
    child = int(warden.read_line(20))
    assert warden.stop() == 128 + signal.SIGTERM
    assert gone(child)
    assert warden.stop() == 128 + signal.SIGTERM


def test_a_child_that_ignores_the_polite_signal_is_killed(gone: Gone):
    """SIGKILL stands at the end of the ladder."""
    warden = shell(DEAF, stop=((signal.SIGTERM, 0.1),))
    child = int(warden.read_line(20))
    assert warden.stop() == 128 + signal.SIGKILL
    assert gone(child)


def test_what_the_child_leaves_behind_in_its_group_is_killed(gone: Gone):
    """A grandchild does not outlive the child."""
    warden = shell("sleep 600 & echo $!; exit 0")
    grandchild = int(warden.read_line(20))
    assert warden.wait(20) == 0
    assert gone(grandchild)
    warden.stop()


def test_a_killed_parent_takes_the_child_and_the_folder_along(tmp_path: Path, gone: Gone):
    """SIGKILL of the owner ends warden and child, and removes the throw-away folder."""
    folder = tmp_path / "throwaway"
    folder.mkdir()
    root = Path(__file__).parents[3]
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, SAY_AND_WAIT, str(folder)],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(root)},
    )  # fmt: skip
    child, warden = map(int, parent.stdout.readline().split())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert gone(child)
    assert gone(warden)
    assert not folder.exists()


def test_a_killed_warden_takes_the_child_along(gone: Gone):
    """The kernel tells the child when its warden dies."""
    warden = shell(SAY_AND_WAIT)
    child = int(warden.read_line(20))
    os.kill(warden.pid, signal.SIGKILL)
    assert gone(child)
    assert warden.stop() == -signal.SIGKILL


def test_the_commands_before_run_in_order_and_the_first_failure_ends_all(tmp_path: Path):
    """What must come first has succeeded when the child starts; if it fails, the child is never started."""
    trace = tmp_path / "trace"
    good = Spec(command=["sh", "-c", f"echo child >> {trace}"], before=[["sh", "-c", f"echo first >> {trace}"]])
    warden = Warden(good)
    assert warden.wait(20) == 0
    warden.stop()
    bad = Spec(command=["sh", "-c", f"echo never >> {trace}"], before=[["sh", "-c", "exit 5"]])
    warden = Warden(bad)
    assert warden.wait(20) == 5
    warden.stop()
    assert trace.read_text() == "first\nchild\n"


def test_the_log_holds_the_reason_of_a_failure(tmp_path: Path):
    """The last line of the child's standard error tells why it ended."""
    log = tmp_path / "log"
    warden = shell("echo 'error: no luck' >&2; echo >&2; exit 3", log=str(log))
    assert warden.wait(20) == 3
    assert warden.last_line() == "error: no luck"
    warden.stop()


def test_a_program_that_does_not_exist_is_named():
    """The exit status is the shell's 127."""
    warden = Warden(Spec(command=["/nonexistent/program"]))
    assert warden.wait(20) == 127
    warden.stop()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_of_a_terminal_do_not_reach_past_the_owner(number: signal.Signals, gone: Gone):
    """The warden ignores what would end it before its child; only its owner decides."""
    warden = shell(SAY_AND_WAIT)
    child = int(warden.read_line(20))
    os.kill(warden.pid, number)
    assert warden.exit_status() is None
    assert Path(f"/proc/{child}").exists()
    warden.stop()
    assert gone(child)


def test_a_child_that_could_say_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """An empty log is told apart from one for which there is no room."""
    log = tmp_path / "child.log"
    warden = shell("exit 3", log=str(log))
    warden.wait(20)
    room = os.statvfs(tmp_path)
    monkeypatch.setattr(os, "fstatvfs", lambda _log: SimpleNamespace(f_bavail=room.f_bavail or 1))
    assert warden.last_line() == "it said nothing"
    monkeypatch.setattr(os, "fstatvfs", lambda _log: SimpleNamespace(f_bavail=0))
    assert warden.last_line() == f"it could say nothing: there is no room for its log {log}"
    warden.stop()
