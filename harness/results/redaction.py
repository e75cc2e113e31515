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

    Files without a secret stay as they are. Raises Trouble where some cannot be read or written, when all others are
    clean.
    """
    secrets: set[str] = set()
    unclean: dict[Path, OSError] = {}
    for path in sorted(folder.rglob("target*.toml")):
        try:
            target = load_target(path)
        except Trouble:
            path.unlink()  # cut short by a kill: nobody can say what stands in it
            continue
        secrets |= secrets_of(target)
        try:
            path.write_text(dump_target(redacted_target(target)), encoding="utf-8")
        except OSError as error:
            unclean[path] = error
    words = sorted(secrets, key=len, reverse=True)
    for path in sorted(folder.rglob("*")):
        try:
            if path.suffix in _TEXTS and path.is_file() and _is_unclean(path, words):
                _redact_file(path, words)
        except OSError as error:
            unclean[path] = error
    if unclean:
        (path, first), *others = unclean.items()
        more = f" and {len(others)} more" if others else ""
        raise Trouble(f"{path}{more} could not be redacted ({first.strerror})", "remove that before you share the run")


def _is_unclean(path: Path, secrets: list[str]) -> bool:
    """Most files hold no secret: they need no room for another one beside them."""
    with path.open("rb") as source:
        return any(redact(line, secrets) != line for line in source)


def _redact_file(path: Path, secrets: list[str]) -> None:
    """Line by line, for histories are long."""
    part = path.with_name(f".{path.name}.redacted")
    try:
        with path.open("rb") as source, part.open("wb") as sink:
            sink.writelines(redact(line, secrets) for line in source)
        part.replace(path)
    finally:
        with suppress(OSError):
            part.unlink()
