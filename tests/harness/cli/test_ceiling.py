"""`--find-ceiling` against a server that is there: a threshold on the number of users is an edge that is known."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.cli import ceiling
from harness.cli.running import run
from harness.cli.swarm import loop_for, planned
from harness.errors import Trouble
from harness.load.swarm import SwarmPlan
from harness.results.run import SwarmRun
from harness.results.store import load_run
from harness.target import dump_target, load_target

pytestmark = pytest.mark.long


def plan(rate: float, arrivals: str = "constant") -> SwarmPlan:
    """Steps of a second."""
    return planned("joins", 8, arrivals=arrivals, closed=None, duration=1.0, talk="", rate=rate, seed=1)


@pytest.fixture(scope="module")
def target(shared_gurukul: Any) -> Iterator[Path]:
    """The target file of a running server, with budgets that make steps short."""
    file = shared_gurukul.place / "target.toml"
    process = shared_gurukul.start("serve", "--port", "0", "--write-target", str(file))
    assert any(line.startswith("supabase url") for line in iter(process.stdout.readline, ""))
    given = load_target(file)
    budgets = given.budgets.model_copy(update={"match": 0.5, "notify": 0.5, "tolerance": 0.25})
    file.write_text(dump_target(given.model_copy(update={"budgets": budgets})), encoding="utf-8")
    yield file
    process.send_signal(signal.SIGINT)
    shared_gurukul.finish(process)


@pytest.fixture
def found(target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, SwarmRun, Path]]:
    """Looks for the ceiling of the running server; gives the exit status, what was stored, and where."""
    monkeypatch.setattr(ceiling, "_QUIET", 0.0)

    def find(rate: float, *require: str) -> tuple[int, SwarmRun, Path]:
        steps = plan(rate)
        search = ceiling.find_ceiling(steps, [str(target)], "", tmp_path / "results", "", None, 0, require)
        status = run(search, loop=loop_for(steps))
        (folder,) = (tmp_path / "results").iterdir()
        stored = load_run(folder)
        assert isinstance(stored, SwarmRun)
        return status, stored, folder

    return find


def test_it_ends_a_rung_below_what_breaks(found: Callable[..., tuple[int, SwarmRun, Path]]) -> None:
    """Steps of 25 users and more break: the ceiling is the rung of 24, which held twice. Its figures are shown, what
    broke is named, and the server's own metrics stand beside it."""
    status, stored, folder = found(20.0, "joins<25")
    (target,) = stored.targets
    said = target.ceiling
    assert said is not None
    assert list(dict.fromkeys(round(step.users_per_s) for step in said.steps)) == [20, 43, 29, 24, 27]
    assert [step.verdict for step in said.steps if round(step.users_per_s) == 24][-2:] == ["held", "held"]
    assert (said.users_per_s, said.broke_users_per_s) == (24.2, 26.62)
    assert "joins<25" in said.broke
    assert target.joins == 24
    assert said.correct_matches_per_s == pytest.approx(12.1, rel=0.15)
    assert said.metrics["batch_joins"] >= 1
    assert status == 0 and stored.verdict.value == "valid"
    assert "24.2 users/s held" in stored.reason and "joins<25 (joins is 27)" in stored.reason
    assert len(list(folder.glob("steps/*/history.ndjson"))) == len(said.steps)
    assert (folder / "history.ndjson").read_bytes() in [
        path.read_bytes() for path in folder.glob("steps/*/history.ndjson")
    ]


def test_nothing_holds(found: Callable[..., tuple[int, SwarmRun, Path]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Down to the lowest rung; then the target is invalid, and the exit status 1."""
    monkeypatch.setattr(ceiling, "LEAST", 15.0)
    status, stored, _ = found(20.0, "joins<1")
    said = stored.targets[0].ceiling
    assert said is not None
    assert list(dict.fromkeys(round(step.users_per_s) for step in said.steps)) == [20, 15]
    assert (said.users_per_s, status, stored.verdict.value) == (None, 1, "invalid")


def test_arrivals_with_a_rate_of_their_own_are_refused(tmp_path: Path) -> None:
    """A step's rate is the search's."""
    search = ceiling.find_ceiling(plan(5.0, "ramp:1..9/s@5s"), ["hardened"], "", tmp_path, "", None, 0)
    with pytest.raises(Trouble, match="has a rate of its own"):
        run(search)
