"""The load generator in one Locust process: from the start of the test to its end, with the crowd in between."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

import gevent
from locust.env import Environment

from harness.actor.journey import Journey, Span
from harness.actor.scene import Scene
from harness.client.participant import Transport, probe
from harness.errors import Trouble
from harness.history.journal import Journal
from harness.history.op import Via
from harness.history.quiet_memory import search_less_for_garbage
from harness.history.recorder import Recorder
from harness.load.arrivals import Schedule, schedule
from harness.load.bridge import Bridge
from harness.load.crowd import Crowd, Weighted
from harness.load.membership import Member, Post, Shipment
from harness.load.memory import UsersMemory
from harness.load.reporting import Reporting
from harness.load.settings import SwarmSettings, made
from harness.load.telling import Tally, Teller
from harness.load.together import Together
from harness.load.watch import LoopWatch
from harness.network.loopback import Loopback
from harness.target import Target

log = logging.getLogger(__name__)

_TELL_EVERY = 0.5
_NOTE_EVERY = 2.0
_CLOSING = 20.0
"""How long cut-off journeys may take to close their sockets, in seconds."""


class Generator:
    """What one process contributes to a swarm. `start`, then `play` from many greenlets, then `stop`.

    Args:
        environment: Locust's.
        settings: from the command line.
        mix: what the users play, each persona with its weight; settings that are given replace what personas say.
        needs: what the scenario must have met (`harness.checkers.encounters`).
        member: of a worker: its ties to the master.
    """

    def __init__(
        self,
        environment: Environment,
        settings: SwarmSettings,
        mix: Sequence[Weighted],
        needs: Sequence[str] = (),
        member: Member | None = None,
    ) -> None:
        self._environment = environment
        self._settings = settings
        self._mix = [(settings.told(persona), weight) for persona, weight in mix]
        self._needs = list(needs)
        self._member = member
        self._post = (member.post if member is not None else None) or Post()
        self._teller = Teller(settings.tell_fd, self._post.worker)
        self._bridge = Bridge()
        self._together = Together(environment.runner, self._bridge)
        self._reporting = Reporting(environment.events)
        self._journeys: set[asyncio.Task[Journey | None]] = set()
        self._greenlets: list[gevent.Greenlet] = []
        self._journal: Journal | None = None
        self._shipment: Shipment | None = None
        self._transport: Transport | None = None
        self._recorder: Recorder | None = None
        self._crowd: Crowd | None = None
        self._watch = LoopWatch()
        self._memory = UsersMemory()
        self._watching: asyncio.Task[None] | None = None
        self._noting: asyncio.Task[None] | None = None
        self._running = False

    def start(self) -> None:
        """Opens the history, looks whether the target is there, and sets the clock of the arrivals going.

        Raises:
            Trouble: bad settings, a folder that cannot be written, or a target out of reach.
        """
        target = self._settings.target(self._environment.host)
        arrivals = self._arrivals()
        self._journal = self._journal_of(made(Path(self._settings.folder)))
        search_less_for_garbage()
        self._bridge.start()
        self._running = True
        self._bridge.run(lambda: self._open(target, arrivals))
        self._greenlets = [gevent.spawn(self._supervise), gevent.spawn(self._tell)]

    def play(self) -> bool:
        """Plays the next arrival; only the calling greenlet waits. False when there is none left."""
        crowd = self._crowd
        if crowd is None or crowd.exhausted:
            return False
        try:
            self._bridge.run(lambda: self._journey(crowd))
        except Trouble as trouble:
            self.give_up(trouble)
        except Exception as error:
            log.exception("a virtual user failed")
            self._teller.trouble(Trouble(f"a virtual user failed ({type(error).__name__}: {error})", "see the log"))
            self._environment.process_exit_code = 3
        return True

    def give_up(self, trouble: Trouble) -> None:
        """Says what keeps us from working, and ends the run with exit status 3."""
        log.error("error: %s", trouble)
        self._teller.trouble(trouble)
        self._environment.process_exit_code = 3
        self._together.quit()

    def stop(self) -> None:
        """Cuts off what still runs, and closes the history. May be called twice."""
        if not self._running:
            return
        self._running = False
        current = gevent.getcurrent()
        gevent.killall([greenlet for greenlet in self._greenlets if greenlet is not current])
        self._bridge.run(self._close)
        self._bridge.stop()
        if self._crowd is not None:
            self._teller.tally(self._crowd.tally)
        if self._journal is not None:
            if self._member is not None:
                self._journal.restate(self._member.clock())
            self._journal.close()
            log.info("history: %s", self._journal.path)
        if self._shipment is not None:
            self._shipment.finish()
        if self._member is not None:
            self._member.post = None
            self._together.done()

    # ------------------------------------------------------------ on gevent's side

    def _supervise(self) -> None:
        crowd = self._crowd
        try:
            if crowd is not None:
                self._bridge.run(lambda: crowd.supervise(self._everybody_in))
        except Trouble as trouble:
            self.give_up(trouble)
        else:
            if self._together.alone:
                self._together.done()
            else:
                self.stop()

    def _tell(self) -> None:
        while True:
            self._teller.tally(self._crowd.tally if self._crowd is not None else Tally())
            gevent.sleep(_TELL_EVERY)

    def _arrivals(self) -> Schedule:
        given = self._settings
        plan = schedule(given.arrivals, users=given.users, rate=given.rate, duration=given.duration, seed=given.seed)
        return plan.share(self._post.worker, self._post.workers)

    def _journal_of(self, folder: Path) -> Journal:
        """This process's part of the history; a master that does not see the file is sent what it holds."""
        path = folder / f"history.{self._settings.name}.{self._post.worker}.ndjson"
        if self._member is None:
            return Journal(path)
        journal = Journal(path, clock=self._member.clock())
        if not (folder / self._post.mark).exists():
            self._shipment = self._member.ship(path)
        return journal

    # ------------------------------------------------------------ on the loop

    async def _open(self, target: Target, arrivals: Schedule) -> None:
        if self._journal is None:
            raise RuntimeError("the journal is opened first")
        process, journal = f"{target.name}.swarm.{self._post.worker}", self._journal
        self._recorder = Recorder(journal, process=process, seed=self._settings.seed, announce=journal.announce)
        self._watching = asyncio.create_task(self._watch.run(self._settings.lead))
        self._noting = asyncio.create_task(self._note_now_and_then())
        self._transport = await Transport(target).__aenter__()
        await probe(self._transport)
        scene = Scene(self._transport, self._recorder, self._mix[0][0], Loopback(), report=self._report)
        quiet = max(self._settings.drain, target.budgets.match + target.budgets.tolerance)
        self._crowd = Crowd(scene, arrivals, self._mix, lead=self._settings.lead, drain=quiet)

    async def _journey(self, crowd: Crowd) -> Journey | None:
        task = asyncio.current_task()
        if task is not None:
            self._journeys.add(task)
            task.add_done_callback(self._journeys.discard)
        return await crowd.play_next()

    async def _close(self) -> None:
        """Cancels the journeys that are not over, waits for them to close, and notes the calls that never came back."""
        if self._journeys:
            for task in self._journeys:
                task.cancel()
            await asyncio.wait(self._journeys, timeout=_CLOSING)
        for task in filter(None, (self._watching, self._noting)):
            task.cancel()
            await asyncio.wait([task])
        self._note()
        if self._transport is not None:
            await self._transport.__aexit__(None, None, None)
        if self._recorder is not None:
            self._recorder.close()

    async def _everybody_in(self) -> None:
        self._watch.all_in()
        await self._together.everybody_in()

    async def _note_now_and_then(self) -> None:
        """Keeps the notes of a process that may be killed, and tells who looks on how far the journal is complete."""
        while True:
            await asyncio.sleep(_NOTE_EVERY)
            self._note()
            if self._journal is not None:
                self._journal.flush()
                if self._member is not None:
                    self._journal.restate(self._member.clock())

    def _note(self) -> None:
        """Writes into the history how this process did so far."""
        if self._recorder is None or self._crowd is None:
            return
        tally = self._crowd.tally
        self._memory.note(self._crowd.present)
        self._recorder.saw(
            "", "", "generator", Via.SELF, arrivals=self._settings.arrivals, closed=self._crowd.closed,
            offered=tally.offered, started=tally.started, dropped=tally.dropped, latest_ms=tally.latest * 1000,
            needs=self._needs, mix={persona.name: f"{weight:g}: {persona}" for persona, weight in self._mix},
            **self._watch.figures(), **self._memory.figures(),
        )  # fmt: skip

    def _report(self, span: Span) -> None:
        self._bridge.post(lambda: self._reporting.report(span))
