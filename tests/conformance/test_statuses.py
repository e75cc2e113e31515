"""Every status, through the command that a user runs: what it says, and the exit status that a script reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.results.run import ConformRun
from harness.results.store import load_run

LEAK = {"keys": [{"kty": "RSA", "n": "AA", "e": "AQAB", "d": "AA"}]}
FAILS = "AUTH-23"
"""The requirement that a fake target meets, or breaks by showing a private key."""


def status_of(folder: Path, requirement: str) -> str:
    """What became of a requirement, by the stored results."""
    run = load_run(folder / "r.json")
    assert isinstance(run, ConformRun)
    return next(result.status for result in run.requirements if result.id == requirement)


async def test_a_pass(serve_fake: Any, suite: Any, tmp_path: Path) -> None:
    """Exit 0; partial, for the rest of the catalogue was not tested."""
    ended = await suite((await serve_fake()).url, "-k", FAILS)
    assert (ended.status, ended.err) == (0, "")
    assert ended.lines[0].startswith("AUTH-23 pass ") and ended.lines[-1] == "t: partial"
    assert status_of(tmp_path, FAILS) == "pass"


async def test_a_fail(serve_fake: Any, suite: Any, tmp_path: Path) -> None:
    """Exit 1, with one sentence that says what was sent and what came."""
    ended = await suite((await serve_fake(keys=LEAK)).url, "-k", FAILS)
    assert (ended.status, ended.err) == (1, "")
    assert ended.lines[0].startswith("AUTH-23 fail ")
    assert "GET /auth/v1/.well-known/jwks.json by nobody: a key with its private members d" in ended.lines[0]
    assert ended.lines[-1] == "t: not-conformant"
    run = load_run(tmp_path / "r.json")
    assert isinstance(run, ConformRun)
    finding = next(result.finding for result in run.requirements if result.id == FAILS)
    assert finding is not None and finding.witness[0]["value"]["url"] == "/auth/v1/.well-known/jwks.json"
    assert finding.witness[0]["value"]["status"] == 200


async def test_an_unknown(serve_fake: Any, suite: Any, tmp_path: Path) -> None:
    """Exit 2: where a good token is not taken, refusing bad ones shows nothing."""
    fake = await serve_fake(refuse_tokens=True)
    ended = await suite(fake.url, "-k", "SEC-JWT-01")
    assert (ended.status, ended.err) == (2, "")
    assert ended.lines[0].startswith("SEC-JWT-01 unknown ") and "refusals say nothing" in ended.lines[0]
    assert ended.lines[-1] == "t: unknown"


async def test_not_verified(serve_fake: Any, suite: Any, tmp_path: Path) -> None:
    """Exit 2: without the secret nobody can make an expired token, and that is said before and after."""
    ended = await suite((await serve_fake()).url, "-k", "SEC-JWT-13")
    assert (ended.status, ended.err) == (2, "")
    assert "plan: not verified without the project's secret" in ended.out
    assert status_of(tmp_path, "SEC-JWT-13") == "not-verified"


async def test_an_error(serve_fake: Any, suite: Any, misdeeds: Any) -> None:
    """Exit 3: a breach on a target that is gone right after is no breach."""
    ended = await suite((await serve_fake(keys=LEAK, turn=misdeeds["dies"], turns_at=2)).url, "-k", FAILS)
    assert (ended.status, ended.err) == (3, "")
    assert ended.lines[0].startswith("AUTH-23 error ") and "the target went away during the test" in ended.lines[0]
    assert ended.lines[-1] == "t: unknown"


@pytest.mark.parametrize(
    ("keys", "listed", "status", "says"),
    [
        (None, [FAILS], 1, "surprise: AUTH-23 passed, and was expected to fail: it leaks its keys"),
        (LEAK, [], 1, "surprise: AUTH-23 failed, and is not among the expected failures"),
        (LEAK, [FAILS], 2, ""),
    ],
)
async def test_expected_failures_are_strict(
    serve_fake: Any, suite: Any, tmp_path: Path, keys: Any, listed: list[str], status: int, says: str
) -> None:
    """An unexpected pass and an unexpected failure are both exit 1; what fails as expected leaves nothing to judge."""
    known = "".join(f'[[expected]]\nid = "{id_}"\nreason = "it leaks its keys"\n' for id_ in listed)
    (tmp_path / "known.toml").write_text(known)
    fake = await serve_fake(**({} if keys is None else {"keys": keys}))
    ended = await suite(fake.url, "-k", FAILS, "--expected", tmp_path / "known.toml")
    assert ended.status == status
    assert ("surprise:" in ended.out) == bool(says) and says in ended.out


async def test_a_group_is_chosen(serve_fake: Any, suite: Any, tmp_path: Path) -> None:
    """-k takes a group as it takes an id, and JUnit counts its requirements alone."""
    ended = await suite((await serve_fake()).url, "-k", "REST-RLS", "--junit", tmp_path / "j.xml")
    assert {line.split()[0] for line in ended.lines[:-1]} == {f"REST-RLS-{n:02d}" for n in range(1, 17)}
    assert 'tests="16"' in (tmp_path / "j.xml").read_text()
