"""A swarm: Locust as a child process that plays a scenario against a target and leaves histories behind."""

from __future__ import annotations

import ast
import importlib.util
import math
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import Trouble, remedy
from harness.load.arrivals import Schedule, schedule
from harness.load.child import run_child
from harness.load.joins import SCENARIO, run_joins
from harness.load.settings import SwarmSettings
from harness.load.telling import Tally, Told, read_told
from harness.target import Target, dump_target

_LOOPBACK = "127.0.0.1"
_STUCK = 90.0
"""A swarm whose schedule is over is given up when nobody has come further for so long, in seconds."""


@dataclass(frozen=True)
class SwarmPlan:
    """Who comes, when, and what they do. Times in seconds.

    `arrivals` is the text of a schedule (docs/swarms.md; empty: the locustfile's, else constant), `rate` is in users
    per second, for paced schedules. At most `users` arrive (None: as many as are due), and nobody is due after
    `duration` (None: no such limit). The scenario is the name of a locustfile. Users sign up and
    open their sockets at most `lead` before they are due, so the first is due `lead` after the start. Who is not
    matched within `patience` leaves the queue. Talk, patience and share of real peers are the persona's where None.
    """

    scenario: str
    users: int | None
    arrivals: str = ""
    rate: float = 10.0
    duration: float | None = None
    seed: int = 0
    processes: int = 1
    peer_share: float | None = None
    talk: tuple[float, float] | None = None
    drain: float = 6.0
    lead: float = 4.0
    patience: float | None = None
    rounds: int | None = None
    """How often a user searches, at most; None: as the persona says."""
    leave_behind: bool = False
    """`joins`: users who still wait at the end do not leave; the target is thrown away after the run."""
    at_once: int | None = None
    """How many users can be under way at the same time, from sign-up to goodbye; None: all of them."""


@dataclass
class SwarmProgress:
    """How far a swarm is, over all its processes."""

    offered: int
    """In a closed model: so far, for nobody is due before there is room for him."""
    started: int = 0
    dropped: int = 0
    matched: int = 0
    unmatched: int = 0
    finished: int = 0
    latest: float = 0.0


@dataclass(frozen=True)
class SwarmResult:
    """What a swarm left: the histories of its processes, and how many arrivals were offered, started and dropped.

    `exit_status` is Locust's own; anything but 0 means that the load generator, not the target, had trouble.
    """

    histories: list[Path]
    offered: int
    started: int
    dropped: int
    exit_status: int
    latest: float = 0.0
    """By how many seconds the latest join missed its due time."""


def scenarios() -> dict[str, Path]:
    """The scenarios that there are, by name: the files of the package `locustfiles`."""
    spec = importlib.util.find_spec("locustfiles")
    folders = [] if spec is None else list(spec.submodule_search_locations or ())
    files = (file for folder in folders for file in sorted(Path(folder).glob("*.py")))
    return {file.stem: file for file in files if not file.stem.startswith("_")}


async def run_swarm(
    plan: SwarmPlan,
    target: Target,
    folder: Path,
    *,
    name: str,
    progress: Callable[[SwarmProgress], None] = lambda _: None,
) -> SwarmResult:
    """Runs a swarm to its end, as a child process in a session of its own.

    Leaves in `folder`: `history.<name>.<worker>.ndjson`, Locust's log and the target file that it read. When cancelled
    it stops the child (SIGTERM, then SIGKILL) and waits for it; the histories written so far stay. The child dies with
    this process, however that ends.

    Raises:
        Trouble: no such scenario, a schedule that says nothing, a folder that cannot be written, or the child's own
            trouble (for example a target out of reach).
    """
    locustfile = _locustfile(plan.scenario)
    due = schedule_of(plan)
    if not due.arrivals:
        raise Trouble("nobody is due within that time", "give the swarm a longer duration")
    if plan.processes < 1:
        raise Trouble(f"{plan.processes} processes cannot carry a swarm", "use at least one")
    if plan.scenario == SCENARIO:
        return await _run_joins(plan, due, target, folder / f"history.{name}.0.ndjson", progress)
    target_file = _write_target(target, folder / f"target.{name}.toml")
    state = _Watched(SwarmProgress(0 if due.closed else len(due.arrivals)), progress, closed=due.closed is not None)
    settings = SwarmSettings(
        target_file=str(target_file), arrivals=due.text, users=len(due.arrivals), rate=plan.rate,
        duration=plan.duration, seed=plan.seed, peer_share=plan.peer_share, talk=plan.talk, drain=plan.drain,
        lead=plan.lead, patience=plan.patience, rounds=plan.rounds, folder=str(folder), name=name,
    )  # fmt: skip
    users = _greenlets(plan, due)
    command = [
        sys.executable, "-m", "locust", "-f", str(locustfile), "--headless", "--only-summary", "--exit-code-on-error=0",
        f"--host={target.api_url}", f"--users={users}", f"--spawn-rate={users}", *settings.arguments(),
    ]  # fmt: skip
    if plan.processes > 1:
        command += [f"--processes={plan.processes}", *_meeting_place()]
    log = folder / f"locust.{name}.log"
    status = await run_child(command, log, state.hear, within=_length(plan, due), stuck=_STUCK)
    state.raise_trouble(status, log)
    done = state.progress
    return SwarmResult(
        _histories(folder, name), done.offered, done.started, done.offered - done.started, status, done.latest
    )


def _meeting_place() -> tuple[str, ...]:
    """Where the processes of one swarm meet: Locust's own port is the same for all, and two swarms would mix there."""
    with socket.create_server((_LOOPBACK, 0)) as free:
        port = free.getsockname()[1]
    return (
        f"--master-bind-host={_LOOPBACK}", f"--master-bind-port={port}",
        f"--master-host={_LOOPBACK}", f"--master-port={port}",
    )  # fmt: skip


async def _run_joins(
    plan: SwarmPlan, due: Schedule, target: Target, history: Path, progress: Callable[[SwarmProgress], None]
) -> SwarmResult:
    """Plays the scenario `joins` in this process. Raises Trouble as `run_joins`, and where it is told to be several."""
    if plan.processes > 1:
        raise Trouble(f"{SCENARIO} is played by one process", "leave --processes out")

    def told(tally: Tally) -> None:
        counted = ("started", "dropped", "matched", "unmatched", "finished", "latest")
        progress(SwarmProgress(tally.offered, **{name: getattr(tally, name) for name in counted}))

    tally = await run_joins(
        due, target, history, seed=plan.seed, drain=plan.drain, leave=not plan.leave_behind, told=told
    )
    return SwarmResult([history], tally.offered, tally.started, tally.offered - tally.started, 0, tally.latest)


def schedule_of(plan: SwarmPlan) -> Schedule:
    """Who arrives when, by the plan, or by the locustfile where the plan says nothing. Raises Trouble as `schedule`."""
    text = plan.arrivals or arrivals_of(plan.scenario) or "constant"
    return schedule(text, users=plan.users, rate=plan.rate, duration=plan.duration, seed=plan.seed)


def arrivals_of(scenario: str) -> str:
    """The schedule that a locustfile sets as `arrivals = "…"` in a class; empty where it sets none."""
    for said in _declared(scenario, "arrivals"):
        if not (isinstance(said, ast.Constant) and isinstance(said.value, str)):
            raise Trouble(f"the arrivals of {scenario} are no plain text", 'write arrivals = "…" in its locustfile')
        return said.value
    return ""


def judges_of(scenario: str) -> tuple[str, ...]:
    """The requirements that a locustfile says it can judge, over all its classes: `judges = ("MM-S1", …)`."""
    try:
        named = [name for said in _declared(scenario, "judges") for name in ast.literal_eval(said)]
    except (ValueError, TypeError):
        raise Trouble(
            f"what {scenario} judges is no plain tuple", 'write judges = ("MM-S1",) in its locustfile'
        ) from None
    return tuple(dict.fromkeys(map(str, named)))


def _declared(scenario: str, attribute: str) -> Iterator[ast.expr]:
    """What the classes of a locustfile set an attribute to.

    The file is read and not imported, for importing Locust would change how this process waits.
    """
    tree = ast.parse(_locustfile(scenario).read_text(encoding="utf-8"))
    kinds = (node for node in tree.body if isinstance(node, ast.ClassDef))
    for node in (node for kind in kinds for node in kind.body if isinstance(node, ast.Assign | ast.AnnAssign)):
        names = node.targets if isinstance(node, ast.Assign) else [node.target]
        if node.value is not None and any(isinstance(name, ast.Name) and name.id == attribute for name in names):
            yield node.value


def _greenlets(plan: SwarmPlan, due: Schedule) -> int:
    """How many users Locust spawns: one for each arrival or place, and as many in each process."""
    room = due.closed.users if due.closed else plan.at_once or len(due.arrivals)
    return -(-min(len(due.arrivals), room) // plan.processes) * plan.processes


def _length(plan: SwarmPlan, due: Schedule) -> float | None:
    """Seconds that the whole takes where everything is on time; None where nobody can say."""
    last = due.last_due if due.closed is None else due.closed.until
    talk = plan.talk[1] if plan.talk is not None else 0.0
    return None if math.isinf(last) else plan.lead + last + plan.drain + talk


@dataclass
class _Watched:
    """What the child's processes have told so far."""

    progress: SwarmProgress
    listener: Callable[[SwarmProgress], None]
    closed: bool = False
    tallies: dict[int, Tally] = field(default_factory=dict)
    trouble: Trouble | None = None

    def hear(self, line: bytes) -> bool:
        """Takes one line of one worker; says whether anybody came further since its last."""
        told: Told | None = read_told(line)
        if told is None:
            return False
        if told.trouble is not None:
            self.trouble = self.trouble or told.trouble
            return False
        further = told.tally != self.tallies.get(told.worker)
        self.tallies[told.worker] = told.tally
        for key in ("started", "dropped", "matched", "unmatched", "finished", *(["offered"] if self.closed else [])):
            setattr(self.progress, key, sum(getattr(tally, key) for tally in self.tallies.values()))
        self.progress.latest = max(tally.latest for tally in self.tallies.values())
        self.listener(self.progress)
        return further

    def raise_trouble(self, status: int, log: Path) -> None:
        """Raises what the child said, or that it ended badly without a word."""
        if self.trouble is not None:
            raise self.trouble
        if status:
            raise Trouble(f"the load generator ended with status {status}", f"see {log}")


def _histories(folder: Path, name: str) -> list[Path]:
    return sorted(folder.glob(f"history.{name}.*.ndjson"))


def _locustfile(scenario: str) -> Path:
    known = scenarios()
    if scenario not in known:
        raise Trouble(f"there is no scenario “{scenario}”", f"use {', '.join(known)}")
    return known[scenario]


def _write_target(target: Target, path: Path) -> Path:
    try:
        path.write_text(dump_target(target), encoding="utf-8")
    except OSError as error:
        raise Trouble(
            f"{path} cannot be written ({error.strerror})", remedy(error, "check the folder's permissions")
        ) from None
    return path
