"""A deployment of one's own under a swarm: one that goes on costs no waiting, one that dies makes the run unknown."""

import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from harness.lab.costs import PATIENCE


@pytest.fixture
def serving(gurukul, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A `gurukul serve`, and the target file that it wrote, with the address of its database."""
    target = tmp_path / "served.toml"
    process = gurukul.start("serve", "--port", "0", "--write-target", str(target))
    heard(process.stdout, "ready")
    assert 'database_url = "postgresql' in target.read_text()
    yield process, target
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        process.communicate()


def heard(stream, pattern: str) -> str:
    """Waits for a line and returns it."""
    return next(line for line in iter(stream.readline, "") if re.search(pattern, line))


def test_a_target_that_dies_is_told_of_and_the_generator_is_not_blamed(gurukul, serving):
    """Exit 2, with the moment of the last answer; the run is stored, though the database is gone as well."""
    server, target = serving
    swarm = gurukul.start(
        "swarm", "search_and_chat", str(target), "--users", "80", "--rate", "5", "--talk", "1:2", "--json", "-",
    )  # fmt: skip
    heard(swarm.stderr, r"users joined, [1-9]\d* matched")
    server.send_signal(signal.SIGINT)
    server.communicate()
    ended = gurukul.finish(swarm)
    assert ended.status == 2, ended.err
    said = orjson.loads(ended.out)
    stopped = r"hardened: the target stopped answering \d+\.\d s into the run: no .* of \d+ calls.* after that"
    assert re.fullmatch(stopped, said["reason"])
    (measured,) = said["targets"]
    assert (measured["violations"], measured["costs"]) == ({}, None)
    assert measured["generator"]["trouble"] == ""
    assert measured["generator"]["kept_out"] == measured["arrivals_dropped"] > 0
    assert "the generator" not in ended.err
    assert "run: " in ended.err
    (folder,) = gurukul.runs()
    again = gurukul("judge", str(folder), "--json", "-")
    assert (again.status, orjson.loads(again.out)["reason"]) == (2, said["reason"])


def test_a_target_that_goes_on_is_not_waited_for(gurukul, serving):
    """Its server's connections do not end: the run is over a moment after its last user."""
    swarm = gurukul.start("swarm", "joins", str(serving[1]), "--arrivals", "burst:20/0.1s@1s", "--json", "-")
    heard(swarm.stderr, r"through \(.* s\)")
    out, err = swarm.communicate(timeout=PATIENCE - 1)
    assert swarm.returncode == 0, err
    assert orjson.loads(out)["targets"][0]["costs"]["wal_bytes"] > 0
