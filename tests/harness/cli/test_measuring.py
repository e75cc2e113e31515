"""A small swarm and a few pairs through the real command, and what can be done with the stored run."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from msgspec.structs import replace

from harness.history.clock import Clock
from harness.history.journal import Journal, read_history, write_history
from harness.network.netns.need import missing
from harness.target import Budgets, Target, dump_target


@pytest.fixture(scope="module")
def swarmed(shared_gurukul) -> Iterator[tuple[Path, dict]]:
    """The folder and the JSON of a swarm of 16 on the hardened engine."""
    ended = shared_gurukul(
        "swarm", "search_and_chat", "hardened", "--users", "16", "--arrivals", "burst:16/0.1s@1s", "--seed", "7",
        "--json", "-",
    )  # fmt: skip
    assert ended.status == 0, ended.err
    (folder,) = shared_gurukul.runs()
    return folder, orjson.loads(ended.out)


def test_standard_output_holds_the_json_alone(swarmed):
    """With `--json -` the tables go to standard error, and the JSON is what run.json says."""
    folder, said = swarmed
    assert said == orjson.loads((folder / "run.json").read_bytes())
    assert said["schema"] == "gurukul.run/2"
    assert said["fingerprint"]["seed"] == 7


def test_everybody_joined_and_met_somebody(swarmed):
    """The figures are those of the schedule: 16 joins, 8 matches, nobody left."""
    figures = swarmed[1]["targets"][0]
    assert (figures["joins"], figures["matches"], figures["unmatched_users"]) == (16, 8, 0)
    assert figures["verdict"] == "valid"


def test_the_history_is_whole_and_ordered(swarmed):
    """One history of all generators, ordered by start, with the target and the part in the name of the process."""
    folder, _ = swarmed
    ops = read_history(folder / "history.ndjson")
    assert [op.t0 for op in ops] == sorted(op.t0 for op in ops)
    assert {op.process.rsplit(".", 1)[0] for op in ops} == {"hardened.swarm"}
    assert list(folder.glob("history.*.ndjson")) == []


def test_the_stored_history_is_judged_to_the_same_verdict(shared_gurukul, swarmed):
    """Offline: same verdict, same figures, same exit status, by file and by folder."""
    folder, said = swarmed
    for name in (folder / "history.ndjson", folder):
        again = shared_gurukul("judge", str(name), "--json", "-")
        assert again.status == 0, again.err
        judged = orjson.loads(again.out)
        assert judged["verdict"] == said["verdict"]
        assert judged["targets"] == said["targets"]


def test_several_journals_are_judged_as_one(shared_gurukul, swarmed, tmp_path: Path):
    """What two machines wrote down, each with its clock, says together what the whole said."""
    folder, said = swarmed
    ops = read_history(folder / "history.ndjson")
    users = sorted({op.user for op in ops if op.user})
    half = set(users[: len(users) // 2])
    (tmp_path / "run.json").write_bytes((folder / "run.json").read_bytes())
    for name, offset in (("a", 0.0), ("b", 1000.0)):
        with Journal(tmp_path / f"{name}.ndjson", clock=Clock(name, offset, 0.001)) as journal:
            for op in ops:
                if (op.user in half or not op.user) == (name == "a"):
                    end = None if op.t1 is None else op.t1 - offset
                    journal.append(replace(op, t0=op.t0 - offset, t1=end))
    for given in ([tmp_path], [tmp_path / "a.ndjson", tmp_path / "b.ndjson"]):
        ended = shared_gurukul("judge", *map(str, given), "--json", "-")
        assert ended.status == 0, ended.err
        judged = orjson.loads(ended.out)["targets"][0]
        assert [judged[key] for key in ("joins", "matches")] == [
            said["targets"][0][key] for key in ("joins", "matches")
        ]
    (tmp_path / "none").mkdir()
    assert shared_gurukul("judge", str(tmp_path / "none")).trouble.startswith("there is no history in ")


def test_a_run_can_be_given_away(swarmed):
    """Nothing in its folder is a token, a key or an address of a database."""
    folder, _ = swarmed
    secret = r"eyJ[A-Za-z0-9_-]+\.eyJ|postgres(ql)?://|apikey=e|jwt_secret = \"[^\"r]"
    found = subprocess.run(["grep", "-rEl", secret, str(folder)], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (1, "")
    assert 'anon_key = "redacted"' in (folder / "target-hardened.toml").read_text()


STRICT = Target(
    name="hardened", api_url="http://127.0.0.1", supabase_url="http://127.0.0.1", anon_key="k",
    budgets=Budgets(match=12.5),
)  # fmt: skip


def test_a_history_without_its_run_is_judged_by_default_budgets(shared_gurukul, swarmed, tmp_path: Path):
    """It says so, and judges all the same."""
    copy = tmp_path / "deep" / "er" / "history.ndjson"
    copy.parent.mkdir(parents=True)
    copy.write_bytes((swarmed[0] / "history.ndjson").read_bytes())
    ended = shared_gurukul("judge", str(copy))
    assert ended.status == 0, ended.err
    assert "no run.json beside it" in ended.err
    (tmp_path / "t.toml").write_text(dump_target(STRICT))
    strictly = shared_gurukul("judge", str(copy), "--target", str(tmp_path / "t.toml"), "--json", "-")
    assert f"those of {tmp_path / 't.toml'}" in strictly.err
    assert orjson.loads(strictly.out)["budgets"]["hardened"]["match"] == 12.5


def copied(swarmed, to: Path, history: bytes | None = None) -> Path:
    """The folder of a run somewhere else, with another history if one is given."""
    to.mkdir()
    for name in ("run.json", "history.ndjson"):
        (to / name).write_bytes((swarmed[0] / name).read_bytes())
    if history is not None:
        (to / "history.ndjson").write_bytes(history)
    return to


def test_a_target_file_counts_also_where_there_is_a_run(shared_gurukul, swarmed, tmp_path: Path):
    """Its budgets are those that are judged by, and a bad one is not overlooked."""
    folder, (file, bad) = str(swarmed[0]), (tmp_path / "t.toml", tmp_path / "bad.toml")
    file.write_text(dump_target(STRICT))
    bad.touch()
    strictly = shared_gurukul("judge", folder, "--target", str(file), "--json", "-")
    assert f"those of {file}" in strictly.err
    assert orjson.loads(strictly.out)["budgets"]["hardened"]["match"] == 12.5
    assert "has no [target] section" in shared_gurukul("judge", folder, "--target", str(bad)).trouble


def test_a_history_that_is_named_twice_is_judged_once(shared_gurukul, swarmed, tmp_path: Path):
    """By its folder and its file, or with all its lines twice."""
    folder, said = swarmed
    history = folder / "history.ndjson"
    twice = copied(swarmed, tmp_path / "twice", history.read_bytes() * 2)
    for given in ([folder, history], [twice]):
        again = shared_gurukul("judge", *map(str, given), "--json", "-")
        assert again.status == 0, again.err
        assert orjson.loads(again.out)["targets"] == said["targets"]


def test_two_runs_are_not_judged_as_one(shared_gurukul, swarmed, tmp_path: Path):
    """Each has its run.json; loose histories of two runs have the same processes and other ops."""
    folder, other = swarmed[0].resolve(), copied(swarmed, tmp_path / "other")
    assert shared_gurukul("judge", str(folder), str(other)).trouble == (
        f"{folder} and {other} are two runs: judge each alone"
    )
    ops = [replace(op, t0=op.t0 + 99.0, t1=op.t1 and op.t1 + 99.0) for op in read_history(folder / "history.ndjson")]
    write_history(ops, tmp_path / "loose.ndjson")
    said = shared_gurukul("judge", str(folder), str(tmp_path / "loose.ndjson")).trouble
    assert "so these are histories of two runs" in said


@pytest.mark.parametrize(
    ("torn", "says"),
    [(True, "history.ndjson is torn; hardened: "), (False, "ops that run.json counts of hardened; hardened: ")],
)
def test_a_history_that_was_cut_off_is_unknown(shared_gurukul, swarmed, tmp_path: Path, torn: bool, says: str):
    """In the middle of a line, or of what run.json counts: exit 2, and the reason says which."""
    lines = (swarmed[0] / "history.ndjson").read_bytes().splitlines(keepends=True)
    half = b"".join(lines[: len(lines) // 2])
    ended = shared_gurukul("judge", str(copied(swarmed, tmp_path / "cut", half[:-9] if torn else half)), "--json", "-")
    assert ended.status == 2, ended.err
    said = orjson.loads(ended.out)
    assert says in said["reason"]
    assert "the run was cut short" in said["reason"]
    assert said["verdict"] == said["targets"][0]["verdict"] == "unknown"


def test_a_history_in_which_nobody_joined_is_unknown(shared_gurukul, tmp_path: Path):
    """Nothing was shown: exit 2."""
    empty = tmp_path / "history.ndjson"
    empty.touch()
    assert shared_gurukul("judge", str(empty)).status == 2


def test_the_report_shows_a_stored_run_and_writes_its_page(shared_gurukul, swarmed, tmp_path: Path):
    """Tables on standard output, one HTML file, no target needed."""
    page = tmp_path / "page.html"
    ended = shared_gurukul("report", str(swarmed[0]), "--html", str(page))
    assert ended.status == 0, ended.err
    assert "hardened" in ended.out
    assert page.read_text().startswith("<!doctype html>")


def test_a_page_in_a_missing_folder_is_one_line(shared_gurukul, swarmed):
    """The page's place is named."""
    ended = shared_gurukul("report", str(swarmed[0]), "--html", "/nonexistent/page.html")
    assert ended.trouble.startswith("/nonexistent/page.html cannot be written (there is no folder /nonexistent): ")


def test_pairs_connect(gurukul):
    """Every pair of a small run makes a real connection, and the rate has its interval."""
    ended = gurukul("peers", "hardened", "--pairs", "3", "--json", "-")
    assert ended.status == 0, ended.err
    pairs = orjson.loads(ended.out)["targets"][0]["pairs"]
    assert (pairs["attempted"], pairs["connected"], pairs["success_rate"]) == (3, 3, 1.0)
    assert pairs["interval_95"][1] == 1.0
    assert gurukul.left_behind() == []


HALF = "[half]\nshares = { portrestricted = 0.5, symmetric = 0.5 }\n"
"""Pairs that connect in each way, and some that do not without a relay; none that waits for a server."""


def test_pairs_across_virtual_nats_in_three_arms(gurukul, tmp_path: Path):
    """Users behind NATs meet through the target; each arm does what theory says, also when it is judged again."""
    mix = tmp_path / "mix.toml"
    mix.write_text(HALF)
    page = tmp_path / "page.html"
    ended = gurukul(
        "peers", "hardened", "--network", "vnet", "--nat-mix", str(mix), "--pairs", "9", "--turn", "none,udp", "--turn",
        "tcp", "--handshake", "5", "--json", "-", "--html", str(page),
    )  # fmt: skip
    assert ended.status == 0, ended.err
    said = orjson.loads(ended.out)
    found = said["targets"][0]["connections"]
    assert [(arm["turn"], arm["attempted"]) for arm in found["arms"]] == [("none", 3), ("udp", 3), ("tcp", 3)]
    assert (found["network"], found["mix"], found["contradictions"]) == ("vnet", "half", [])
    assert [arm["connected"] for arm in found["arms"][1:]] == [3, 3]
    assert all(arm["connected"] == arm["theory"]["expected"] for arm in found["arms"])
    assert said["fingerprint"]["settings"]["turn"] == ["none", "udp", "tcp"]
    assert page.stat().st_size > 0
    (folder,) = gurukul.runs()
    again = gurukul("judge", str(folder), "--json", "-")
    assert orjson.loads(again.out)["targets"][0]["connections"] == found
    assert gurukul.left_behind() == []


def test_pairs_across_kernel_nats(gurukul, tmp_path: Path):
    """The same on kernel NATs with coturn; a machine that cannot have them says why, and what to do instead."""
    mix = tmp_path / "mix.toml"
    mix.write_text(HALF)
    ended = gurukul(
        "peers", "hardened", "--network", "netns", "--nat-mix", str(mix), "--pairs", "6", "--turn", "none,udp,tls",
        "--handshake", "6", "--json", "-",
    )  # fmt: skip
    assert gurukul.left_behind() == []
    if why_not := missing():
        assert (ended.status, why_not in ended.err) == (3, True)
        return
    assert ended.status == 0, ended.err
    found = orjson.loads(ended.out)["targets"][0]["connections"]
    assert (found["network"], found["contradictions"]) == ("netns", [])
    assert [(arm["turn"], arm["attempted"]) for arm in found["arms"]] == [("none", 2), ("udp", 2), ("tls", 2)]
    assert all(arm["connected"] == arm["theory"]["expected"] for arm in found["arms"])
    assert [arm["connected"] for arm in found["arms"][1:]] == [2, 2]
