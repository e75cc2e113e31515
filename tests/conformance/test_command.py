"""`python -m conformance`: what it prints, what it leaves, and how it takes trouble."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conformance.requirements import CATALOGUE
from harness.target import Target, dump_target


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--target", "no/such/target.toml"], "there is no target file"),
        (["--target", "pyproject.toml"], "unknown section"),
    ],
)
async def test_a_bad_target_file_is_one_line(python: Any, arguments: list[str], says: str) -> None:
    """What is wrong and what to do, on standard error, with status 3."""
    ended = await python("-m", "conformance", *arguments)
    assert ended.status == 3 and ended.out == ""
    assert ended.err.startswith("error: ") and says in ended.err and ended.err.count("\n") == 1


async def test_no_matching_requirement_is_one_line(suite: Any) -> None:
    """-k that chooses nothing is a typing error, not a pass."""
    ended = await suite("http://127.0.0.1:9", "-k", "MM-X9")
    assert ended.status == 3 and "no requirement matches -k 'MM-X9'" in ended.err


@pytest.mark.parametrize("choice", ["MM-S1 MM-L2", "MM-S1,MM-L2", "MM-S*", "(MM-S1", "MM-S1 and", "", "()"])
async def test_a_choice_that_cannot_be_read_is_one_line(suite: Any, tmp_path: Path, choice: str) -> None:
    """Nothing is asked of the target, and no results say that every requirement is unknown."""
    ended = await suite("http://127.0.0.1:9", "-k", choice)
    assert (ended.status, ended.out, ended.err.count("\n")) == (3, "", 1)
    assert ended.err.startswith("error: -k ")
    assert not (tmp_path / "r.json").exists()


async def test_plain_pytest_refuses_such_a_choice(python: Any, tmp_path: Path) -> None:
    """As it does everywhere; the suite says nothing of requirements that nobody chose."""
    file = tmp_path / "t.toml"
    file.write_text(dump_target(Target(name="t", api_url="http://h/api", supabase_url="http://h", anon_key="k")))
    ended = await python(
        "-m", "pytest", "-p", "conformance.plugin", "-p", "no:cacheprovider", "--rootdir", tmp_path,
        "--pyargs", "conformance", "--target", file, "--results", tmp_path / "r.json", "-k", "MM-S1 MM-L2",
    )  # fmt: skip
    assert ended.status == 4 and "Wrong expression passed to '-k'" in ended.err
    assert not (tmp_path / "r.json").exists()


async def test_results_that_cannot_be_written_are_trouble(suite: Any, serve_fake: Any, tmp_path: Path) -> None:
    """The run is lost, and that is said."""
    (tmp_path / "file").write_text("")
    ended = await suite((await serve_fake()).url, "-k", "AUTH-23", "--results", tmp_path / "file" / "r.json")
    assert ended.status == 3 and "cannot be made" in ended.err


async def test_the_plan_comes_first(suite: Any, serve_fake: Any) -> None:
    """Before the first outcome: how much, what not, how long, and what is left behind."""
    ended = await suite((await serve_fake()).url, "-k", "AUTH-23 or SEC-JWT-14")
    told = ended.out.splitlines()[:3]
    assert [line.split(" ")[0] for line in told] == ["plan:"] * 3
    assert "2 requirements of t" in told[0] and "SEC-JWT-14" in told[1] and "they stay" in told[2]


async def test_plain_pytest_finds_one_test_for_each_requirement(python: Any, tmp_path: Path) -> None:
    """The suite is a pytest package: anybody's pytest can collect it."""
    plain = ("-m", "pytest", "-q", "-p", "conformance.plugin", "-p", "no:cacheprovider", "--rootdir", tmp_path)
    ended = await python(*plain, "--pyargs", "conformance", "--collect-only")
    names = [line.rpartition("::")[2] for line in ended.out.splitlines() if "::" in line]
    assert ended.status == 0
    assert sorted(_named(name) for name in names) == sorted(CATALOGUE)


def _named(test: str) -> str:
    """The requirement that a test is named after: test_sec_jwt_01_no_algorithm is of SEC-JWT-01."""
    return next((id_ for id_ in CATALOGUE if test.upper().startswith(f"TEST_{id_.replace('-', '_')}_")), test)


async def test_plain_pytest_needs_a_target(python: Any) -> None:
    """Without --target it says what to give, instead of failing all tests."""
    ended = await python(
        "-m", "pytest", "-p", "conformance.plugin", "-p", "no:cacheprovider", "--pyargs", "conformance"
    )
    assert ended.status == 4 and "--target FILE" in ended.err + ended.out


async def test_plain_pytest_runs_the_suite(python: Any, serve_fake: Any, tmp_path: Path) -> None:
    """-k, -x and JUnit are pytest's own; the plan stands in its head, a skip has its reason."""
    url = (await serve_fake()).url
    (tmp_path / "t.toml").write_text(
        dump_target(Target(name="t", api_url=f"{url}/api", supabase_url=url, anon_key="k"))
    )
    ended = await python(
        "-m", "pytest", "-x", "-rs", "-p", "conformance.plugin", "-p", "no:cacheprovider", "--rootdir", tmp_path,
        "--pyargs", "conformance", "--target", tmp_path / "t.toml", "-k", "AUTH-23 or SEC-JWT-14",
        f"--junitxml={tmp_path / 'j.xml'}",
    )  # fmt: skip
    assert ended.status == 0, ended.out
    assert "2 requirements of t" in ended.out and "1 passed, 1 skipped" in ended.out
    assert "not-verified: " in ended.out and "jwt_secret under [identities]" in ended.out
    assert 'tests="2"' in (tmp_path / "j.xml").read_text()
