"""The Locust user: a greenlet that takes arrivals as they fall due, and waits while they are played on the loop."""

from __future__ import annotations

import logging
import os
from argparse import Namespace
from pathlib import Path
from typing import Any, ClassVar

from locust import User, events, task
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.exception import StopUser
from locust.runners import STATE_SPAWNING, LocalRunner, MasterRunner, WorkerRunner

from harness.actor.persona import Persona
from harness.errors import Trouble
from harness.load.conductor import Conductor
from harness.load.generator import Generator
from harness.load.membership import Member
from harness.load.observer import Observer
from harness.load.parent import end_with
from harness.load.settings import SwarmSettings, add_options, free_folder, made, settings_of
from harness.load.together import CLOSE, end_run
from harness.load.web_tab import add_tab

log = logging.getLogger(__name__)

_generators: dict[int, Generator] = {}
"""The running generator of an environment, by the environment's identity; a process has one."""
_members: dict[int, Member] = {}
"""A worker's ties to its master, by the environment's identity."""
_observers: dict[int, Observer] = {}
"""What looks at the run of an environment with a web page."""
_folders: dict[int, str] = {}
"""The history folder that an environment was given; each run after the first has one of its own beside it."""
_conductors: dict[int, Conductor] = {}
"""A master's conductor, by the environment's identity."""


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
    add_tab(environment, lambda: _observers[id(environment)].seen if id(environment) in _observers else {})
    if isinstance(runner, MasterRunner):
        _conductors[id(environment)] = Conductor(environment)
    elif isinstance(runner, WorkerRunner):
        _members[id(environment)] = Member(runner)
        runner.register_message(CLOSE, _close, concurrent=True)


def _start(environment: Environment, **_: Any) -> None:
    if isinstance(environment.runner, LocalRunner | MasterRunner):
        # Starting may take some time. A web page that is told `ready` meanwhile would never ask again.
        environment.runner.update_state(STATE_SPAWNING)
    try:
        settings = _settings(environment)
        _observe(environment, settings)
        if isinstance(environment.runner, MasterRunner):
            _conduct(environment, settings)
            return
    except Trouble as trouble:
        _refuse(environment, trouble)
        return
    member = _members.get(id(environment))
    if member is not None and member.post is None:
        log.warning("this worker came after the test had begun: it has no part in it")
        return
    kinds = _kinds(environment)
    needs = tuple(dict.fromkeys(need for kind in kinds for need in kind.needs))
    generator = Generator(environment, settings, [(kind.persona, kind.weight) for kind in kinds], needs, member)
    _generators[id(environment)] = generator
    try:
        generator.start()
    except Trouble as trouble:
        generator.give_up(trouble)


def _settings(environment: Environment) -> SwarmSettings:
    """The settings of a run, with a folder of its own; a worker has from its master what Locust does not hand on."""
    options = _options(environment)
    member = _members.get(id(environment))
    if member is None:
        base = _folders.setdefault(id(environment), options.history_folder)
        options.history_folder = str(free_folder(Path(base), options.history_name))
    elif member.post is not None:
        options.num_users, options.spawn_rate = member.post.users, member.post.rate
    return settings_of(options, arrivals=next((kind.arrivals for kind in _kinds(environment)), ""))


def _conduct(environment: Environment, settings: SwarmSettings) -> None:
    """Begins a master's run."""
    folder = made(Path(settings.folder))
    options = _options(environment)
    _conductors[id(environment)].begin(folder, settings.name, options.num_users or 1, options.spawn_rate or 1.0)


def _observe(environment: Environment, settings: SwarmSettings) -> None:
    """Has a run looked at that somebody may look at in the web page."""
    _blind(environment)
    if environment.web_ui is not None:
        folder = made(Path(settings.folder))
        _observers[id(environment)] = Observer(settings.target(environment.host), folder, settings.name)


def _blind(environment: Environment, **_: Any) -> None:
    """Ends what looks at the last run."""
    observer = _observers.pop(id(environment), None)
    if observer is not None:
        observer.stop()


def _kinds(environment: Environment) -> list[type[ArrivingUser]]:
    return [kind for kind in environment.user_classes if issubclass(kind, ArrivingUser)]


def _stop(environment: Environment, **_: Any) -> None:
    conductor = _conductors.get(id(environment))
    if conductor is not None:
        conductor.end()
    generator = _generators.pop(id(environment), None)
    if generator is not None:
        generator.stop()
    observer = _observers.get(id(environment))
    if observer is not None:
        observer.over()


def _close(environment: Environment, **_: Any) -> None:
    """Closes a worker's journal because the master says that the run is over."""
    _stop(environment)


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
events.quitting.add_listener(_blind)
