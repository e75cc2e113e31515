"""The suite: the chosen tests of one target, played together, and one answer for each of pytest's questions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop

from conformance.outcome import Outcome, exit_status
from conformance.plan import plan
from conformance.requirements import CATALOGUE
from conformance.results import write_results
from conformance.scenario import Scenario
from conformance.stage import Stage
from conformance.targets.expected import Expected, deviations
from harness.errors import Trouble
from harness.target import Target


class Suite:
    """The chosen tests of one target: played together when the first is asked for, answered one by one.

    Args:
        target: what is under test.
        history: a folder for the histories, one for each requirement; None keeps none.
        expected: known failures of this target, strictly; None expects nothing in particular.
        report: is called with each outcome, as soon as it is known.
        announce: is called with what the run is going to do, once the target has let us in.
    """

    def __init__(
        self,
        target: Target,
        *,
        history: Path | None = None,
        expected: dict[str, Expected] | None = None,
        report: Callable[[Outcome], None],
        announce: Callable[[list[str]], None] = lambda _lines: None,
    ) -> None:
        self.target = target
        self.scenarios: dict[str, Scenario] = {}
        self.trouble: Trouble | None = None
        self._stage = Stage(target, history=history, report=report, opened=lambda: announce(self.plan()))
        self._expected = expected
        self._played = False

    def plan(self) -> list[str]:
        """What the run is going to do, and what it cannot."""
        return plan(self.target, [CATALOGUE[name] for name in self.scenarios])

    def answer(self, requirement: str) -> None:
        """Passes, fails or skips the pytest test that calls it, as the requirement's test came out."""
        self._play()
        outcome = self.outcome(requirement)
        if outcome.status == "fail":
            pytest.fail(outcome.lesson, pytrace=False)
        if outcome.status == "error":
            pytest.fail(outcome.detail, pytrace=False)
        if outcome.status != "pass":
            pytest.skip(f"{outcome.status}: {outcome.detail}")

    def outcome(self, requirement: str) -> Outcome:
        """What became of a requirement: the reason, where its test was not chosen or did not come to its end."""
        known = self._stage.outcomes.get(requirement)
        if known is not None:
            return known
        rule = CATALOGUE[requirement]
        if requirement not in self.scenarios:
            return Outcome(rule, "not-verified", 0.0, "its test was not chosen", chosen=False)
        if self.trouble is not None:
            return Outcome(rule, "error", 0.0, str(self.trouble))
        return Outcome(rule, "unknown", 0.0, "the run was interrupted before this test ended")

    def outcomes(self) -> list[Outcome]:
        """What became of every requirement of the catalogue."""
        return [self.outcome(requirement) for requirement in CATALOGUE]

    def missed(self) -> list[Outcome]:
        """The chosen tests that did not come to their end."""
        return [self.outcome(name) for name in self.scenarios if name not in self._stage.outcomes]

    @property
    def interrupted(self) -> bool:
        """Whether the run was cut short."""
        return self.trouble is None and bool(self.missed())

    def surprises(self) -> list[str]:
        """How what came differs from the known failures."""
        return [] if self._expected is None else deviations(self._expected, self.outcomes())

    def exit_status(self) -> int:
        """0 valid (or exactly as expected), 1 invalid (or not as expected), 2 unknown, 3 our own failure."""
        chosen = [self.outcome(requirement) for requirement in self.scenarios]
        status = exit_status(chosen)
        if self.trouble is not None:
            return 3
        if self.interrupted:
            return 2
        if self._expected is None:
            return status
        if self.surprises():
            return 1
        return exit_status(outcome for outcome in chosen if outcome.status not in {"fail", "warn"}) if chosen else 2

    def write(self, path: Path) -> None:
        """Stores the run. Raises Trouble when it cannot be written."""
        write_results(path, self.target, self.outcomes(), interrupted=self.interrupted)

    def _play(self) -> None:
        if self._played:
            return
        self._played = True
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            try:
                runner.run(self._stage.play(self.scenarios))
            except Trouble as trouble:
                self.trouble = trouble
