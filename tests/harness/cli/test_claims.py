"""`gurukul claims` on the command line: a few claims on real servers, a stored run, and mistakes."""

from __future__ import annotations

import json
from pathlib import Path

from harness.lab.postgres import Cluster


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
