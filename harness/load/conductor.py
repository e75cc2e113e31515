"""The master's side of a swarm: it posts its workers, counts them in and out, and goes on without the lost ones."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
from locust.env import Environment
from locust.runners import STATE_MISSING

from harness.history.clock import clock_of
from harness.load.loss import write_off
from harness.load.membership import ASK, LINES, START, answered
from harness.load.receipt import Receipts
from harness.load.together import CLOSE, DONE, IN, QUIET, QUIT, end_run

log = logging.getLogger(__name__)

_LOOK_EVERY = 1.0
_CLOSING = 10.0
"""How long workers may take to close their journals when a run is cut off, in seconds."""


class Conductor:
    """Conducts one run after the other: `begin` when a test starts, `end` when it is over.

    A worker counts as lost while Locust misses its heartbeats, or when it has gone before it was done.

    Args:
        environment: Locust's, of a master.
    """

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._runner: Any = environment.runner
        self._posts: dict[str, int] = {}
        self._arrived: set[str] = set()
        self._finished: set[str] = set()
        self._missed: set[str] = set()
        self._over = False
        self._folder = Path()
        self._name = ""
        self._mark = Path()
        self._receipts = Receipts(Path())
        self._looking: gevent.Greenlet | None = None
        self._listen()

    def _listen(self) -> None:
        heard: dict[str, Callable[..., None]] = {
            IN: self._count_in,
            DONE: self._count_out,
            QUIT: self._give_up,
            LINES: self._receive,
            ASK: self._tell,
        }
        for message, listener in heard.items():
            self._runner.register_message(message, listener)

    def begin(self, folder: Path, name: str, users: int, rate: float) -> None:
        """Gives every worker that is ready its post, before Locust tells them to start.

        Args:
            folder: where histories come together.
            name: that of the histories.
            users: how many Locust starts, over all workers.
            rate: how many per second.
        """
        self._folder, self._name = folder, name
        self._arrived, self._finished, self._missed, self._over = set(), set(), set(), False
        self._mark = folder / f".{name}-{secrets.token_hex(8)}"
        self._mark.touch()
        self._receipts = Receipts(folder)
        ready = self._runner.clients.ready + self._runner.clients.spawning + self._runner.clients.running
        ready.sort(key=lambda client: self._runner.get_worker_index(client.id))
        self._posts = {client.id: number for number, client in enumerate(ready)}
        for client, number in self._posts.items():
            post = {"worker": number, "workers": len(ready), "users": users, "rate": rate, "mark": self._mark.name}
            self._runner.send_message(START, post, client_id=client)
        self._looking = gevent.spawn(self._look)

    def end(self) -> None:
        """Waits until the journals are closed, and writes off the workers that are lost. May be called twice."""
        if not self._posts:
            return
        self._over = True
        if self._looking is not None:
            self._looking.kill()
        self._close()
        self._receipts.close()
        for client in self._lost():
            its = self._folder / f"history.{self._name}.{self._posts[client]}.ndjson"
            write_off(its, [path for path in self._folder.glob(f"history.{self._name}.*.ndjson") if path != its])
        self._mark.unlink(missing_ok=True)
        self._posts = {}
        log.info("histories: %s", self._folder)

    def lost(self) -> frozenset[int]:
        """The numbers of the workers that are lost just now."""
        return frozenset(self._posts[client] for client in self._lost())

    # ------------------------------------------------------------ counting

    def _lost(self) -> set[str]:
        return {client for client in self._posts.keys() - self._finished if self._missing(client)}

    def _missing(self, client: str) -> bool:
        node = self._runner.clients.get(client)
        return node is None or node.state == STATE_MISSING

    def _look(self) -> None:
        while True:
            gevent.sleep(_LOOK_EVERY)
            self._proceed()

    def _proceed(self) -> None:
        """Says what all who are left have waited for."""
        lost = self._lost()
        for client in lost - self._missed:
            log.warning("worker %d (%s) is lost: the run goes on without it", self._posts[client], client)
        self._missed |= lost
        left = self._posts.keys() - lost
        if left <= self._arrived | self._finished:
            self._runner.send_message(QUIET)
        if left <= self._finished and not self._over:
            self._over = True
            if not left:
                self._environment.process_exit_code = 3
                log.error("error: all workers are lost")
            end_run(self._runner)

    def _close(self) -> None:
        """Has the journals closed that are still open, and waits for them."""
        left = self._posts.keys() - self._finished
        for client in left - self._lost():
            self._runner.send_message(CLOSE, client_id=client)
        with gevent.Timeout(_CLOSING, exception=False):
            while self._posts.keys() - self._finished - self._lost():
                gevent.sleep(0.05)

    # ------------------------------------------------------------ what workers say

    def _count_in(self, msg: Any, **_: Any) -> None:
        self._arrived.add(msg.node_id)
        self._proceed()

    def _count_out(self, msg: Any, **_: Any) -> None:
        self._finished.add(msg.node_id)
        self._proceed()

    def _give_up(self, **_: Any) -> None:
        self._environment.process_exit_code = 3
        end_run(self._runner)

    def _receive(self, msg: Any, **_: Any) -> None:
        if msg.node_id in self._posts:
            self._receipts.take(str(msg.data["name"]), msg.data["lines"], clock_of({"clock": msg.data["clock"]}))

    def _tell(self, msg: Any, **_: Any) -> None:
        answered(self._runner, msg)
