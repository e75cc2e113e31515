"""Says what a long command is doing: a live line per stage on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self

from harness.cli.streams import tell

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

_PLAIN_INTERVAL = 5.0


class Stage:
    """One step of the work: `say` tells where it is; the last word stays. A short step says nothing in between."""

    def __init__(self, progress: Progress, name: str) -> None:
        self._progress = progress
        self._name = name
        self._task: TaskID | None = None
        self._started = self._said_at = time.monotonic()
        self.last = ""

    def say(self, text: str) -> None:
        """Where the step is now; shown at once on a terminal, every few seconds elsewhere."""
        self.last = text
        rich = self._progress.rich
        if rich is not None:
            if self._task is None:
                self._task = rich.add_task(self._name, total=None, said=text)
            rich.update(self._task, said=text)
        elif time.monotonic() - self._said_at >= _PLAIN_INTERVAL:
            self._said_at = time.monotonic()
            self._progress.note(f"{self._name}: {text}")

    def result(self, text: str) -> None:
        """What came of the step; said when it ends."""
        self.last = text

    def end(self) -> None:
        """The step is done: one line that stays."""
        if self._progress.rich is not None and self._task is not None:
            self._progress.rich.remove_task(self._task)
        seconds = time.monotonic() - self._started
        self._progress.note(f"{self._name}: {self.last or 'done'} ({seconds:.1f} s)")


class Progress:
    """What a command says while it works, on standard error.

    Args:
        verbose: how often `-v` was given; `detail` speaks from 1 on.
    """

    def __init__(self, verbose: int = 0) -> None:
        self.verbose = verbose
        self.rich: RichProgress | None = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress as RichProgress
            from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

            columns = (SpinnerColumn(), TextColumn("{task.description}: {task.fields[said]}"), TimeElapsedColumn())
            self.rich = RichProgress(*columns, console=Console(stderr=True), transient=True)
            self.rich.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.rich is not None:
            self.rich.stop()
            self.rich = None

    def note(self, text: str) -> None:
        """A line that stays."""
        if self.rich is not None:
            self.rich.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            tell(text + "\n")

    def detail(self, text: str) -> None:
        """A line that stays, for whoever asked for more."""
        if self.verbose:
            self.note(text)

    @contextmanager
    def stage(self, name: str, doing: str = "…") -> Iterator[Stage]:
        """A step of the work; when the block ends well, its last word stays."""
        stage = Stage(self, name)
        stage.say(doing)
        yield stage
        stage.end()
