"""`gurukul claims` on the command line: a few claims on real servers, a stored run, and mistakes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.cli.claims import command
from harness.cli.claims.catalogue import CLAIMS
from harness.cli.claims.claim import Experiment, Place
from harness.cli.claims.verdicts import ruled
from harness.cli.running import Exit
from harness.errors import Trouble
from harness.lab.postgres import Cluster
from harness.report.claims import claims_markdown
from harness.results.run import ClaimsRun
from harness.results.store import load_run

RESULTS = Path(__file__).parents[3] / "results"
STORED = RESULTS / "baselines" / "claims.json"


def test_the_committed_page_is_that_of_the_stored_run() -> None:
    """Made anew it is the same to the letter, with a row for every claim of the catalogue, in its words."""
    run = load_run(STORED)
    assert isinstance(run, ClaimsRun)
    assert claims_markdown(run) == (RESULTS / "claims.md").read_text()
    assert [(row.id, row.section, row.claim, row.how, row.note) for row in run.claims] == [
        (claim.id, claim.section, claim.quote, claim.how, claim.note) for claim in CLAIMS
    ]
    assert len(run.claims) >= 20


def test_the_stored_run_is_whole() -> None:
    """Every experiment was made, in the long form, from a tree without changes."""
    run = load_run(STORED)
    assert run.verdict == "valid"
    assert run.fingerprint.settings == {"quick": False, "only": []}
    assert not run.fingerprint.commit.endswith("+")


def test_each_claim_has_an_id_of_its_own() -> None:
    """By which --only names it, and a sentence that says how it is tested."""
    ids = [claim.id for claim in CLAIMS]
    assert sorted(set(ids)) == sorted(ids)
    assert all(claim.how and claim.quote for claim in CLAIMS)


@pytest.mark.parametrize(
    ("error", "status", "because"),
    [
        (Trouble("this machine has no coturn", "install it"), Exit.UNKNOWN, "this machine has no coturn"),
        (ZeroDivisionError("by a slip"), Exit.TROUBLE, "a fault of our own (ZeroDivisionError)"),
    ],
)
async def test_an_experiment_that_fails_costs_its_own_claims_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cluster: Cluster, error: Exception, status: Exit, because: str
) -> None:
    """What the others brought is kept; a fault of ours is trouble, and its traceback lies beside the logs."""

    def claims(measure: Callable[[Place], Any], id_: str) -> Any:
        return replace(CLAIMS[0], id=id_, experiment=Experiment(id_, measure), rule=lambda facts: ruled(True, facts))

    async def well(_place: Place) -> str:
        return "seen"

    async def badly(_place: Place) -> str:
        raise error

    monkeypatch.setattr(command, "CLAIMS", (claims(badly, "badly"), claims(well, "well")))
    said = tmp_path / "claims.json"
    ended = await command.claims(
        (), quick=True, seed=1, database_url=cluster.url, results=tmp_path / "results", json=str(said), html=None,
        markdown=None, verbose=0,
    )  # fmt: skip
    assert ended == status
    badly_row, well_row = json.loads(said.read_text())["claims"]
    assert because in badly_row["documented"]["because"]
    assert well_row["verdict"] == "holds"
    assert faults(tmp_path) == [1, 1] * (status == Exit.TROUBLE)


async def test_a_fault_is_said_also_where_the_run_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    """The trouble of the writing is the last line, and does not stand for all that went wrong."""

    async def badly(_place: Place) -> str:
        raise ZeroDivisionError("by a slip")

    claim: Any = replace(CLAIMS[0], id="badly", experiment=Experiment("badly", badly))
    monkeypatch.setattr(command, "CLAIMS", (claim,))
    with pytest.raises(Trouble, match=f"there is no folder {tmp_path / 'gone'}"):
        await command.claims(
            (), quick=True, seed=1, database_url=cluster.url, results=tmp_path / "results", json="",
            html=tmp_path / "gone" / "page", markdown=None, verbose=0,
        )  # fmt: skip
    assert "error: hardened: badly: ZeroDivisionError: please report" in capsys.readouterr().err


def faults(folder: Path) -> list[int]:
    """How often each file that tells of a fault names it."""
    return [path.read_text().count("ZeroDivisionError: by a slip") for path in folder.rglob("fault-*.log")]


def test_chosen_claims_are_tested_on_both_engines(gurukul, tmp_path: Path, cluster: Cluster) -> None:
    """The hardened engine takes ten; run, JSON and Markdown say the same, and so does --from."""
    said, page, again = tmp_path / "claims.json", tmp_path / "claims.md", tmp_path / "again.md"
    ended = gurukul(
        "claims", "--only", "first-ten", "--only", "auth-first", "--only", "redis", "--quick", "--json", str(said),
        "--markdown", str(page), "--results", str(tmp_path / "results"), "--database-url", cluster.url,
    )  # fmt: skip
    assert ended.status == 0, ended
    rows = {row["id"]: row for row in json.loads(said.read_text())["claims"]}
    assert list(rows) == ["auth-first", "first-ten", "redis"]
    assert rows["auth-first"]["verdict"] == "holds"
    assert rows["first-ten"]["hardened"]["figures"]["taken"]["value"] == 10
    assert rows["redis"]["verdict"] == "not testable here"
    (stored,) = (tmp_path / "results").iterdir()
    shown = gurukul("claims", "--from", str(stored), "--markdown", str(again))
    assert shown.status == 0, shown
    assert again.read_text() == page.read_text()
    assert "First ~10 should succeed" in shown.out.replace("\n", " ")


def test_a_claim_that_there_is_not(gurukul) -> None:
    """One line that names it, and those that there are."""
    ended = gurukul("claims", "--only", "nonsense")
    assert ended.status == 3
    assert "there is no claim 'nonsense'" in ended.err
    assert "Traceback" not in ended.err


def test_another_run_holds_no_claims(gurukul) -> None:
    """It is said what it is."""
    bench = Path(__file__).parents[3] / "results" / "baselines" / "bench-quick.json"
    ended = gurukul("claims", "--from", str(bench))
    assert ended.status == 3
    assert "is a run of bench" in ended.err
