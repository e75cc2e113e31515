"""The pytest plugin: `--target`, one answer for each requirement's test, and the run that comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
import uvloop

from conformance.outcome import Outcome, exit_status
from conformance.requirements import CATALOGUE
from conformance.results import write_results
from conformance.scenario import Scenario
from conformance.stage import Stage
from harness.errors import Trouble
from harness.target import Target, load_target


class Suite:
    """The chosen tests of one target: played together when the first is asked for, answered one by one.

    Args:
        target: what is under test.
        history: a folder for the histories, one for each requirement; None keeps none.
        report: is called with each outcome, as soon as it is known.
    """

    def __init__(self, target: Target, history: Path | None, report: Callable[[Outcome], None]) -> None:
        self.stage = Stage(target, history=history, report=report)
        self.scenarios: dict[str, Scenario] = {}
        self.trouble: Trouble | None = None
        self._played = False

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
        known = self.stage.outcomes.get(requirement)
        if known is not None:
            return known
        rule = CATALOGUE[requirement]
        if requirement not in self.scenarios:
            return Outcome(rule, "not-verified", 0.0, "its test was not chosen")
        if self.trouble is not None:
            return Outcome(rule, "error", 0.0, str(self.trouble))
        return Outcome(rule, "unknown", 0.0, "the run was interrupted before this test ended")

    def outcomes(self) -> list[Outcome]:
        """What became of every requirement of the catalogue."""
        return [self.outcome(requirement) for requirement in CATALOGUE]

    def _play(self) -> None:
        if self._played:
            return
        self._played = True
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            try:
                runner.run(self.stage.play(self.scenarios))
            except Trouble as trouble:
                self.trouble = trouble


SUITE = pytest.StashKey[Suite]()
REPORTER = pytest.StashKey[Callable[[Outcome], None]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the suite's options."""
    group = parser.getgroup("conformance", "conformance of a matchmaking and signalling target")
    group.addoption("--target", metavar="FILE", help="the target file that says what is under test")
    group.addoption("--history", metavar="DIR", type=Path, help="keep the history of each requirement's test here")
    group.addoption("--results", metavar="FILE", type=Path, help="write what became of each requirement here (JSON)")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Lets `-k MM-S1` choose a requirement by its id."""
    requirement = _requirement(item)
    if requirement is not None:
        item.extra_keyword_matches.add(requirement)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Notes which requirements were chosen, and opens the target file: nothing is asked of the target yet."""
    chosen = {name: item.function.scenario for item in session.items if (name := _requirement(item))}  # type: ignore[attr-defined]
    if not chosen or session.config.option.collectonly:
        return
    suite = _suite(session.config)
    suite.scenarios = {name: chosen[name] for name in CATALOGUE if name in chosen}


def _suite(config: pytest.Config) -> Suite:
    path: str | None = config.getoption("--target")
    if path is None:
        raise pytest.UsageError("the conformance tests need a target: name its file with --target FILE")
    try:
        target = load_target(Path(path))
    except Trouble as trouble:
        raise pytest.UsageError(str(trouble)) from None
    suite = Suite(target, config.getoption("--history"), config.stash.get(REPORTER, _say_nothing))
    config.stash[SUITE] = suite
    return suite


@pytest.fixture
def suite(pytestconfig: pytest.Config) -> Suite:
    """The chosen tests of the target."""
    return pytestconfig.stash[SUITE]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Gives each test the duration of its own scenario: they ran side by side before pytest asked for them."""
    report = yield
    requirement = _requirement(item)
    if requirement is not None and call.when == "call" and SUITE in item.config.stash:
        report.duration = item.config.stash[SUITE].outcome(requirement).seconds
    return report


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Writes the results, and ends with 0 valid, 1 invalid, 2 unknown, 3 our own failure."""
    suite = session.config.stash.get(SUITE, None)
    if suite is None:
        return
    outcomes = suite.outcomes()
    path: Path | None = session.config.getoption("--results")
    if path is not None:
        write_results(path, suite.stage.target, outcomes)
    chosen = [outcome for outcome in outcomes if outcome.requirement.id in suite.scenarios]
    session.exitstatus = exit_status(chosen)


def _requirement(item: pytest.Item) -> str | None:
    return getattr(getattr(item, "function", None), "requirement", None)


def _say_nothing(_outcome: Outcome) -> None:
    """Under plain pytest, pytest itself says what came of each test."""
