"""The conformance suite through the real command, on every PostgreSQL that the machine has."""

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from harness.lab.postgres import Cluster, embedded_postgres

SYSTEM = sorted(path for path in Path("/usr/lib/postgresql").glob("*/bin") if int(path.parent.name) >= 15)


@pytest.fixture(params=["embedded", *SYSTEM], ids=lambda where: where if isinstance(where, str) else where.parent.name)
def database(request: pytest.FixtureRequest, cluster: Cluster) -> Iterator[list[str]]:
    """The option that names the database: none, or a PostgreSQL of the system."""
    if request.param == "embedded":
        yield []
        return
    with embedded_postgres(programs=request.param) as system:
        yield ["--database-url", system.url]


def test_a_conforming_target(gurukul, database: list[str], tmp_path: Path):
    """Exit 0 and `pass` for what was chosen; JSON, JUnit, page and histories are written."""
    files = [tmp_path / name for name in ("run.json", "junit.xml", "page.html")]
    ended = gurukul(
        "conform", "hardened", "-k", "MM-S2 or MM-S3", *database,
        "--json", str(files[0]), "--junit", str(files[1]), "--html", str(files[2]),
    )  # fmt: skip
    assert ended.status == 0, ended.err
    run = orjson.loads(files[0].read_bytes())
    assert run["target"] == "hardened"
    assert run["verdict"] == "partial"  # not all of it was chosen
    statuses = {row["id"]: row["status"] for row in run["requirements"]}
    assert (statuses["MM-S2"], statuses["MM-S3"], statuses["MM-L2"]) == ("pass", "pass", "not-verified")
    assert {"id", "level", "status", "evidence", "seconds", "detail"} <= run["requirements"][0].keys()
    assert all(path.stat().st_size for path in files)
    assert gurukul.left_behind() == []
    (folder,) = gurukul.runs()
    assert gurukul("judge", str(folder / "conform" / "hardened" / "MM-S3.ndjson")).status in {0, 2}


def test_a_target_that_does_not_conform(gurukul):
    """Exit 1, and the failure's sentence stands in the summary."""
    ended = gurukul("conform", "documented", "-k", "MM-L5")
    assert ended.status == 1, ended.err
    assert "not-conformant" in ended.out
    assert "vanished" in ended.out


def test_several_targets_side_by_side(gurukul, target_file, tmp_path: Path):
    """A built-in target and a file that leads nowhere: one page, one JSON, one JUnit report; the worst counts."""
    files = [tmp_path / name for name in ("run.json", "junit.xml", "page.html")]
    ended = gurukul(
        "conform", "hardened", str(target_file()), "-k", "AUTH-23",
        "--json", str(files[0]), "--junit", str(files[1]), "--html", str(files[2]),
    )  # fmt: skip
    assert ended.status == 3, ended.err
    run = orjson.loads(files[0].read_bytes())
    assert (run["kind"], run["verdict"]) == ("conform-set", "unknown")
    assert [(one["target"], one["verdict"]) for one in run["conformance"]] == [
        ("hardened", "partial"),
        ("staging", "unknown"),
    ]
    assert "cannot be reached" in run["conformance"][1]["reason"]
    assert "Traceback" not in ended.err + ended.out
    assert files[1].read_text().count("<testsuite ") == 2
    page = files[2].read_text()
    assert "hardened: <strong>partial" in page and "staging: <strong>unknown" in page
    assert gurukul.left_behind() == []


def test_two_targets_of_one_name(gurukul, target_file):
    """Nobody could tell their results apart, so that nothing is started."""
    assert "are both called hardened" in gurukul("conform", "hardened", str(target_file(name="hardened"))).trouble


def test_a_target_in_trouble_still_has_its_files(gurukul, target_file, tmp_path: Path):
    """One line says what is wrong, and a program that reads the files is told the same."""
    files = [tmp_path / "run.json", tmp_path / "junit.xml"]
    said = gurukul("conform", str(target_file()), "-k", "AUTH-23", "--json", str(files[0]), "--junit", str(files[1]))
    assert "cannot be reached" in said.trouble
    run = orjson.loads(files[0].read_bytes())
    assert run["verdict"] == "unknown" and "cannot be reached" in run["reason"]
    assert 'errors="1"' in files[1].read_text()
