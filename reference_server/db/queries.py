"""Reads the named statements of a `.sql` file: `-- name: …` opens one, the comment after it says why."""

from __future__ import annotations

import re
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def load_queries(package: str, file: str) -> dict[str, str]:
    """The statements of `package/file` by name. Raises ValueError where two have the same name."""
    parts = _NAME.split((files(package) / file).read_text(encoding="utf-8"))
    names = parts[1::2]
    if len(set(names)) != len(names):
        raise ValueError(f"{package}/{file} names a statement twice")
    return {name: text.strip() for name, text in zip(names, parts[2::2], strict=True)}
