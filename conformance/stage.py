"""The stage: one connection to the target, and all chosen tests on it, side by side where they only wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

import aiohttp

from conformance import rows
from conformance.outcome import Breach, Inconclusive, NotOffered, NotVerified, Outcome, broken
from conformance.people import People
from conformance.requirements import CATALOGUE
from conformance.rows import Doubled, Rows
from conformance.scenario import Scenario
from conformance.trial import Trial
from conformance.wire.http import Pulse, new_session
from harness.checkers.telling import short
from harness.client.dialect import NotAdmitted
from harness.client.participant import Transport, probe
from harness.client.reachability import Unwell
from harness.errors import Trouble, remedy
from harness.history.journal import Journal
from harness.results.finding import Finding
from harness.results.run import Status
from harness.target import Target

T = TypeVar("T")

PLACES = 4
"""Tests of the wire at once, beside those of the queue: too few to disturb a test that is measuring."""
QUEUE_GROUPS = frozenset({"MM", "SG", "DISC"})
"""Groups whose tests take turns at the queue, and so need no place at the wire."""
SOCKET_GROUPS = frozenset({"RT", "SEC-WS"})
"""Groups that speak of Realtime, which a target without push does not offer."""
WIRE_TIMEOUT = 15.0
"""Seconds that one request of a wire test may take in all."""
DOORS = 4
"""Sign-ups at once: enough to be quick, too few to disturb a test that is measuring."""
RECOVERY, RETRY = 15.0, 0.5
"""Seconds that a target has to serve again after what a test did to it, and between two looks."""
PATIENCE = 60.0
"""Seconds that a test may take beyond the waits that the target's budgets ask for."""

LEADERS = ("MM-L5", "MM-L8", "MM-L4", "MM-S5")
"""Tests that start first, in this order, because of their long waits. Those of MM-L5 and MM-L8 wait without the queue,
that of MM-L4 (and of MM-S5, where no row can be aged) keeps the queue to itself: so the waits pass side by side."""


class Stage:
    """Plays the tests of one target.

    Users of two tests must never meet in the target's queue, or each would be blamed for the other's deeds: whoever
    joins holds `queue` from the first join until his users are out again. Everything else (signing in, waiting for a
    budget to pass) happens side by side.
    """

    def __init__(
        self,
        target: Target,
        *,
        history: Path | None = None,
        report: Callable[[Outcome], None],
        opened: Callable[[], None] = lambda: None,
    ) -> None:
        self.target = target
        self.queue = asyncio.Lock()
        self.door = asyncio.Semaphore(DOORS)
        self.wire = asyncio.Semaphore(PLACES)
        self.pulse = Pulse()
        self.people = People(self)
        self.chosen: frozenset[str] = frozenset()
        self.outcomes: dict[str, Outcome] = {}
        self.rows: Rows | None = None
        self.doubled: list[Doubled] = []
        """Users whom an audit of the rows found in two active sessions at once."""
        self._history = history
        self._report = report
        self._opened = opened
        self._transport: Transport | None = None
        self._http: aiohttp.ClientSession | None = None
        self._once: dict[str, asyncio.Task[Any]] = {}
        self._shared: dict[Scenario, asyncio.Task[Trial]] = {}

    @property
    def transport(self) -> Transport:
        """The connection to the target."""
        if self._transport is None:
            raise RuntimeError("the stage is not open")
        return self._transport

    @property
    def http(self) -> aiohttp.ClientSession:
        """The connections of the wire tests: no cookies, no redirects, no retries."""
        if self._http is None:
            raise RuntimeError("the stage is not open")
        return self._http

    async def play(self, scenarios: Mapping[str, Scenario]) -> None:
        """Plays the test of each requirement; `outcomes` holds what is known, also when it is cancelled.

        Raises:
            Trouble: the target is out of reach, or does not let us in.
        """
        self.chosen = frozenset(scenarios)
        async with (
            rows.opened(self.target.capabilities.database_url) as self.rows,
            Transport(self.target) as self._transport,
            new_session(WIRE_TIMEOUT) as self._http,
        ):
            await probe(self._transport)
            await self.people.scout()
            self._opened()
            tests: list[asyncio.Task[Any]] = []
            try:
                for name in sorted((name for name in scenarios if name not in self._breaking), key=_precedence):
                    trial = self._start(name, scenarios[name], tests)
                    if name in LEADERS:
                        await _first(tests[-1], trial.asked)
                await asyncio.gather(*tests)
                for name in sorted(self._breaking):
                    self._start(name, scenarios[name], tests)
                    await tests[-1]
            finally:
                await _stopped([*tests, *self._shared.values(), *self._once.values()])
                await self.people.close()

    @property
    def _breaking(self) -> set[str]:
        """The chosen requirements that take the server down to be seen: each alone, when all others have ended."""
        return {name for name in self.chosen if CATALOGUE[name].evidence == "E3"}

    def _start(self, name: str, scenario: Scenario, tests: list[asyncio.Task[Any]]) -> Trial:
        trial = Trial(CATALOGUE[name], self, self._journal(name))
        tests.append(asyncio.create_task(self._test(trial, scenario)))
        return trial

    async def audit(self, users: set[str]) -> None:
        """Looks at the rows of these users, where the target gives its database; what is found is MM-S1's."""
        if self.rows is not None and users:
            self.doubled += await self.rows.doubled(users)

    async def once(self, name: str, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What `make` brings about: it happens once for the whole run, and every asker gets the same."""
        if name not in self._once:
            self._once[name] = asyncio.create_task(make())
        made: T = await asyncio.shield(self._once[name])
        return made

    async def share(self, scenario: Scenario, asker: Trial) -> None:
        """Gives the asker the history of a scenario that several requirements are judged from; it is played once."""
        task = self._shared.get(scenario)
        if task is None:
            task = self._shared[scenario] = asyncio.create_task(self._played(scenario, asker))
        idle = asker.idle
        with asker.excused():
            shared = await asyncio.shield(task)
        asker.idle = idle + min(shared.idle, asker.idle - idle)  # who comes when it is over waited for nothing
        for op in shared.ops:
            asker.append(op)

    async def _played(self, scenario: Scenario, asker: Trial) -> Trial:
        trial = Trial(asker.requirement, self, None)
        try:
            await self._limited(trial, scenario)
        finally:
            await trial.close()
        return trial

    async def _test(self, trial: Trial, scenario: Scenario) -> None:
        started = time.monotonic()
        status, detail, finding = await self._verdict(trial, scenario)
        seconds = time.monotonic() - started - trial.idle
        outcome = Outcome(trial.requirement, status, seconds, detail, finding)
        self.outcomes[trial.requirement.id] = outcome
        self._report(outcome)

    async def _verdict(self, trial: Trial, scenario: Scenario) -> tuple[Status, str, Finding | None]:
        """Plays one test to its end and sorts how it ended: three kinds of trouble that must never mix."""
        try:
            await self._run(trial, scenario)
        except Breach as breach:
            return await self._breached(breach.finding)
        except NotOffered as reason:
            return "not-applicable", str(reason), None
        except NotVerified as reason:
            return "not-verified", str(reason), None
        except (Inconclusive, NotAdmitted) as reason:
            # What the history shows so far may be the very thing that kept the test from going on.
            finding = trial.finding()
            return ("unknown", str(reason), None) if finding is None else await self._breached(finding)
        except TimeoutError:
            return "unknown", f"the test did not end within {self._limit:.0f} s", None
        except Trouble as trouble:
            return "error", str(trouble), None
        except Exception as error:  # noqa: BLE001 — the rim of one test: a fault of ours must not end the others
            return "error", f"the test itself failed: {type(error).__name__}: {error}", None
        return "pass", "", None

    async def _run(self, trial: Trial, scenario: Scenario) -> None:
        try:
            if trial.requirement.group in SOCKET_GROUPS and not self.target.capabilities.push:
                raise NotOffered("the target offers no push, and so no Realtime")
            if trial.requirement.group in QUEUE_GROUPS:
                await self._limited(trial, scenario)
            else:
                async with trial.place():
                    await self._limited(trial, scenario)
            trial.conclude()
            if trial.requirement.id == "MM-S1" and self.doubled:
                raise _two_at_once(self.doubled[0])
        finally:
            await trial.close()

    async def _limited(self, trial: Trial, scenario: Scenario) -> None:
        async with asyncio.timeout(self._limit) as timer:
            trial.timer = timer
            try:
                await scenario(trial)
            finally:
                trial.timer = None

    async def _breached(self, finding: Finding) -> tuple[Status, str, Finding | None]:
        """A breach counts while the target is there: one that died is not wrong about matchmaking."""
        try:
            await self._there()
        except Trouble as trouble:
            return "error", f"the target went away during the test: {trouble}", None
        status: Status = "fail" if CATALOGUE[finding.requirement].level == "MUST" else "warn"
        return status, finding.sentence, finding

    async def _there(self) -> None:
        """Returns when the target serves. One that is unwell after a test has `RECOVERY` seconds to come round.

        Raises:
            Trouble: it is gone, or stays unwell.
        """
        clock = asyncio.get_running_loop().time
        given_up = clock() + RECOVERY
        while True:
            try:
                return await probe(self.transport)
            except Unwell:
                if clock() >= given_up:
                    raise
                await asyncio.sleep(RETRY)

    @property
    def _limit(self) -> float:
        budgets = self.target.budgets
        return PATIENCE + 10 * (budgets.match + budgets.notify) + 3 * (budgets.queue_ttl + budgets.disconnect)

    def _journal(self, requirement: str) -> Journal | None:
        if self._history is None:
            return None
        try:
            self._history.mkdir(parents=True, exist_ok=True)
            path = self._history / f"{requirement}.ndjson"
            path.unlink(missing_ok=True)
        except OSError as error:
            raise Trouble(
                f"histories cannot be kept in {self._history} ({error.strerror})",
                remedy(error, "choose another folder"),
            ) from None
        return Journal(path)


def _two_at_once(found: Doubled) -> Breach:
    sessions = " and ".join(map(short, found.sessions))
    came = f"sessions {sessions}, both active, name user {short(found.user)}"
    sent = "the rows of chat_sessions were looked at while the queue was in use"
    return broken("MM-S1", sent=sent, came=came, users=[found.user], sessions=found.sessions)


def _precedence(requirement: str) -> int:
    return LEADERS.index(requirement) if requirement in LEADERS else len(LEADERS)


async def _first(test: asyncio.Task[None], event: asyncio.Event) -> None:
    """Waits until the event is set, or the test is over."""
    waiter = asyncio.create_task(event.wait())
    try:
        await asyncio.wait([test, waiter], return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiter.cancel()
        await asyncio.gather(waiter, return_exceptions=True)


async def _stopped(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
