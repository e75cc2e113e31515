"""The watcher of a run as Locust's process sees it: started with the test, and asked what it has seen last."""

from __future__ import annotations

import logging
import os
import subprocess as plain
import sys
from pathlib import Path
from typing import Any

import gevent
import orjson
from gevent import subprocess

from harness.target import Target

log = logging.getLogger(__name__)

_FINISHING = 60.0
_ROOT = Path(__file__).resolve().parents[2]


class Observer:
    """What a run shows, for the web tab. One run after the other.

    Args:
        target: what is under load, for its budgets.
        folder: where the journals lie.
        name: that of the histories.
    """

    def __init__(self, target: Target, folder: Path, name: str) -> None:
        self.seen: dict[str, Any] = {}
        terms = {
            "folder": str(folder), "name": name, "budgets": target.budgets.model_dump(),
            "capabilities": target.capabilities.model_dump(exclude={"database_url", "crash"}),
            "fresh_users": target.identities.mode != "fixed",
        }  # fmt: skip
        path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH", ""))))
        self._child: Any = subprocess.Popen(
            [sys.executable, "-m", "harness.load.watcher"], stdin=plain.PIPE, stdout=plain.PIPE,
            env={**os.environ, "PYTHONPATH": path},
        )  # fmt: skip
        self._say(orjson.dumps(terms) + b"\n")
        self._listening = gevent.spawn(self._listen)

    def over(self) -> None:
        """Says that the journals are closed: the watcher judges them whole, and ends. Nobody waits for it."""
        self._say(b"over\n")
        gevent.spawn(self._finish)

    def stop(self) -> None:
        """Ends the watcher, wherever it is. May be called twice."""
        if self._child.poll() is None:
            self._child.kill()
        self._child.wait()
        self._listening.kill()

    def _finish(self) -> None:
        with gevent.Timeout(_FINISHING, exception=False):
            self._listening.join()
        self.stop()

    def _say(self, line: bytes) -> None:
        try:
            self._child.stdin.write(line)
            self._child.stdin.flush()
        except BrokenPipeError:
            log.warning("nobody judges while the run goes on: the watcher has ended")

    def _listen(self) -> None:
        for line in self._child.stdout:
            self.seen = orjson.loads(line)
