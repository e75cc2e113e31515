"""`--require` through the command: what is read, what is broken, and with which exit status."""

from __future__ import annotations

import re
import signal

import orjson
import pytest

from harness.cli.require import required, spread
from harness.errors import Trouble
from harness.target import Thresholds, dump_target, load_target, parse_target

SWARM = ("swarm", "search_and_chat", "hardened", "--users", "8", "--arrivals", "burst:8/0.1s@1s", "--talk", "0.1:0.2")
FILE = '[target]\nname = "a"\napi_url = "http://a/api"\nsupabase_url = "http://a"\nanon_key = "k"\n'


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (["--require", "a>1", "b<2", "c==3"], ["--require", "a>1", "--require", "b<2", "--require", "c==3"]),
        (["--require", "a>1", "search", "b<2"], ["--require", "a>1", "search", "b<2"]),
        (["--require=a>1", "b<2", "--html", "x"], ["--require=a>1", "--require", "b<2", "--html", "x"]),
        (["--require", "a>1", "--users", "5"], ["--require", "a>1", "--users", "5"]),
        (["search", "b<2"], ["search", "b<2"]),
        (["--require"], ["--require"]),
    ],
)
def test_several_thresholds_may_follow_one_option(given, meant):
    """What follows the option belongs to it as long as it compares something."""
    assert spread(given) == meant


def test_the_file_is_read_with_the_options():
    """Both are read before anything is started; a mistake in the file is said to be there."""
    good = parse_target(f'{FILE}[thresholds]\nrequire = ["joins>1, matches>2"]\n', "a.toml")
    assert required(["joins<9 matches<9"], good) == ("joins<9", "matches<9")
    bad = parse_target(f'{FILE}[thresholds]\nrequire = ["joins>"]\n', "a.toml")
    with pytest.raises(Trouble, match="the target file's thresholds: “joins>”, character 7"):
        required([], bad)


@pytest.mark.parametrize("verb", [SWARM, ("peers", "hardened"), ("bench", "--quick")])
def test_nonsense_exits_3_and_says_where(gurukul, verb):
    """Before anything is started: the text, a mark below the place, and the names."""
    ended = gurukul(*verb, "--require", "violations==0", "join_to_match_ms.p99 <> 200")
    assert ended.status == 3, ended
    error, shown, caret, *names = ended.err.splitlines()
    assert error.startswith("error: “join_to_match_ms.p99 <> 200”, character 23: a number was expected")
    assert shown[caret.index("^")] == ">"
    assert "matches_per_s" in "".join(names)
    assert (ended.out, gurukul.runs()) == ("", [])


@pytest.mark.long
def test_broken_thresholds_exit_1_with_a_line_for_each(gurukul, tmp_path):
    """The target is valid and its figures are not what was asked for: terminal, JSON and page say so."""
    page = tmp_path / "page.html"
    ended = gurukul(
        *SWARM, "--require", "violations==0", "matches_per_s>100000", "--require", "join_to_match_ms.p99<0.001ms",
        "--html", str(page), "--json", str(tmp_path / "run.json"),
    )  # fmt: skip
    assert ended.status == 1, ended.err
    run = orjson.loads((tmp_path / "run.json").read_bytes())
    assert run["verdict"] == "valid"
    assert run["require"] == ["violations==0", "matches_per_s>100000", "join_to_match_ms.p99<0.001ms"]
    said = [(one["text"], one["held"]) for one in run["targets"][0]["thresholds"]]
    assert said == list(zip(run["require"], (True, False, False), strict=True))
    for text in run["require"][1:]:
        assert f"threshold broken: {text}: " in ended.out
        assert f"threshold broken: {text.replace('<', '&lt;').replace('>', '&gt;')}: " in page.read_text()
    assert "2 of 3 thresholds broken" in ended.out
    (folder,) = gurukul.runs()
    again = gurukul("judge", str(folder), "--json", "-")
    assert again.status == 1, again.err
    assert orjson.loads(again.out)["targets"] == run["targets"]


@pytest.mark.long
def test_thresholds_that_hold_exit_0(gurukul):
    """They are shown, and change nothing."""
    ended = gurukul(*SWARM, "--require", "violations==0, joins==8 and generator.dropped==0")
    assert ended.status == 0, ended.err
    assert "thresholds hold: violations==0, joins==8, generator.dropped==0" in ended.out


@pytest.mark.long
def test_a_generator_that_measured_itself_is_unknown(gurukul, tmp_path):
    """Exit 2: past its bound of lag nothing follows from the figures, neither valid nor a broken threshold."""
    path = tmp_path / "target.toml"
    server = gurukul.start("serve", "--port", "0", "--write-target", str(path))
    next(line for line in iter(server.stdout.readline, "") if line.startswith("supabase url"))
    target = load_target(path)
    strict = target.model_copy(
        update={
            "budgets": target.budgets.model_copy(update={"generator_lag": 1e-7}),
            "thresholds": Thresholds(require=("joins>999",)),
        }
    )
    path.write_text(dump_target(strict))
    ended = gurukul("swarm", "search_and_chat", str(path), *SWARM[3:])
    server.send_signal(signal.SIGINT)
    gurukul.finish(server)
    assert ended.status == 2, ended
    assert "the generator measured itself: its loop lagged" in ended.out
    assert "threshold broken: joins>999: joins is 8" in ended.out


@pytest.mark.long
def test_arrivals_without_room_make_the_run_unknown(gurukul):
    """Two places, and users who stay longer than anybody waits: the dropped are counted, and nothing is shown."""
    ended = gurukul(*SWARM[:6], "constant:100/s", "--at-once", "2", "--talk", "12:13", "--json", "-")
    assert ended.status == 2, ended
    figures = orjson.loads(ended.out)["targets"][0]
    assert figures["arrivals_dropped"] > 0
    assert figures["arrivals_dropped"] + figures["generator"]["started"] == 8
    assert "of 8 arrivals found no room" in figures["reason"]


@pytest.mark.long
def test_a_closed_model_is_said_to_be_one(gurukul):
    """Its figures have no offered rate, and the report says why."""
    ended = gurukul(*SWARM[:5], "--closed", "4", "--talk", "0.1:0.2", "--rounds", "1", "--json", "-")
    assert ended.status == 0, ended.err
    figures = orjson.loads(ended.out)["targets"][0]
    assert (figures["generator"]["model"], figures["generator"]["arrivals"]) == ("closed", "closed:4")
    assert (figures["joins"], figures["offered_per_s"]) == (8, None)
    assert "closed model" in ended.err


@pytest.mark.long
def test_a_wait_cut_off_is_censored(gurukul):
    """Nobody comes for a single user: his wait is counted as unfinished, and is in no percentile; unknown, exit 2."""
    ended = gurukul(*SWARM[:3], "--users", "1", "--require", "join_to_match_ms.max<99999", "--json", "-")
    assert ended.status == 2, ended
    figures = orjson.loads(ended.out)["targets"][0]
    assert (figures["censored_waits"], figures["join_to_match_ms"]["count"]) == (1, 0)
    assert not figures["thresholds"][0]["held"]
    assert "1 of 1 waits did not end in a match" in ended.err


@pytest.mark.long
def test_a_swarm_stopped_in_mid_wait_reports_censored_waits(gurukul, tmp_path):
    """Those who wait when Ctrl-C comes are counted, and are no successes; partial figures are unknown, exit 2."""
    trace = tmp_path / "trace.csv"
    trace.write_text("0.1\n300\n")
    process = gurukul.start(*SWARM[:3], "--arrivals", f"trace:{trace}", "--json", "-")
    assert any(re.search("swarm: 1 of 2 users joined, 0 matched", line) for line in iter(process.stderr.readline, ""))
    process.send_signal(signal.SIGINT)
    ended = gurukul.finish(process)
    assert ended.status == 2, ended
    figures = orjson.loads(ended.out)["targets"][0]
    assert figures["censored_waits"] == figures["joins"] - figures["join_to_match_ms"]["count"] >= 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--closed", "3", "--arrivals", "poisson"), "--closed 3 and --arrivals poisson exclude each other"),
        (("--arrivals", "rampe:1..2/s@3s"), "did you mean ramp?"),
        (("--arrivals", "trace:missing.csv"), "the trace missing.csv cannot be read (No such file or directory)"),
        (("--talk", "9:1"), "“9:1” is no talk time"),
    ],
)
def test_options_that_say_nothing_are_one_line(gurukul, words, says):
    """Exit 3, before anything is started."""
    assert says in gurukul("swarm", "search_and_chat", "hardened", *words).trouble
    assert gurukul.runs() == []
