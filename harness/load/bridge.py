"""From gevent to asyncio and back: one uvloop loop on a native thread, next to Locust's greenlets.

Everything that a user does runs on that loop; his greenlet only waits for it. Results come back through a libev async
watcher, the one thing of gevent that another thread may touch. Nothing here waits while it holds the other side up.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import gevent
import uvloop
from gevent.event import AsyncResult, Event
from gevent.threadpool import ThreadPool

import harness.peer.peer  # noqa: F401  aiortc and av are loaded before the thread starts: imports take patched locks

T = TypeVar("T")


class Bridge:
    """An asyncio loop that greenlets can use. Start it after any fork; stop it at the end."""

    def __init__(self) -> None:
        self._inbox: deque[Callable[[], None]] = deque()
        self._watcher: Any = None
        self._pool: ThreadPool | None = None
        self._serving: AsyncResult | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None

    def start(self) -> None:
        """Starts the loop's thread; returns when the loop runs."""
        started = Event()
        self._watcher = gevent.get_hub().loop.async_()
        self._watcher.start(self._empty_inbox)
        self._pool = ThreadPool(1)
        self._serving = self._pool.spawn(self._serve, started)
        started.wait()

    def stop(self) -> None:
        """Cancels what still runs on the loop, waits for it, and ends the thread. May be called twice."""
        if self._loop is None or self._stop is None or self._serving is None:
            return
        loop, self._loop = self._loop, None
        loop.call_soon_threadsafe(self._stop.set)
        self._serving.get()
        self._empty_inbox()
        self._watcher.stop()
        self._watcher.close()
        if self._pool is not None:
            self._pool.kill()

    def run(self, begin: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Runs a coroutine on the loop and waits for it; only the calling greenlet waits.

        A greenlet that is killed meanwhile cancels the coroutine. Exceptions come back as they were raised; a coroutine
        that was cancelled on the loop's side raises GreenletExit.
        """
        if self._loop is None:
            raise RuntimeError("the bridge is not started")
        loop, result = self._loop, AsyncResult()
        tasks: list[asyncio.Task[T]] = []

        def launch() -> None:
            task = loop.create_task(begin())
            tasks.append(task)
            task.add_done_callback(lambda done: self.post(lambda: _settle(done, result)))

        loop.call_soon_threadsafe(launch)
        try:
            value: T = result.get()
        except gevent.GreenletExit:
            with contextlib.suppress(RuntimeError):  # the loop may have ended in the meantime
                loop.call_soon_threadsafe(lambda: [task.cancel() for task in tasks])
            raise
        return value

    def tell(self, call: Callable[[], object]) -> None:
        """Has something called on the loop, soon. For use by greenlets; nothing happens once the loop has stopped."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(call)

    def post(self, call: Callable[[], None]) -> None:
        """Has something called on gevent's side, soon. For use on the loop's thread."""
        self._inbox.append(call)
        self._watcher.send()

    def _empty_inbox(self) -> None:
        while self._inbox:
            self._inbox.popleft()()

    def _serve(self, started: Event) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._until_stopped(started))

    async def _until_stopped(self, started: Event) -> None:
        self._stop = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.post(started.set)
        await self._stop.wait()


def _settle(done: asyncio.Task[T], result: AsyncResult) -> None:
    """Hands a task's outcome to the greenlet that waits for it."""
    if done.cancelled():
        result.set_exception(gevent.GreenletExit())
    elif (error := done.exception()) is not None:
        result.set_exception(error)
    else:
        result.set(done.result())
