"""The Locust user: a greenlet that takes arrivals as they fall due, and waits while they are played on the loop."""

from __future__ import annotations

import logging
import os
from argparse import Namespace
from typing import Any, ClassVar

from locust import User, events, task
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.exception import StopUser
from locust.runners import MasterRunner, WorkerRunner

from harness.actor.persona import Persona
from harness.errors import Trouble
from harness.load.generator import Generator
from harness.load.parent import end_with
from harness.load.settings import add_options, settings_of
from harness.load.together import conduct, end_run

log = logging.getLogger(__name__)

_generators: dict[int, Generator] = {}
"""The running generator of an environment, by the environment's identity; a process has one."""


class ArrivingUser(User):
    """Plays one arrival after the other, until there is none left. A locustfile gives it a persona.

    Arrivals are open: they come from the schedule, not from the pace of the greenlets. With as many users as arrivals
    (Locust's `--users`) each greenlet plays one.

    A locustfile with several such classes is a mix: each arrival draws its persona by the `weight` of the classes.
    """

    abstract = True
    persona = Persona()
    judges: ClassVar[tuple[str, ...]] = ()
    """The requirements that a history of this scenario can judge; also a plain tuple of plain texts."""
    needs: ClassVar[tuple[str, ...]] = ()
    """What the scenario is for: encounters (`harness.checkers.encounters`), or requirements that must have been put to
    the test. A run that met none of one of them is `unknown`."""
    arrivals: ClassVar[str] = ""
    """The schedule where the command line names none (docs/swarms.md). Write it as a plain text: `gurukul swarm` reads
    it without importing the file."""

    @task
    def arrive(self) -> None:
        """Takes the next arrival that is due."""
        generator = _generators.get(id(self.environment))
        if generator is None or not generator.play():
            raise StopUser


def _add_options(parser: LocustArgumentParser, **_: Any) -> None:
    add_options(parser)


def _prepare(environment: Environment, runner: Any, **_: Any) -> None:
    """Ties the process to its parent, quietens the libraries, and lets a master conduct."""
    options = _options(environment)
    for library in ("aioice", "aiortc"):
        logging.getLogger(library).setLevel(logging.WARNING)
    if options.parent_pid is not None:
        end_with(os.getpgrp() if isinstance(runner, WorkerRunner) else options.parent_pid)
    conduct(environment, options.expect_workers or 1)


def _start(environment: Environment, **_: Any) -> None:
    if isinstance(environment.runner, MasterRunner):
        return
    kinds = [kind for kind in environment.user_classes if issubclass(kind, ArrivingUser)]
    try:
        settings = settings_of(_options(environment), arrivals=next((kind.arrivals for kind in kinds), ""))
    except Trouble as trouble:
        _refuse(environment, trouble)
        return
    needs = tuple(dict.fromkeys(need for kind in kinds for need in kind.needs))
    generator = Generator(environment, settings, [(kind.persona, kind.weight) for kind in kinds], needs)
    _generators[id(environment)] = generator
    try:
        generator.start()
    except Trouble as trouble:
        generator.give_up(trouble)


def _stop(environment: Environment, **_: Any) -> None:
    generator = _generators.pop(id(environment), None)
    if generator is not None:
        generator.stop()


def _refuse(environment: Environment, trouble: Trouble) -> None:
    """Ends a run that cannot start, before there is a generator to say so."""
    log.error("error: %s", trouble)
    environment.process_exit_code = 3
    end_run(environment.runner)


def _options(environment: Environment) -> Namespace:
    """What the command line said."""
    return environment.parsed_options or Namespace()


events.init_command_line_parser.add_listener(_add_options)
events.init.add_listener(_prepare)
events.test_start.add_listener(_start)
events.test_stop.add_listener(_stop)
