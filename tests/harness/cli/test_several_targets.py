"""One swarm on both engines, one after the other: one run, each judged by its own terms."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from harness.cli.judging import Terms
from harness.target import Budgets, Capabilities, Target, Thresholds

pytestmark = pytest.mark.long

SWARM = (
    "swarm", "search_and_chat", "documented", "hardened", "--users", "40", "--arrivals", "burst:40/0.1s@1s",
    "--talk", "0.2:0.4",
)  # fmt: skip


@pytest.fixture(scope="module")
def both(shared_gurukul) -> tuple[Path, dict, str]:
    """The folder, the JSON and the tables of one run on both engines."""
    ended = shared_gurukul(*SWARM, "--require", "arrivals_dropped==0", "--json", "-")
    assert ended.status == 1, ended.err
    folder = next(path for path in shared_gurukul.runs() if "-swarm-" in path.name)
    return folder, orjson.loads(ended.out), ended.err


def test_both_stand_in_one_run_and_the_worst_counts(both):
    """Documented is invalid, with its findings in a million joins; hardened beside it is valid, and asked for more."""
    _, said, tables = both
    documented, hardened = said["targets"]
    assert (documented["name"], documented["verdict"]) == ("documented", "invalid")
    assert (hardened["name"], hardened["verdict"]) == ("hardened", "valid")
    assert said["verdict"] == "invalid"
    for name, count in documented["violations"].items():
        assert documented["violations_per_million_joins"][name] == round(count * 1e6 / documented["joins"], 1)
    assert [len(target["thresholds"]) for target in said["targets"]] == [0, 1]
    assert hardened["both_notified_ms"]["count"] == hardened["matches"] == 20
    assert "per million joins" in tables


def test_they_are_measured_one_after_the_other(both, shared_gurukul):
    """And are judged again, each by itself, from the one history."""
    folder, said, _ = both
    ended = shared_gurukul("judge", str(folder), "--json", "-")
    assert ended.status == 1
    again = orjson.loads(ended.out)
    assert again["targets"] == said["targets"]
    lines = [orjson.loads(line) for line in (folder / "history.ndjson").read_bytes().splitlines()]
    times = {name: [op["t0"] for op in lines if op["process"].startswith(name)] for name in ("documented", "hardened")}
    assert max(times["documented"]) < min(times["hardened"])


def test_two_targets_of_one_name_are_refused(gurukul):
    """Their figures could not be told apart."""
    assert gurukul("swarm", "burst", "hardened", "hardened").trouble.startswith("hardened and hardened are both called")


def target(name: str, **more) -> Target:
    return Target(name=name, api_url="http://h/api", supabase_url="http://h", anon_key="k", **more)


def test_each_target_keeps_what_it_offers():
    """Budgets and offers are each target's own; thresholds of all hold for all; secrets are not kept."""
    quiet = Capabilities(push=False, database_url="postgres://secret")
    terms = Terms.of_several(
        [
            target("a", thresholds=Thresholds(require=("violations==0",))),
            target("b", capabilities=quiet, budgets=Budgets(match=9.0)),
        ],
        require=("joins>1",),
    )
    assert terms.budgets_of("b").match == 9.0
    assert terms.offered_by("a").push
    assert not terms.offered_by("b").push
    assert terms.require == ("violations==0", "joins>1")
    kept = terms.kept()
    assert kept["offers"]["b"].database_url == ""


def test_targets_that_offer_the_same_say_it_once():
    """What differs in secrets alone is the same."""
    terms = Terms.of_several([target("a"), target("b", capabilities=Capabilities(database_url="postgres://x"))])
    assert terms.kept()["offers"] == {}
