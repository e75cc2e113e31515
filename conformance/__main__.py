"""`python -m conformance`: the suite without pytest's own words, one plain line for each requirement as it ends."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from importlib.resources import files
from pathlib import Path
from types import FrameType

import pytest

from conformance.outcome import Outcome, overall
from conformance.plugin import ANNOUNCER, REPORTER, SUITE
from conformance.targets.expected import read_expected
from harness.errors import Trouble
from harness.lab.choice import check_choice
from harness.target import load_target

_OURS = 3


class _Runner:
    """Rides along in pytest: prints outcomes as they come, and the verdict at the end."""

    def pytest_configure(self, config: pytest.Config) -> None:
        config.stash[REPORTER] = _say
        config.stash[ANNOUNCER] = _announce

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        suite = session.config.stash.get(SUITE, None)
        if suite is None:
            return
        if suite.trouble is not None:
            _complain(str(suite.trouble))
            return
        for outcome in suite.missed():
            _say(outcome)
        for surprise in suite.surprises():
            sys.stdout.write(f"surprise: {surprise}\n")
        verdict = "unknown" if suite.interrupted else overall(suite.outcomes())
        sys.stdout.write(f"{suite.target.name}: {verdict}\n")


def main(arguments: list[str] | None = None) -> int:
    """Runs the suite. Returns 0 valid, 1 invalid, 2 unknown, 3 our own failure."""
    options = _parser().parse_args(arguments)
    try:
        if options.k is not None:
            check_choice(options.k)
        load_target(Path(options.target))
        if options.expected is not None:
            read_expected(options.expected)
    except Trouble as trouble:
        _complain(str(trouble))
        return _OURS
    signal.signal(signal.SIGTERM, _as_interrupt)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # what else is installed must not change what the suite does
    status = int(pytest.main(_command(options), plugins=[_Runner()]))
    if status == pytest.ExitCode.NO_TESTS_COLLECTED:
        _complain(f"no requirement matches -k {options.k!r}: name one by its id, such as -k MM-S1")
    return status if status in {0, 1, 2} else _OURS


def _command(options: argparse.Namespace) -> list[str]:
    """The arguments for pytest."""
    folder = Path(str(files("conformance")))
    quiet = ["-p", "no:terminal", "-p", "no:cacheprovider", "--capture=no"]
    command = [str(folder), "-c", str(folder / "pytest.ini"), "--rootdir", str(folder), *quiet]
    command += ["--import-mode=importlib", "-p", "conformance.plugin", "--target", options.target]
    given = {"-k": options.k, "--junitxml": options.junit, "--expected": options.expected}
    given |= {"--history": options.history, "--results": options.results}
    return command + [part for flag, value in given.items() if value is not None for part in (flag, value)]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m conformance", description=__doc__)
    parser.add_argument("--target", required=True, metavar="FILE", help="the target file that says what is under test")
    parser.add_argument("--results", metavar="FILE", help="write what became of each requirement here (JSON)")
    parser.add_argument("--history", metavar="DIR", help="keep the history of each requirement's test here (NDJSON)")
    parser.add_argument("-k", metavar="EXPR", help="choose requirements and groups, as pytest does: -k 'MM-S1 or REST'")
    parser.add_argument("--junit", metavar="FILE", help="write a JUnit report here (XML)")
    parser.add_argument("--expected", metavar="FILE", help="known failures: all of them must fail, and no other")
    return parser


def _say(outcome: Outcome) -> None:
    sys.stdout.write(outcome.line + "\n")
    sys.stdout.flush()


def _announce(lines: list[str]) -> None:
    sys.stdout.writelines(f"plan: {line}\n" for line in lines)
    sys.stdout.flush()


def _complain(text: str) -> None:
    sys.stderr.write(f"error: {text}\n")


def _as_interrupt(_signal: int, _frame: FrameType | None) -> None:
    signal.raise_signal(signal.SIGINT)


if __name__ == "__main__":
    sys.exit(main())
