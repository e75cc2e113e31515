"""What a load generator tells whoever started it, as lines of JSON on a pipe: how far it is, and its trouble."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass

import orjson

from harness.errors import Trouble


@dataclass
class Tally:
    """How many users of one generator process have come how far."""

    offered: int = 0
    started: int = 0
    """Joins that were sent, and answered or given up."""
    dropped: int = 0
    """Arrivals that never joined: they could not enter, or nobody was there to start them."""
    matched: int = 0
    unmatched: int = 0
    """Joined, and gone without a match."""
    finished: int = 0
    latest: float = 0.0
    """By how many seconds the latest join missed its due time."""


@dataclass(frozen=True)
class Told:
    """One line: a worker's tally, or what kept it from working."""

    worker: int
    tally: Tally
    trouble: Trouble | None = None


class Teller:
    """Writes the lines. Several processes may share the pipe: a line is far shorter than PIPE_BUF.

    Args:
        pipe: the file descriptor; None where nobody listens.
        worker: the number of this process within the run.
    """

    def __init__(self, pipe: int | None, worker: int = 0) -> None:
        self._pipe = pipe
        self._worker = worker

    def tally(self, tally: Tally) -> None:
        """Tells how far this process is."""
        self._write({"worker": self._worker, "tally": asdict(tally)})

    def trouble(self, trouble: Trouble) -> None:
        """Tells what keeps this process from working."""
        what, remedy = trouble.what[:1000], trouble.remedy[:1000]
        self._write({"worker": self._worker, "tally": {}, "trouble": {"what": what, "remedy": remedy}})

    def _write(self, line: dict[str, object]) -> None:
        if self._pipe is None:
            return
        try:
            os.write(self._pipe, orjson.dumps(line) + b"\n")
        except BrokenPipeError:
            self._pipe = None


def read_told(line: bytes) -> Told | None:
    """Reads one line; None for one that is torn or foreign."""
    try:
        said = orjson.loads(line)
        trouble = said.get("trouble")
        return Told(int(said["worker"]), Tally(**said["tally"]), Trouble(**trouble) if trouble else None)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
