"""A process beside a run that reads its journals and judges them as they grow, off the way of the load.

It is told the terms as a line of JSON on its standard input, tells what it sees as lines of JSON on its standard
output, and ends with `over`, or when its input ends. It runs at low priority, looks once a second, and judges so rarely
that judging takes a tenth of a core at most.
"""

from __future__ import annotations

import os
import select
import sys
import time
from io import FileIO
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from harness.load.live import Live
from harness.load.tail import Tail
from harness.target import Budgets, Capabilities

SHARE = 0.1
"""Of a core, for judging."""
_LOOK_EVERY = 1.0
_JUDGE_EVERY = 2.0


class Watcher:
    """Looks at one run.

    Args:
        terms: `folder`, `name`, `budgets`, `capabilities`, `fresh_users`.
    """

    def __init__(self, terms: dict[str, Any]) -> None:
        self._tail = Tail(Path(terms["folder"]), terms["name"])
        self._live = Live(
            Budgets.model_validate(terms["budgets"]),
            Capabilities.model_validate(terms["capabilities"]),
            fresh_users=terms["fresh_users"],
        )
        self._next = 0.0

    def look(self, *, over: bool = False) -> dict[str, Any]:
        """Takes what is new, judges when it is time to, and says what there is to see.

        Args:
            over: the run is over: judge all of it, whatever that costs.
        """
        cut = self._tail.cut(over=over)
        self._live.take(cut.ended, cut.until)
        now = time.monotonic()
        if over or now >= self._next:
            silent = [] if over else self._tail.silent([*self._live.ops, *cut.open])
            self._live.judge([*cut.open, *silent])
            self._next = now + max(_JUDGE_EVERY, self._live.cost / SHARE)
        return {**self._live.snapshot(), "over": over}


def watch(inbox: FileIO, outbox: BinaryIO) -> None:
    """Looks at a run until it is over."""
    watcher = Watcher(orjson.loads(inbox.readline()))
    over = False
    while not over:
        ready, _, _ = select.select([inbox], [], [], _LOOK_EVERY)
        if ready and not (over := inbox.readline().strip() == b"over"):
            return
        outbox.write(orjson.dumps(watcher.look(over=over)) + b"\n")
        outbox.flush()


if __name__ == "__main__":
    os.nice(10)
    with open(0, "rb", buffering=0, closefd=False) as unbuffered:  # so that select sees all that has come
        watch(unbuffered, sys.stdout.buffer)
