"""Several generator processes as one swarm: all start the quiet time together, and the run ends when all are done."""

from __future__ import annotations

import asyncio
from typing import Any

import gevent
from locust.runners import WorkerRunner

from harness.load.bridge import Bridge

IN = "gurukul-in"
"""From a worker: its last arrival has joined."""
QUIET = "gurukul-quiet"
"""From the master: everybody's last arrival has joined."""
DONE = "gurukul-done"
"""From a worker: everybody has gone, and its journal is closed."""
CLOSE = "gurukul-close"
"""From the master: the run is over, close your journal."""
QUIT = "gurukul-quit"
"""From a worker: it has trouble, the run is over."""


class Together:
    """A worker's ties to the others; a process that is alone has none, and waits for nobody.

    Args:
        runner: Locust's, of this process.
        bridge: the way to the loop that waits.
    """

    def __init__(self, runner: Any, bridge: Bridge) -> None:
        self._runner = runner
        self._bridge = bridge
        self._quiet = asyncio.Event()
        self.alone = not isinstance(runner, WorkerRunner)
        if not self.alone:
            runner.custom_messages.pop(QUIET, None)  # of the run before
            runner.register_message(QUIET, self._on_quiet)

    async def everybody_in(self) -> None:
        """Says that all of ours have joined, and waits until all of the others' have. For the loop."""
        if not self.alone:
            self._bridge.post(lambda: self._runner.send_message(IN))
            await self._quiet.wait()

    def done(self) -> None:
        """Says that all of ours have gone; a process that is alone ends the run."""
        if not self.alone:
            self._runner.send_message(DONE)
        else:
            end_run(self._runner)

    def quit(self) -> None:
        """Ends the run for all, because of trouble."""
        if not self.alone:
            self._runner.send_message(QUIT)
        else:
            end_run(self._runner)

    def _on_quiet(self, **_: Any) -> None:
        self._bridge.tell(self._quiet.set)


def end_run(runner: Any) -> None:
    """Ends a run: the program too, unless a web page is there to start the next one.

    From a greenlet of its own: the caller may be one that ending it kills.
    """
    keep = runner.environment.web_ui is not None
    gevent.spawn(runner.stop if keep else runner.quit)
