"""Several generator processes as one swarm: all start the quiet time together, and the run ends when all are done."""

from __future__ import annotations

import asyncio
from typing import Any

import gevent
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from harness.load.bridge import Bridge

IN = "gurukul-in"
"""From a worker: its last arrival has joined."""
QUIET = "gurukul-quiet"
"""From the master: everybody's last arrival has joined."""
DONE = "gurukul-done"
"""From a worker: everybody has gone."""
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
        if isinstance(runner, WorkerRunner):
            runner.register_message(QUIET, self._on_quiet)

    async def everybody_in(self) -> None:
        """Says that all of ours have joined, and waits until all of the others' have. For the loop."""
        if isinstance(self._runner, WorkerRunner):
            self._bridge.post(lambda: self._runner.send_message(IN))
            await self._quiet.wait()

    def done(self) -> None:
        """Says that all of ours have gone; a process that is alone ends the run."""
        if isinstance(self._runner, WorkerRunner):
            self._runner.send_message(DONE)
        else:
            self._end()

    def quit(self) -> None:
        """Ends the run for all, because of trouble."""
        if isinstance(self._runner, WorkerRunner):
            self._runner.send_message(QUIT)
        else:
            self._end()

    def _end(self) -> None:
        """Ends the run from a greenlet of its own: the caller may be one that ending it kills."""
        end_run(self._runner)

    def _on_quiet(self, **_: Any) -> None:
        self._bridge.tell(self._quiet.set)


def end_run(runner: Any) -> None:
    """Ends a run: the program too, unless a web page is there to start the next one."""
    keep = runner.environment.web_ui is not None
    gevent.spawn(runner.stop if keep else runner.quit)


def conduct(environment: Environment, workers: int) -> None:
    """Makes a master count its workers in and out."""
    runner = environment.runner
    if not isinstance(runner, MasterRunner):
        return
    arrived: set[str] = set()
    finished: set[str] = set()

    def count_in(msg: Any, **_: Any) -> None:
        arrived.add(msg.node_id)
        if len(arrived) >= workers:
            runner.send_message(QUIET)

    def count_out(msg: Any, **_: Any) -> None:
        finished.add(msg.node_id)
        if len(finished) >= workers:
            end_run(runner)

    def give_up(**_: Any) -> None:
        environment.process_exit_code = 3
        end_run(runner)

    runner.register_message(IN, count_in)
    runner.register_message(DONE, count_out)
    runner.register_message(QUIT, give_up)
