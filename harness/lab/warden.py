"""A warden owns one child process: when its parent is gone, however that came, it stops the child and cleans up.

The file has two halves. `Warden` is what the harness calls. The rest runs as a program of its own, by path, with the
standard library alone: `python -I -S warden.py SPEC`. Parent and warden are tied by a pipe on the warden's standard
input; nobody ever writes to it, and the kernel closes it when the parent dies, also by SIGKILL.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # prctl(2)


@dataclass(frozen=True)
class Spec:
    """What a warden does. Times in seconds.

    `before` are commands that must succeed, one after the other, before `command` is started. `log` takes the standard
    error of all of them (and the standard output of those in `before`); without one they go to the warden's own.
    `user` runs them under that uid and gid, with no other groups. `stop` is the ladder of signals with the time that
    each gets; SIGKILL stands at its end by itself. `remove` is deleted when the child has ended.
    """

    command: Sequence[str]
    before: Sequence[Sequence[str]] = ()
    cwd: str = ""
    log: str = ""
    user: int | None = None
    stop: Sequence[tuple[int, float]] = ((signal.SIGTERM, 8.0),)
    remove: str = ""


class Warden:
    """One child process behind its warden, as the harness sees it: start, wait, stop.

    Args:
        spec: what to run.
        env: the child's environment; None inherits ours. Secrets belong here, not on the command line.
        keep: file descriptors that the warden holds open for as long as it lives (a lock on a folder).
    """

    def __init__(self, spec: Spec, *, env: Mapping[str, str] | None = None, keep: Sequence[int] = ()) -> None:
        self._spec = spec
        log = (
            os.open(spec.log, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644) if spec.log else None
        )  # outlives its folder
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(__file__).resolve()), json.dumps(asdict(spec))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, pass_fds=tuple(keep), start_new_session=True,
        )  # fmt: skip
        self._out = self._process.stdout
        self._log = log
        self._reading = threading.Lock()

    @property
    def pid(self) -> int:
        """The warden's process id (the child's is the child's own to tell)."""
        return self._process.pid

    def exit_status(self) -> int | None:
        """The child's exit status (negative: the signal that killed it), None while it runs."""
        return self._process.poll()

    def read_line(self, timeout: float) -> str | None:
        """The child's next line on standard output; None when it ended first or the time is over."""
        deadline, line = time.monotonic() + timeout, b""
        with self._reading:
            while self._out is not None and not line.endswith(b"\n"):
                ready, _, _ = select.select([self._out], [], [], max(0.0, deadline - time.monotonic()))
                chunk = os.read(self._out.fileno(), 1) if ready else b""
                if not chunk:
                    return None
                line += chunk
        return line.decode(errors="replace").rstrip("\n")

    def last_line(self, having: str = "") -> str:
        """The last line of the log that says something, with `having` in it if there is such a one.

        As a rule it is why the child ended. To be asked before `stop`.
        """
        if self._log is None:
            return "it keeps no log"
        text = os.pread(self._log, os.fstat(self._log).st_size, 0).decode(errors="replace")
        said = [line.strip() for line in text.splitlines() if line.strip()]
        fitting = [line for line in said if having in line]
        full = not os.fstatvfs(self._log).f_bavail
        nothing = f"it could say nothing: there is no room for its log {self._spec.log}" if full else "it said nothing"
        return (fitting or said or [nothing])[-1]

    def wait(self, timeout: float | None = None) -> int | None:
        """Waits until the child has ended; its exit status, or None when the time was over first."""
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(timeout)
        return None

    def stop(self) -> int:
        """Stops the child and waits until it and its folder are gone. May be called twice. Returns its exit status."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        patience = sum(seconds for _, seconds in self._spec.stop) + 10.0
        status = self.wait(patience)
        if status is None:  # pragma: no cover — a warden that hangs is a bug of ours; the child dies with it
            self._process.kill()
            status = self._process.wait()
        with self._reading:  # a reader in another thread has seen the end by now
            if self._out is not None:
                self._out.close()
                self._out = None
        if self._log is not None:
            os.close(self._log)
            self._log = None
        return status


# ---------------------------------------------------------------- the warden's own process


def _watch_children() -> int:
    """Makes every SIGCHLD readable on the returned file descriptor, and everything else that could end us harmless."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    return reader


def _start(spec: Spec, command: Sequence[str], stdout: int | None) -> subprocess.Popen[bytes]:
    """Starts a command that dies with us, even if somebody kills the warden itself."""
    libc = ctypes.CDLL(None)
    first_signal = spec.stop[0][0]

    def prepare() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, first_signal)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)

    log = os.open(spec.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644) if spec.log else None
    try:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log if stdout is None else stdout, stderr=log,
            cwd=spec.cwd or None, start_new_session=True, preexec_fn=prepare,  # noqa: PLW1509 — we have one thread
            user=spec.user, group=spec.user, extra_groups=None if spec.user is None else [],
        )  # fmt: skip
    finally:
        if log is not None:
            os.close(log)


def _ended(child: subprocess.Popen[bytes], children: int, parent: int | None, seconds: float | None) -> bool:
    """Waits until the child ends (True), the parent is gone or the time is over (False)."""
    poller = select.poll()
    poller.register(children, select.POLLIN)
    if parent is not None:
        poller.register(parent, select.POLLIN | select.POLLHUP)
    deadline = None if seconds is None else time.monotonic() + seconds
    while child.poll() is None:
        left = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000
        ready = dict(poller.poll(left))
        if not ready or parent in ready:
            return child.poll() is not None
        with suppress(BlockingIOError):
            os.read(children, 64)
    return True


def _stop(child: subprocess.Popen[bytes], children: int, ladder: Sequence[tuple[int, float]]) -> None:
    for number, seconds in ladder:
        child.send_signal(number)
        if _ended(child, children, None, seconds):
            break
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)  # the child's own children, if it left any
    child.wait()


def _run(spec: Spec, children: int) -> int:
    """Runs the commands one after the other; the exit status of the last one started."""
    for command in [*spec.before, spec.command]:
        last = command is spec.command
        try:
            child = _start(spec, command, stdout=1 if last else None)
        except OSError as error:
            sys.stderr.write(f"error: {command[0]} cannot be started: {error}\n")
            return 127
        if last:
            os.close(1)  # the reader of our standard output must see the end when the child ends
        _ended(child, children, parent=0, seconds=None)
        _stop(child, children, spec.stop if child.poll() is None else ())
        if child.returncode or last:
            return int(child.returncode)
        if select.select([0], [], [], 0)[0]:  # the parent went away between two commands
            return 0
    return 0


def main(text: str) -> int:
    """Runs a warden from the text of its spec; returns the child's exit status as a shell would say it."""
    spec = Spec(**json.loads(text))
    children = _watch_children()
    try:
        status = _run(spec, children)
    finally:
        if spec.remove:
            shutil.rmtree(spec.remove, ignore_errors=True)
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
