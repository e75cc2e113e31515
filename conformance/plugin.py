"""The pytest plugin: `--target`, the choice of requirements by their ids, and the run that comes of it.

It is loaded by every pytest of an environment in which the suite is installed, so it imports the suite only when a
target is to be tested.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conformance.outcome import Outcome
    from conformance.suite import Suite

SUITE: pytest.StashKey[Suite] = pytest.StashKey()
ANNOUNCER: pytest.StashKey[Callable[[list[str]], None]] = pytest.StashKey()
REPORTER: pytest.StashKey[Callable[[Outcome], None]] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the suite's options."""
    group = parser.getgroup("conformance", "conformance of a matchmaking and signalling target")
    group.addoption("--target", metavar="FILE", help="the target file that says what is under test")
    group.addoption("--history", metavar="DIR", type=Path, help="keep the history of each requirement's test here")
    group.addoption("--results", metavar="FILE", type=Path, help="write what became of each requirement here (JSON)")
    group.addoption(
        "--expected",
        metavar="FILE",
        help="known failures (a file, or a target's name): all of them must fail, and no other",
    )


def pytest_itemcollected(item: pytest.Item) -> None:
    """Lets `-k` choose a requirement by its id; the full stop marks the id's end (see `exact`)."""
    requirement = _requirement(item)
    if requirement is not None:
        item.extra_keyword_matches.add(f"{requirement}.")


@pytest.hookimpl(tryfirst=True, wrapper=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None]:
    """Before pytest chooses by `-k`: ids and groups in it mean what they say. What it cannot read chooses nothing."""
    if config.option.keyword and any(map(_requirement, items)):
        config.option.keyword = exact(config.option.keyword)
    try:
        return (yield)
    except pytest.UsageError:
        items.clear()
        raise


def exact(expression: str) -> str:
    """The expression of `-k` with ids and groups spelled so that they match nothing else.

    pytest looks for each word anywhere in a test's names: `MM-S1` would choose MM-S11 too, and `RT` every test of
    starting. An id gets the full stop that marks its end, a group the dash that follows it.
    """
    from conformance.requirements import CATALOGUE

    groups = {rule.group for rule in CATALOGUE.values()}

    def spelled(word: re.Match[str]) -> str:
        name = word[0].upper()
        return f"{name}." if name in CATALOGUE else f"{name}-" if name in groups else word[0]

    return re.sub(r"[\w.-]+", spelled, expression)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Notes which requirements were chosen, and opens the target file: nothing is asked of the target yet."""
    chosen = {name: item.function.scenario for item in session.items if (name := _requirement(item))}  # type: ignore[attr-defined]
    if not chosen or session.config.option.collectonly:
        return
    from conformance.requirements import CATALOGUE

    suite = session.config.stash[SUITE] = _suite(session.config)
    suite.scenarios = {name: chosen[name] for name in CATALOGUE if name in chosen}
    if session.testsfailed:
        from harness.errors import Trouble

        suite.trouble = Trouble(
            "a part of the suite cannot be loaded", "see pytest --pyargs conformance --collect-only"
        )


def _suite(config: pytest.Config) -> Suite:
    from conformance.suite import Suite
    from conformance.targets.expected import read_expected
    from harness.errors import Trouble
    from harness.target import load_target

    path, known = config.getoption("--target"), config.getoption("--expected")
    if path is None:
        raise pytest.UsageError("the conformance tests need a target: name its file with --target FILE")
    try:
        target = load_target(Path(path))
        expected = read_expected(known) if known is not None else None
    except Trouble as trouble:
        raise pytest.UsageError(str(trouble)) from None
    return Suite(
        target,
        history=config.getoption("--history"),
        expected=expected,
        report=config.stash.get(REPORTER, _say_nothing),
        announce=config.stash.get(ANNOUNCER, _say_nothing),
    )


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
    from harness.errors import Trouble

    session.exitstatus = suite.exit_status()
    path: Path | None = session.config.getoption("--results")
    if path is not None:
        try:
            suite.write(path)
        except Trouble as trouble:
            pytest.exit(str(trouble), returncode=3)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Says how the outcomes differ from what was expected."""
    suite = config.stash.get(SUITE, None)
    for surprise in suite.surprises() if suite is not None else ():
        terminalreporter.write_line(surprise, red=True)


def _requirement(item: pytest.Item) -> str | None:
    return getattr(getattr(item, "function", None), "requirement", None)


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    """Says before the first test what the run is going to do, and what it cannot."""
    suite = config.stash.get(SUITE, None)
    return suite.plan() if suite is not None else []


def _say_nothing(_said: object) -> None:
    """Under plain pytest, pytest itself says what came of each test."""
