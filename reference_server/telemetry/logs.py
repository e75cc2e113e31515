"""The log on standard error: one line for each record, with the request's id, as text or as JSON."""

from __future__ import annotations

import logging
import sys
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


class _OneLine(logging.Formatter):
    """Text in which what would break the line is escaped: a traceback stays with its record, nobody forges a line."""

    def format(self, record: logging.LogRecord) -> str:
        return super().format(record).replace("\r", "\\r").replace("\n", "\\n")


def log_to_stderr(level: str, form: LogFormat, *, access_log: bool) -> None:
    """Sends every record of this level or above to standard error, and requests where they are asked for."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_Fields())
    handler.setFormatter(OrjsonFormatter(_JSON_FIELDS) if form == "json" else _OneLine(_TEXT))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("reference_server.access").setLevel(logging.INFO if access_log else logging.NOTSET)
