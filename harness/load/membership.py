"""A worker's ties to its master: its post in the run, the bounds of its clock, and the way that its journal takes."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gevent
from locust.exception import RPCError

from harness.errors import Trouble
from harness.history.clock import Clock
from harness.history.offset import Offset
from harness.load.machine import clock_name

START = "gurukul-start"
"""From the master: a test begins, and this is your post."""
ASK = "gurukul-clock"
"""From a worker: what is your time? From the master: the answer."""
LINES = "gurukul-lines"
"""From a worker: lines of its journal, for a master that does not see the file."""
_ASK_EVERY = 0.25
_SHIP_EVERY = 0.25
_MOST = 1 << 20
"""Bytes of a journal that one message carries, at most."""


@dataclass(frozen=True)
class Post:
    """What a worker is in a run: its number, of how many, and what Locust tells the master alone."""

    worker: int = 0
    workers: int = 1
    users: int | None = None
    rate: float | None = None
    mark: str = ""
    """A file in the master's history folder: a worker that sees it writes where the master reads."""


class Member:
    """A worker's side. It asks for the master's time for as long as the process lives, four times a second.

    Args:
        runner: Locust's, of this worker.
    """

    def __init__(self, runner: Any) -> None:
        self.post: Post | None = None
        self._runner = runner
        self._offset = Offset()
        self._reference = ""
        runner.register_message(START, self._on_start)
        runner.register_message(ASK, self._on_answer)
        self._asking = gevent.spawn(self._ask)

    def clock(self) -> Clock:
        """This machine's clock, with the bounds of its offset from the master's so far.

        Raises:
            Trouble: the master has not answered yet.
        """
        if self._reference == clock_name():
            return Clock(clock_name())
        clock = self._offset.clock(clock_name())
        if clock is None:
            raise Trouble("the master has not told its time yet", "start the test a moment later")
        return clock

    def ship(self, path: Path) -> Shipment:
        """Begins to send a journal to the master."""
        return Shipment(self._runner, self, path)

    def _ask(self) -> None:
        while True:
            with contextlib.suppress(RPCError):  # Locust mends the line by itself
                self._runner.send_message(ASK, {"sent": time.monotonic()})
            gevent.sleep(_ASK_EVERY)

    def _on_answer(self, msg: Any, **_: Any) -> None:
        self._reference = str(msg.data["clock"])
        self._offset.heard(float(msg.data["sent"]), float(msg.data["reading"]), time.monotonic())

    def _on_start(self, msg: Any, **_: Any) -> None:
        self.post = Post(**msg.data)


class Shipment:
    """Sends the whole lines of a journal as they reach its file, until `finish`."""

    def __init__(self, runner: Any, member: Member, path: Path) -> None:
        self._runner = runner
        self._member = member
        self._file = path.open("rb")
        self._name = path.name
        self._greenlet = gevent.spawn(self._run)

    def finish(self) -> None:
        """Sends what is left. The journal is closed by then."""
        self._greenlet.kill()
        self._send()
        self._file.close()

    def _run(self) -> None:
        while True:
            gevent.sleep(_SHIP_EVERY)
            self._send()

    def _send(self) -> None:
        while lines := self._whole_lines():
            clock = self._member.clock().record()
            try:
                self._runner.send_message(LINES, {"name": self._name, "lines": lines, **clock})
            except RPCError:
                self._file.seek(-len(lines), 1)  # once more, when the line to the master is mended
                return

    def _whole_lines(self) -> bytes:
        """The next lines, up to the last that is whole; a line that is longer than a message goes with the next."""
        found = self._file.read(_MOST)
        whole = found.rfind(b"\n") + 1
        self._file.seek(whole - len(found), 1)
        return found[:whole]


def answered(runner: Any, msg: Any) -> None:
    """The master's side of the question for its time."""
    runner.send_message(ASK, {**msg.data, "reading": time.monotonic(), "clock": clock_name()}, client_id=msg.node_id)
