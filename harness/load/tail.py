"""The journals of a run that is under way, read as they grow, and cut at a moment up to which they are complete."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import orjson
from msgspec.structs import replace

from harness.history.clock import Clock, clock_of, on_reference
from harness.history.lines import parse_op
from harness.history.op import Op, Outcome
from harness.history.recorder import EFFECTS
from harness.load.loss import parting

SILENT = 10.0
"""A process whose last note is so many seconds older than another's has gone, or was killed: nobody waits for it."""


@dataclass
class _Journal:
    """One file: how far it was read, and the ops that were new or still open when it was looked at last."""

    path: Path
    offset: int = 0
    clock: Clock | None = None
    fresh: list[Op] = field(default_factory=list)
    open: dict[int, Op] = field(default_factory=dict)
    noted: float = -math.inf
    """When its process last noted how it does: all that had ended by then lies before it in the file."""

    def read(self) -> None:
        """Takes what has been added. A torn last line waits for its rest."""
        with self.path.open("rb") as file:
            first = file.readline()
            self.clock = _stated(first)
            file.seek(max(self.offset, len(first) if self.clock is not None else 0))
            at, data = file.tell(), file.read()
        whole = data.rfind(b"\n") + 1
        for line in data[:whole].splitlines():
            if line.strip():
                self._take(parse_op(line))
        self.offset = at + whole

    def _take(self, op: Op) -> None:
        number, op = op.n, op if self.clock is None else on_reference(op, self.clock)
        if op.t1 is None:
            self.open[number] = op
            return
        self.open.pop(number, None)
        self.fresh.append(op)
        if op.op == "generator":
            self.noted = op.t0


def _stated(line: bytes) -> Clock | None:
    whole = line.startswith(b'{"clock"') and line.endswith(b"\n")
    return clock_of(orjson.loads(line)) if whole else None


@dataclass(frozen=True)
class Cut:
    """What is new since the last cut, and which calls with effects are under way at this one."""

    until: float
    ended: list[Op]
    open: list[Op]


class Tail:
    """The journals of one run.

    Args:
        folder: where they lie.
        name: that of the histories.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._pattern = f"history.{name}.*.ndjson"
        self._journals: dict[Path, _Journal] = {}

    def cut(self, *, over: bool = False) -> Cut:
        """Reads what has been added, and cuts it at the latest moment up to which every process is complete.

        Ops that began after it are kept for the next cut; calls that had begun and not ended are open, so that nobody
        is accused of what a call explains that is under way.

        Args:
            over: the run is over, and all journals are closed: nothing is cut off.
        """
        for path in self._folder.glob(self._pattern):
            self._journals.setdefault(path, _Journal(path)).read()
        until = math.inf if over else self._complete()
        ended: list[Op] = []
        begun: list[Op] = []
        for journal in self._journals.values():
            for op in journal.fresh:
                (ended if op.t1 is not None and op.t1 <= until else begun).append(op)
            begun += journal.open.values()
            journal.fresh = [op for op in journal.fresh if op.t1 is not None and op.t1 > until]
        ended.sort(key=lambda op: op.t1 or op.t0)
        return Cut(until, ended, list(_under_way(begun, until)))

    def _complete(self) -> float:
        noted = [journal.noted for journal in self._journals.values()]
        latest = max(noted, default=-math.inf)
        return min((when for when in noted if when > latest - SILENT), default=latest)

    def silent(self, ops: Sequence[Op]) -> list[Op]:
        """What is to be added for processes that have fallen silent, of whose ops, and others', these are all."""
        latest = max((journal.noted for journal in self._journals.values()), default=0.0)
        noted: dict[str, float] = {}
        for op in ops:
            noted[op.process] = max(noted.get(op.process, -math.inf), op.t0 if op.op == "generator" else -math.inf)
        more: list[Op] = []
        for process in (process for process, when in noted.items() if -math.inf < when <= latest - SILENT):
            own = [op for op in ops if op.process == process]
            more += parting(own, [op for op in ops if op.process != process])
        return more


def _under_way(begun: Iterable[Op], until: float) -> Iterator[Op]:
    for op in begun:
        if op.t0 <= until and op.op in EFFECTS:
            yield replace(op, t1=None, outcome=Outcome.INFO)
