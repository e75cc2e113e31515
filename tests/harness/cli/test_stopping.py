"""Ctrl-C and kill -9: children stopped, partial history kept and judged unknown, the next run works."""

import re
import signal
import subprocess

import orjson
import psutil
import pytest

SWARM = ("swarm", "search_and_chat", "hardened", "--users", "300", "--rate", "10", "--arrivals", "constant")


def heard(process: subprocess.Popen[str], pattern: str, *, on: str = "stderr") -> str:
    """Waits for a line of the command and returns it."""
    stream = getattr(process, on)
    return next(line for line in iter(stream.readline, "") if re.search(pattern, line))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_serve_ends_well_when_it_is_told_to(gurukul, number: signal.Signals):
    """Stopping is how serving ends: exit 0, and neither PostgreSQL, nor server, nor folder is left."""
    process = gurukul.start("serve", "--port", "0")
    heard(process, "ready", on="stdout")
    assert len(gurukul.children()) >= 4  # two wardens, PostgreSQL, the server
    process.send_signal(number)
    assert gurukul.finish(process).status == 0
    assert gurukul.left_behind() == []


def test_serve_ends_well_while_it_starts(gurukul):
    """A signal between the first child and the ready line stops all that was started."""
    process = gurukul.start("serve", "--port", "0")
    while not gurukul.children():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    ended = gurukul.finish(process)
    assert ended.status == 0
    assert "Traceback" not in ended.err
    assert gurukul.left_behind() == []


@pytest.mark.long
@pytest.mark.parametrize("verb", [("serve", "--port", "0"), SWARM], ids=lambda verb: verb[0])
def test_after_a_kill_nothing_is_left_and_the_next_run_works(gurukul, verb: tuple[str, ...]):
    """SIGKILL of the command alone ends every child within seconds; a log that it left goes with the next run."""
    process = gurukul.start(*verb)
    if verb[0] == "serve":
        heard(process, "ready", on="stdout")
    else:
        heard(process, "swarm: [1-9][0-9]* of")
    process.kill()
    process.communicate()
    assert psutil.wait_procs(gurukul.children(), timeout=20)[1] == []
    again = gurukul.start("serve", "--port", "0")
    heard(again, "ready", on="stdout")
    again.send_signal(signal.SIGINT)
    assert gurukul.finish(again).status == 0
    assert gurukul.left_behind() == []


def test_a_server_that_dies_under_serve_is_trouble(gurukul):
    """Serving ends with one line that says how the server ended, and PostgreSQL is stopped."""
    process = gurukul.start("serve", "--port", "0")
    heard(process, "ready", on="stdout")
    server = next(child for child in gurukul.children() if "reference_server" in child.cmdline())
    server.kill()
    ended = gurukul.finish(process)
    assert ended.status == 3
    assert "error: the server ended by itself" in ended.err
    assert gurukul.left_behind() == []


@pytest.mark.long
@pytest.mark.parametrize(
    ("verb", "sign", "number"),
    [
        (SWARM, "swarm: [1-9][0-9]* of", signal.SIGINT),
        (("peers", "hardened", "--pairs", "500"), "peers: [1-9][0-9]* of", signal.SIGTERM),
    ],
    ids=["swarm", "peers"],
)
def test_an_interrupted_measurement_is_kept_and_unknown(gurukul, verb, sign: str, number: signal.Signals):
    """The history up to there stands in the run's folder; verdict unknown, exit 2, also when it is judged again."""
    process = gurukul.start(*verb)
    heard(process, sign)
    process.send_signal(number)
    ended = gurukul.finish(process)
    assert ended.status == 2, ended.err
    assert "interrupted" in ended.out
    assert "Traceback" not in ended.err
    assert gurukul.left_behind() == []
    (folder,) = gurukul.runs()
    run = orjson.loads((folder / "run.json").read_bytes())
    assert (run["verdict"], run["interrupted"]) == ("unknown", True)
    assert run["targets"][0]["joins"] > 0
    assert gurukul("judge", str(folder / "history.ndjson")).status == 2


@pytest.mark.long
def test_an_interrupted_suite_is_kept_and_unknown(gurukul):
    """Requirements that were tested keep their status; the verdict is unknown."""
    process = gurukul.start("conform", "hardened")
    tested = heard(process, "MM-[A-Z0-9]+ pass").split()[1]
    process.send_signal(signal.SIGINT)
    ended = gurukul.finish(process)
    assert ended.status == 2, ended.err
    assert "Traceback" not in ended.err
    assert gurukul.left_behind() == []
    (folder,) = gurukul.runs()
    run = orjson.loads((folder / "run.json").read_bytes())
    assert (run["verdict"], run["interrupted"]) == ("unknown", True)
    statuses = {row["id"]: row["status"] for row in run["requirements"]}
    assert statuses[tested] == "pass"
    assert "unknown" in statuses.values()


@pytest.mark.long
def test_interrupted_claims_are_kept_and_unknown(gurukul):
    """Claims whose experiment was made keep their verdict; the others say that theirs was not."""
    process = gurukul.start(
        "claims", "--quick", "--only", "auth-first", "--only", "two-hours", "--only", "free-sockets"
    )
    for _engine in range(2):
        heard(process, "strangers: done")
    process.send_signal(signal.SIGINT)
    ended = gurukul.finish(process)
    assert ended.status == 2, ended.err
    assert "Traceback" not in ended.err
    assert gurukul.left_behind() == []
    (folder,) = gurukul.runs()
    run = orjson.loads((folder / "run.json").read_bytes())
    assert (run["verdict"], run["interrupted"]) == ("unknown", True)
    rows = {row["id"]: row for row in run["claims"]}
    assert rows["auth-first"]["verdict"] == "holds"
    assert rows["free-sockets"]["documented"]["because"] == "the experiment was not made"
