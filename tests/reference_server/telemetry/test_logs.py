"""What stands in the log, and in which form."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import orjson
import pytest

from reference_server.telemetry import request_id
from reference_server.telemetry.logs import Repeats, log_to_stderr

log = logging.getLogger("reference_server.test")


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """What has come to standard error; the logging of before is put back at the end."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers = []
    token = request_id.current.set("")
    yield lambda: capsys.readouterr().err
    request_id.current.reset(token)
    root.handlers = before
    root.setLevel(level)


def test_json(written: Callable[[], str]) -> None:
    """A line is an object with the documented fields; an error's traceback is one of them."""
    log_to_stderr("info", "json", access_log=False)
    request_id.current.set("r-1")
    try:
        raise ValueError("no")
    except ValueError:
        log.exception("it failed: %s", "why")
    (line,) = written().splitlines()
    record = orjson.loads(line)
    assert record.keys() == {"timestamp", "level", "logger", "message", "request_id", "pid", "exc_info"}
    assert (record["level"], record["logger"], record["message"]) == ("ERROR", log.name, "it failed: why")
    assert record["request_id"] == "r-1"
    assert record["exc_info"].endswith("ValueError: no")


def test_text(written: Callable[[], str]) -> None:
    """A line has time, level, module, request id and message; outside of a request the id is a dash."""
    log_to_stderr("warning", "text", access_log=False)
    log.info("not this")
    log.warning("this")
    moment, _, rest = written().partition(" ")
    assert moment.endswith("+00:00")
    assert rest == "WARNING reference_server.test [-] this\n"


def test_nobody_forges_a_line(written: Callable[[], str]) -> None:
    """Line breaks in what a client sent, and those of a traceback, do not begin a new line."""
    log_to_stderr("warning", "text", access_log=False)
    try:
        raise ValueError("a\nb")
    except ValueError:
        log.exception("topic %s", "x\r\n2026 ERROR forged")
    (line,) = written().splitlines()
    assert r"x\r\n2026 ERROR forged" in line


def test_access_log_needs_no_level(written: Callable[[], str]) -> None:
    """Where requests are to be logged, they are at any level; else they are not."""
    access = logging.getLogger("reference_server.access")
    log_to_stderr("error", "text", access_log=True)
    access.info("GET /")
    log_to_stderr("warning", "text", access_log=False)
    access.info("GET /again")
    assert written().endswith(" INFO reference_server.access [-] GET /\n")


def repeated(repeats: Repeats) -> str | None:
    """What comes of a warning that one place makes again and again, with its exception."""
    try:
        raise OSError("no such socket")
    except OSError as error:
        raised = (type(error), error, error.__traceback__)
    record = log.makeRecord(log.name, logging.WARNING, "pool.py", 7, "no connection for %s", ("feed",), raised)
    return logging.Formatter("%(message)s").format(record) if repeats.filter(record) else None


def test_what_a_task_repeats_is_held_back_and_counted(written: Callable[[], str]) -> None:
    """Three times in half a minute and no traceback; what follows says how many more there were."""
    now = [100.0]
    repeats = Repeats(lambda: now[0])
    said = []
    for _ in range(10):
        said.append(repeated(repeats))
        now[0] += 1.0
    words = "no connection for feed (OSError: no such socket)"
    assert said == [words, words, f"{words} (more like this one are held back for 28 s)", *[None] * 7]
    now[0] = 130.0
    assert repeated(repeats) == f"{words} (7 more like this one were held back)"
    assert repeated(repeats) == words


def test_what_is_not_repeated_by_a_task_passes(written: Callable[[], str]) -> None:
    """The warnings of requests, errors, and warnings of other places are all written."""
    log_to_stderr("warning", "text", access_log=False)
    request_id.current.set("r-1")
    for number in range(5):
        log.warning("join %d failed", number)
    request_id.current.set("")
    for number in range(5):
        log.error("worker %d has ended", number)
    for _ in range(5):
        log.warning("the others cannot be told")
    log.warning("the feed is lost")
    lines = written().splitlines()
    assert [line.partition("] ")[2] for line in lines] == [
        *(f"join {number} failed" for number in range(5)),
        *(f"worker {number} has ended" for number in range(5)),
        *["the others cannot be told"] * 2,
        "the others cannot be told (more like this one are held back for 30 s)",
        "the feed is lost",
    ]
