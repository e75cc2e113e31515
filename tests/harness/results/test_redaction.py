"""What a stored run must not hold, looked for with grep."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.errors import Trouble
from harness.results.redaction import HIDDEN, redact, redact_folder, redacted_target, secrets_of
from harness.target import Capabilities, Identities, Target, dump_target, load_target

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"
USER = ("ann@example.org", "open sesame")
TARGET = Target(
    name="staging",
    api_url="https://staging.example/api",
    supabase_url="https://staging.example",
    anon_key="sb_publishable_abcdef",
    identities=Identities(mode="fixed", jwt_secret="a-secret-of-many-letters", users=(USER,)),
    capabilities=Capabilities(database_url="postgresql://me:hunter22@db.example/app"),
)
SECRETS = (
    "sb_publishable_abcdef",
    "a-secret-of-many-letters",
    "ann@example.org",
    "open sesame",
    "hunter22",
    "db.example",
    TOKEN,
)


def test_nothing_secret_stays_in_a_bundle(tmp_path: Path) -> None:
    """Not in the target file, not in an error that a target quoted, not in a log; the rest stays, word for word."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "target-staging.toml").write_text(dump_target(TARGET))
    op = f'{{"op":"join","value":{{"error":"no wss://h/socket?apikey=sb_publishable_abcdef&vsn=1.0.0 for {TOKEN}"}}}}\n'
    (tmp_path / "history.ndjson").write_text('{"op":"poll"}\n' + op)
    (tmp_path / "logs" / "server.log").write_text(
        "signed a-secret-of-many-letters\nat postgres://x:y@h/d open sesame\n"
    )
    (tmp_path / "run.json").write_text('{"seed": 7}')
    redact_folder(tmp_path)
    for secret in SECRETS:
        found = subprocess.run(["grep", "-rF", secret, str(tmp_path)], capture_output=True, text=True, check=False)
        assert (found.returncode, found.stdout) == (1, ""), secret
    again = load_target(tmp_path / "target-staging.toml")
    assert (again.name, again.api_url, again.budgets) == (TARGET.name, TARGET.api_url, TARGET.budgets)
    lines = (tmp_path / "history.ndjson").read_text().splitlines()
    assert lines[0] == '{"op":"poll"}'
    assert lines[1] == f'{{"op":"join","value":{{"error":"no wss://h/socket?apikey={HIDDEN}&vsn=1.0.0 for {HIDDEN}"}}}}'
    assert (tmp_path / "run.json").read_text() == '{"seed": 7}'
    assert not list(tmp_path.rglob(".*"))


def test_a_target_without_secrets_says_so() -> None:
    """What was empty stays empty, and twice is as once."""
    once = redacted_target(TARGET)
    assert redacted_target(once) == once
    assert secrets_of(once) == set()
    plain = TARGET.model_copy(update={"identities": Identities()})
    assert redacted_target(plain).identities.jwt_secret == ""


@pytest.mark.parametrize(
    "text", [b"", b"plain words", b"https://host/path?x=1", b"eyJ is no token", b"a@b at https://h"]
)
def test_what_is_no_secret_stays(text: bytes) -> None:
    """Addresses without a password, and words that begin like a token."""
    assert redact(text) == text


def test_a_target_file_that_was_cut_short_is_removed(tmp_path: Path) -> None:
    """Nobody can say which secrets stand in it."""
    (tmp_path / "target-x.toml").write_text(dump_target(TARGET)[:80])
    redact_folder(tmp_path)
    assert not (tmp_path / "target-x.toml").exists()


def test_a_file_that_cannot_be_read_is_trouble(tmp_path: Path) -> None:
    """The caller must know that the bundle is not clean."""
    (tmp_path / "x.log").symlink_to(tmp_path / "loop.log")
    (tmp_path / "loop.log").symlink_to(tmp_path / "x.log")
    redact_folder(tmp_path)  # no file at all
    for name in "yz":
        (tmp_path / f".{name}.log.redacted").mkdir()
        (tmp_path / f"{name}.log").write_text("text")
    redact_folder(tmp_path)  # without a secret, nothing is written
    (tmp_path / "y.log").write_text(TOKEN)
    with pytest.raises(Trouble, match=r"y\.log could not be redacted \(Is a directory\): remove that"):
        redact_folder(tmp_path)


def test_one_file_that_cannot_be_redacted_keeps_no_other_from_it(tmp_path: Path) -> None:
    """All others are clean, and it is said how many are not."""
    for name in "abcd":
        (tmp_path / f"{name}.log").write_text(TOKEN)
    for name in "bc":
        (tmp_path / f".{name}.log.redacted").mkdir()
    with pytest.raises(Trouble, match=r"b\.log and 1 more could not be redacted"):
        redact_folder(tmp_path)
    assert [path.name for path in sorted(tmp_path.glob("*.log")) if TOKEN in path.read_text()] == ["b.log", "c.log"]
