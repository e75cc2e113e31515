"""Standard output and error as the verbs use them: what the first cannot take is trouble, the second goes without."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from harness.errors import Trouble

if TYPE_CHECKING:
    from rich.console import RenderableType

_WIDTH = 140
"""Of tables where there is no terminal, in columns."""


def make_ready() -> None:
    """Lets both take any text, whatever their encoding, and also where they were closed before we came."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 — for as long as we live
        else:
            stream.reconfigure(errors="backslashreplace")


def tell(text: str) -> None:
    """Writes on standard error. Where nobody reads it any more, it is let go: a run goes on without spectators."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        _silence(sys.stderr)


def put(text: str) -> None:
    """Writes a document for a program on standard output, in UTF-8. Raises Trouble when it cannot be written."""
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode(errors="backslashreplace"))
        sys.stdout.buffer.flush()
    except OSError as error:
        raise unwritten(error) from None


def show(*what: RenderableType, to_stderr: bool = False) -> None:
    """Shows tables and sentences, each on lines of its own. Raises Trouble when they cannot be written."""
    from rich.console import Console

    console = Console(stderr=to_stderr, highlight=False)
    if not console.is_terminal:
        console = Console(stderr=to_stderr, highlight=False, width=_WIDTH)
    with console.capture() as captured:  # rich itself ends the program where nobody reads, with status 1
        console.print(*what, sep="\n")
    if to_stderr:
        tell(captured.get())
        return
    try:
        sys.stdout.write(captured.get())
        sys.stdout.flush()
    except OSError as error:
        raise unwritten(error) from None


def unwritten(error: OSError) -> Trouble:
    """What it means that standard output failed; nothing more is written to it."""
    _silence(sys.stdout)
    return Trouble(
        f"standard output cannot be written ({error.strerror})", "let its reader take all of it, or make room for it"
    )


def _silence(stream: TextIO) -> None:
    """Nothing more can be written to it: without this Python tries again at its end, and complains."""
    with suppress(OSError):  # of a test, which has no descriptor
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
