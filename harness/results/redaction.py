"""Redaction: a stored run can be given away, for it holds no key, token, password or address of a database."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from harness.errors import Trouble
from harness.target import Target, dump_target, load_target

HIDDEN = "redacted"
_PATTERNS = (
    re.compile(rb"eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*"),  # a JSON Web Token (RFC 7519)
    re.compile(rb"(?<=apikey=)[^&\s\"'\\]+"),
    re.compile(rb"(?<=://)[^\s/@\"'\\]+(?=@)"),  # user and password of a URL (RFC 3986, 3.2.1)
    re.compile(rb"postgres(?:ql)?://[^\s\"'\\]+"),
)
_HINTS = (b"eyJ", b"apikey=", b"://")
"""A text with none of these needs no closer look."""
_SHORTEST = 6
"""A secret shorter than that is not looked for word by word: it would be found everywhere."""
_TEXTS = frozenset({".ndjson", ".json", ".log", ".txt", ".html", ".xml", ".csv"})


def redacted_target(target: Target) -> Target:
    """The target as a bundle keeps it: all that says what was tested, nothing that opens it."""
    identities = target.identities.model_copy(
        update={
            "jwt_secret": HIDDEN if target.identities.jwt_secret else "",
            "users": tuple((HIDDEN, HIDDEN) for _ in target.identities.users),
        }
    )
    return target.model_copy(
        update={
            "anon_key": HIDDEN,
            "identities": identities,
            "capabilities": target.capabilities.model_copy(update={"database_url": "", "crash": ""}),
        }
    )


def secrets_of(target: Target) -> set[str]:
    """The words of a target file that must stand nowhere else."""
    words = {target.anon_key, target.identities.jwt_secret, target.capabilities.database_url}
    words |= {word for pair in target.identities.users for word in pair}
    return {word for word in words if len(word) >= _SHORTEST and word != HIDDEN}


def redact(text: bytes, secrets: Iterable[str] = ()) -> bytes:
    """The text without these words, and without what looks like a token, a key in a URL or a database's address."""
    for secret in secrets:
        text = text.replace(secret.encode(), HIDDEN.encode())
    if any(hint in text for hint in _HINTS):
        for pattern in _PATTERNS:
            text = pattern.sub(HIDDEN.encode(), text)
    return text


def redact_folder(folder: Path) -> None:
    """Takes the secrets out of all that a run has left in its folder: target files, histories, logs, results.

    Files without a secret stay as they are. Raises Trouble where one cannot be read or written.
    """
    secrets: set[str] = set()
    for path in sorted(folder.rglob("target*.toml")):
        try:
            target = load_target(path)
        except Trouble:
            path.unlink()  # cut short by a kill: nobody can say what stands in it
            continue
        secrets |= secrets_of(target)
        path.write_text(dump_target(redacted_target(target)), encoding="utf-8")
    for path in sorted(folder.rglob("*")):
        if path.suffix in _TEXTS and path.is_file():
            _redact_file(path, sorted(secrets, key=len, reverse=True))


def _redact_file(path: Path, secrets: list[str]) -> None:
    """Line by line, for histories are long; the file is replaced only where a line changed."""
    part = path.with_name(f".{path.name}.redacted")
    changed = False
    try:
        with path.open("rb") as source, part.open("wb") as sink:
            for line in source:
                clean = redact(line, secrets)
                changed = changed or clean != line
                sink.write(clean)
        if changed:
            part.replace(path)
    except OSError as error:
        raise Trouble(
            f"{path} could not be redacted ({error.strerror})", "remove it before you share the run"
        ) from None
    finally:
        with suppress(OSError):
            part.unlink()
