"""`gurukul mutants`: the page's own example is killed, a harmless fault survives, and a bad file is one line."""

import json
import re
from pathlib import Path

import pytest

from harness.lab.postgres import Cluster
from harness.results.matrix import read_matrix

ROOT = Path(__file__).parents[3]

HARMLESS = '''"""A fault that nobody could see."""

MUTANT = {"id": "HARMLESS", "title": "nothing is wrong", "names": ["MM-S3"]}


def mutate(server):
    server.set(session_max_age=7201.0)
'''


def example() -> str:
    """The mutant of docs/adding-a-mutant.md."""
    text = (ROOT / "docs" / "adding-a-mutant.md").read_text(encoding="utf-8")
    found = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert found is not None
    return found.group(1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of mutants outside the repository."""
    made = tmp_path / "my-mutants"
    made.mkdir()
    return made


def test_the_example_of_the_page_is_killed(gurukul, folder: Path, cluster: Cluster) -> None:
    """A mutant outside the repository: its requirement goes red, the exit status is 0, JSON and page say so."""
    (folder / "open.py").write_text(example(), encoding="utf-8")
    page, data = folder / "matrix.html", folder / "matrix.json"
    ended = gurukul(
        "mutants", "--from", str(folder), "--json", str(data), "--html", str(page), "--database-url", cluster.url
    )
    assert ended.status == 0, ended
    assert "1 of 1 mutants killed" in ended.out
    (row,) = read_matrix(data.read_text(encoding="utf-8")).mutants
    assert (row.id, row.killed, row.killed_by) == ("OPEN-1", True, ("MM-S3",))
    said = json.loads(data.read_text(encoding="utf-8"))["mutants"][0]
    assert {"id", "names", "killed_by", "killed"} <= said.keys()
    assert "sessions are shown to strangers" in page.read_text(encoding="utf-8")


def test_a_survivor_is_1(gurukul, folder: Path, cluster: Cluster) -> None:
    """A fault that the suite does not see is a gap of the suite, and said to be one."""
    (folder / "harmless.py").write_text(HARMLESS, encoding="utf-8")
    ended = gurukul("mutants", "--from", str(folder), "--json", "-", "--database-url", cluster.url)
    assert ended.status == 1, ended
    (row,) = json.loads(ended.out)["mutants"]
    assert (row["killed"], row["killed_by"], row["kills"]) == (False, [], 0)
    assert "HARMLESS survived (0 of 1 trials): MM-S3 pass" in ended.err


def test_a_mutant_that_changes_nothing_is_3(gurukul, folder: Path, cluster: Cluster) -> None:
    """A piece that is not there keeps the server from starting, and the reason is told."""
    text = HARMLESS.replace("server.set(session_max_age=7201.0)", 'server.sql("no such piece", "")')
    (folder / "stale.py").write_text(text, encoding="utf-8")
    ended = gurukul("mutants", "--from", str(folder), "--database-url", cluster.url)
    assert ended.status == 3, ended
    assert "'no such piece', which occurs 0 times in the SQL instead of once" in ended.err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "has no MUTANT"),
        ("MUTANT = dict(id='X')\n", "must be a literal dictionary"),
        ("MUTANT = {'id': 'X', 'title': 'y'}\n", "names the requirements that must go red"),
        ("MUTANT = {'id': 'X', 'title': 'y', 'names': ['MM-S1'], 'colour': 'red'}\n", "colour: Extra inputs"),
        ("MUTANT = {\n", "is not Python"),
    ],
)
def test_a_bad_file_is_one_line(gurukul, folder: Path, text: str, says: str) -> None:
    """Nothing is started for a file that cannot be read."""
    (folder / "bad.py").write_text(text, encoding="utf-8")
    assert says in gurukul("mutants", "--from", str(folder)).trouble


def test_an_empty_folder_is_one_line(gurukul, folder: Path) -> None:
    """A folder without mutants is a mistake of the caller's."""
    assert "there are no mutants in" in gurukul("mutants", "--from", str(folder)).trouble


def test_no_match_is_one_line(gurukul) -> None:
    """An expression that chooses nothing tests nothing."""
    assert "no mutant matches -k 'M00'" in gurukul("mutants", "-k", "M00").trouble


def test_serve_refuses_an_unknown_mutant(gurukul) -> None:
    """`gurukul serve --mutant` names what it does not know."""
    assert "there is no mutant M00" in gurukul("serve", "--mutant", "M00").trouble
