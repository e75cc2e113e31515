"""The log on standard error: one line for each record, with the request's id, as text or as JSON."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal

from pythonjsonlogger.orjson import OrjsonFormatter

from reference_server.telemetry import request_id

LogFormat = Literal["text", "json"]
_JSON_FIELDS = ("timestamp", "level", "logger", "message", "request_id", "pid")
_TEXT = "%(timestamp)s %(level)s %(logger)s [%(request_id)s] %(message)s"


class _Fields(logging.Filter):
    """Gives a record the fields of docs/operation.md."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.timestamp = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        record.level = record.levelname
        record.logger = record.name
        record.pid = record.process
        record.request_id = request_id.current.get() or "-"
        return True


class Repeats(logging.Filter):
    """Holds back what a task keeps repeating: while the database is gone, each of them says so several times a second.

    Of the warnings that one place in the code makes, `ALLOWED` pass in `PERIOD` seconds; the last of them says that
    more are held back, the next that passes how many were. Warnings that belong to a request always pass: somebody may
    look for its id. A warning names its exception instead of showing the traceback (the driver's pool does the latter).
    """

    ALLOWED = 3
    PERIOD = 30.0

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._seen: dict[tuple[str, int], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno != logging.WARNING or request_id.current.get():
            return True
        now, place = self._clock(), (record.pathname, record.lineno)
        began, count = self._seen.get(place, (now, 0))
        held = max(0, count - self.ALLOWED)
        if now - began >= self.PERIOD:
            began, count = now, 0
        self._seen[place] = began, count + 1
        if count >= self.ALLOWED:
            return False
        said = [record.getMessage()]
        if record.exc_info and record.exc_info[1] is not None:
            said.append(f"({type(record.exc_info[1]).__name__}: {record.exc_info[1]})")
        if count == 0 and held:
            said.append(f"({held} more like this one were held back)")
        if count + 1 == self.ALLOWED:
            said.append(f"(more like this one are held back for {began + self.PERIOD - now:.0f} s)")
        record.msg, record.args, record.exc_info, record.exc_text = " ".join(said), None, None, None
        return True


class _OneLine(logging.Formatter):
    """Text in which what would break the line is escaped: a traceback stays with its record, nobody forges a line."""

    def format(self, record: logging.LogRecord) -> str:
        return super().format(record).replace("\r", "\\r").replace("\n", "\\n")


def log_to_stderr(level: str, form: LogFormat, *, access_log: bool) -> None:
    """Sends every record of this level or above to standard error, and requests where they are asked for."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(Repeats())
    handler.addFilter(_Fields())
    handler.setFormatter(OrjsonFormatter(_JSON_FIELDS) if form == "json" else _OneLine(_TEXT))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("reference_server.access").setLevel(logging.INFO if access_log else logging.NOTSET)
