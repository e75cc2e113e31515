"""The journal: ops on disk as NDJSON, one line each, written as they end and read back whole."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import BinaryIO, Self

import orjson
from msgspec import Struct
from msgspec.json import Decoder

from harness.errors import Trouble
from harness.history.clock import Clock, clock_of, on_reference
from harness.history.lines import decoder, op_line, op_lines, parse_op, sound
from harness.history.op import Op
from harness.history.quiet_memory import without_collection

_log = logging.getLogger(__name__)

_REMEDY = "check that the folder exists, may be written and has room"
_CLOCK = b'{"clock"'
_BLOCK = 1 << 20
"""About so many bytes are read at once."""


class _Head(Struct, gc=False):
    """What merging must know of an op; the rest of its line is copied as it is."""

    t0: float
    t1: float | None
    process: str
    n: int


_heads = Decoder(_Head)


class Journal:
    """Keeps ops in a file, one JSON object a line. It is a Sink; not for use from several threads at once.

    Ops are held back, and reach the file at the latest `every` seconds before the next one, so that a killed process
    loses little: what came after one moment, and nothing of what came before. Calls that were announced and are under
    way at a write stand in it, too. A write that fails (disk full, folder removed) is a Trouble.

    Args:
        path: the file; it is created, or appended to.
        every: seconds between flushes while ops come in.
        clock: the clock that stamps the ops, where journals of several machines shall be merged.
    """

    def __init__(self, path: Path, *, every: float = 0.5, clock: Clock | None = None) -> None:
        self.path = path
        self._every = every
        self._flushed = time.monotonic()
        self._held: list[Op] = []
        self._begun: dict[int, Op] = {}
        """The calls under way of which the file has no line, by identity."""
        self._unwritten = b""
        self._file: FileIO | None
        try:
            self._file = path.open("ab", buffering=0)
            if clock is not None and not self._file.tell():
                self._unwritten = clock.line()
        except OSError as error:
            raise Trouble(f"the history {path} cannot be written ({error.strerror})", _REMEDY) from None

    def append(self, op: Op) -> None:
        """Takes one op, which must not change any more. Raises Trouble when it is closed or the disk refuses."""
        if self._file is None:
            raise Trouble(f"the history {self.path} is closed", "record before the run ends")
        self._begun.pop(id(op), None)
        self._held.append(op)
        now = time.monotonic()
        if now - self._flushed >= self._every:
            self._flushed = now
            self.flush()

    def announce(self, op: Op) -> None:
        """Notes a call that begins. The op itself is to be appended when it has ended.

        A write before that has it as `info` without an end, until a line with the same number ends it.
        """
        self._begun[id(op)] = op

    def restate(self, clock: Clock) -> None:
        """States the clock anew, where the journal began with one: its offset is known better, or has changed."""
        if self._file is None:
            raise Trouble(f"the history {self.path} is closed", "state the clock before the run ends")
        self.flush()
        restate(self.path, clock)

    def flush(self) -> None:
        """Hands everything to the operating system. What it refuses is kept for the next try."""
        if self._file is None:
            return
        # What is under way goes first: who sees the last line of this write sees all that had begun by then.
        self._unwritten += op_lines([*self._begun.values(), *self._held])
        self._begun.clear()
        self._held.clear()
        try:
            while self._unwritten:
                self._unwritten = self._unwritten[self._file.write(self._unwritten) :]
        except OSError as error:
            raise Trouble(f"the history {self.path} cannot be written ({error.strerror})", _REMEDY) from None

    def close(self) -> None:
        """Flushes and closes the file. May be called twice."""
        if self._file is not None:
            try:
                self.flush()
            finally:
                file, self._file = self._file, None
                file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def restate(path: Path, clock: Clock) -> None:
    """Writes the line that states the clock of a journal anew; one that states none stays as it is."""
    try:
        with path.open("r+b") as file:
            stated = file.readline()
            if stated.startswith(_CLOCK) and len(stated) == len(clock.line()):
                file.seek(0)
                file.write(clock.line())
    except OSError as error:
        raise Trouble(f"the history {path} cannot be written ({error.strerror})", _REMEDY) from None


@without_collection
def read_history(path: Path) -> list[Op]:
    """Reads a history in the order of its lines. A clock that it states says nothing as long as it is alone.

    A call that was announced, and ended by a later line, is one op, at the place of the first.

    A last line without newline that cannot be read is what a killed process leaves: it is dropped, with a warning in
    the log (`is_torn` tells). An op that stands there twice is one op.

    Raises:
        Trouble: no such file, unreadable, a malformed line (named by its number), or two ops with the same number.
    """
    ops: list[Op] = []
    announced: dict[tuple[str, int], int] = {}
    for number, block in _blocks(path):
        for op in _ops_of(path, number, block):
            if op.t1 is None or announced:
                place = _place(op.process, op.n, op.t1, announced, len(ops))
                ops[place : place + 1] = [op]
            else:
                ops.append(op)
    return _once(path, ops)


def _once(path: Path, ops: list[Op]) -> list[Op]:
    """The ops without what stands there twice. Raises Trouble where two different ones have the same number."""
    numbers: dict[str, set[int]] = {}
    for op in ops:
        numbers.setdefault(op.process, set()).add(op.n)
    if sum(map(len, numbers.values())) == len(ops):
        return ops
    kept: dict[tuple[str, int], Op] = {}
    for op in ops:
        first = kept.setdefault((op.process, op.n), op)
        if (first.t0, first.op, first.user) != (op.t0, op.op, op.user):
            raise _of_two_runs(path, op.process, op.n)
        if first.t1 is None:
            kept[op.process, op.n] = op
    _log.warning("%s: %d ops stand there twice, and count once", path, len(ops) - len(kept))
    return list(kept.values())


def _of_two_runs(path: Path, process: str, n: int) -> Trouble:
    return Trouble(
        f"{path}: the process {process} has two different ops with the number {n}, so these are histories of two runs",
        "judge each alone; journals of one run have processes of their own",
    )


def is_torn(path: Path) -> bool:
    """Whether the last line of a history was cut off in its middle. Raises Trouble where it cannot be read."""
    with _opened(path) as file:
        if not file.seekable():
            return False  # a pipe: what was in it has been read
        file.seek(max(0, file.seek(0, os.SEEK_END) - _BLOCK))
        line = file.read().rpartition(b"\n")[2]
    try:
        return bool(line.strip()) and parse_op(line) is None
    except ValueError:
        return True


def _ops_of(path: Path, number: int, block: bytes) -> list[Op]:
    """The ops of a block of whole lines, the first of which has this number; line by line where one is odd."""
    if number > 1 or not block.startswith(_CLOCK):
        try:
            ops = decoder.decode_lines(block)
        except ValueError:
            ops = []
        if ops and all(map(sound, ops)):
            return ops
    return list(_line_by_line(path, number, block))


def _line_by_line(path: Path, first: int, block: bytes) -> Iterator[Op]:
    """The same, naming the line that is no op."""
    for number, line, whole in _split(first, block):
        try:
            if number == 1 and line.startswith(_CLOCK) and clock_of(orjson.loads(line)) is not None:
                continue
            yield parse_op(line)
        except ValueError as error:
            if not whole:
                _tell_torn(path, number)
                break
            raise Trouble(
                f"{path}, line {number}: not an op ({error})", "give a history as the harness wrote it"
            ) from None


def _tell_torn(path: Path, number: int) -> None:
    """Says that a last line was dropped: a killed process leaves such."""
    _log.warning("%s: the last line is torn and was dropped (line %d)", path, number)


def _place(process: str, n: int, t1: float | None, announced: dict[tuple[str, int], int], end: int) -> int:
    """Where a line belongs: in the place of the one that announced its call, else at the end."""
    if t1 is None:
        return announced.setdefault((process, n), end)
    return announced.pop((process, n), end) if announced else end


def write_history(ops: Iterable[Op], path: Path) -> None:
    """Writes ops as a new history file, replacing what was there."""
    _write((op_line(op) for op in ops), path)


def merge_histories(paths: Sequence[Path], into: Path) -> int:
    """Merges histories of several processes into one file, ordered by the start of the ops; returns their number.

    Journals that state no clock, or all the same, were stamped by one clock and are merged as they are. Where clocks
    differ, each journal must state its own: its ops are moved onto the one that all are compared with, and made longer
    by the bound of its error.

    Torn last lines are dropped as in `read_history`, and Trouble is raised as there. What two of them have in common
    stands once.
    """
    clocks = _clocks(paths)
    if len({clock.id for clock in clocks if clock is not None}) > 1:
        return _merge_clocks(paths, clocks, into)
    keyed: list[tuple[float, int, bytes]] = []
    announced: dict[tuple[str, int], int] = {}
    numbers: dict[str, set[int]] = {}
    lines: set[bytes] = set()
    """All lines, once two of them have the same number."""
    for path in paths:
        for number, line, whole in _lines(path):
            if number == 1 and line.startswith(_CLOCK):
                continue
            try:
                head = _heads.decode(line)
            except ValueError:
                if not whole:
                    _tell_torn(path, number)
                    break
                raise Trouble(f"{path}, line {number}: not an op", "give histories as the harness wrote them") from None
            known = numbers.setdefault(head.process, set())
            if head.n in known and (head.process, head.n) not in announced:
                lines = lines or {line for _, _, line in keyed}
                if head.t1 is not None and line not in lines:
                    raise _of_two_runs(path, head.process, head.n)
                continue
            known.add(head.n)
            place = _place(head.process, head.n, head.t1, announced, len(keyed))
            keyed[place : place + 1] = [(head.t0, place, line)]
    keyed.sort()
    _write((line + b"\n" for _, _, line in keyed), into)
    return len(keyed)


def _clocks(paths: Sequence[Path]) -> list[Clock | None]:
    """The clock that each journal states in its first line; None where it states none."""
    return [clock_stated(path) for path in paths]


def clock_stated(path: Path) -> Clock | None:
    """The clock that a journal states, if it does. Raises Trouble where the line is not as it must be."""
    for number, line, _ in _lines(path):
        if number > 1 or not line.startswith(_CLOCK):
            return None
        try:
            return clock_of(orjson.loads(line))
        except ValueError as error:
            raise Trouble(f"{path}, line 1: {error}", "mend the line that states the clock") from None
    return None


def _merge_clocks(paths: Sequence[Path], clocks: Sequence[Clock | None], into: Path) -> int:
    silent = next((path for path, clock in zip(paths, clocks, strict=True) if clock is None), None)
    if silent is not None:
        raise Trouble(
            f"{silent} does not say by which clock it was stamped, and the others were stamped by several",
            'begin it with a line such as {"clock": {"id": "host-b", "offset": -0.012, "error": 0.002}}',
        )
    ops = [
        on_reference(op, clock)
        for path, clock in zip(paths, clocks, strict=True)
        if clock is not None
        for op in read_history(path)
    ]
    ops.sort(key=lambda op: op.t0)
    write_history(ops, into)
    return len(ops)


def _blocks(path: Path) -> Iterator[tuple[int, bytes]]:
    """A file in blocks of whole lines, each with the number of its first; the last of all may lack its newline."""
    with _opened(path) as file:
        number = 1
        while block := file.read(_BLOCK):
            block += b"" if block.endswith(b"\n") else file.readline()
            yield number, block
            number += block.count(b"\n")


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """A history to be read. Raises Trouble where it cannot be."""
    try:
        with path.open("rb") as file:
            yield file
    except FileNotFoundError:
        raise Trouble(f"there is no history {path}", "name a history.ndjson of a run") from None
    except OSError as error:
        raise Trouble(f"the history {path} cannot be read ({error.strerror})", "check the path") from None


def _split(first: int, block: bytes) -> Iterator[tuple[int, bytes, bool]]:
    """The lines of a block that are not blank: number, bytes without newline, and whether the newline was there."""
    lines = block.split(b"\n")
    for number, line in enumerate(lines, first):
        if line.strip():
            yield number, line, number < first + len(lines) - 1


def _lines(path: Path) -> Iterator[tuple[int, bytes, bool]]:
    """The same of a whole file."""
    for first, block in _blocks(path):
        yield from _split(first, block)


def _write(lines: Iterable[bytes], path: Path) -> None:
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            file.writelines(lines)
        part.replace(path)
    except OSError as error:
        raise Trouble(f"the history {path} cannot be written ({error.strerror})", _REMEDY) from None
