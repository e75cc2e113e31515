"""The versions of the run format: what an older run lacks is made up for, and a newer one is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.errors import Trouble
from harness.results.run import SCHEMA

_NAME, _, _CURRENT = SCHEMA.rpartition("/")
VERSION = int(_CURRENT)
"""The version that is written."""


def _from_1(run: dict[str, Any]) -> dict[str, Any]:
    """Version 2 has `join_ms` and `samples` of each target, which stay empty here."""
    suites = [{**suite, "schema": f"{_NAME}/2"} for suite in run.get("conformance", [])]
    return {**run, "schema": f"{_NAME}/2", **({"conformance": suites} if "conformance" in run else {})}


UPGRADES: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {1: _from_1}
"""By version: the same run in the next version. Each keeps what was measured, and makes nothing up."""


def upgraded(data: Any, origin: str) -> dict[str, Any]:
    """A run of any version that there was, as one of the current version; `origin` names it in errors.

    Raises:
        Trouble: it is no run, or of a version that is not known.
    """
    version = _version(data)
    if version is None:
        raise Trouble(
            f"{origin} is not a run of this harness{_instead(data)}", "give the run.json that a command wrote"
        )
    if version > VERSION or (version != VERSION and version not in UPGRADES):
        raise Trouble(
            f"{origin} has the format {data['schema']}, and this version reads {_NAME}/{min(UPGRADES)} to {SCHEMA}",
            "use the version of gurukul-harness that made it, or a newer one",
        )
    run: dict[str, Any] = data
    for step in range(version, VERSION):
        try:
            run = UPGRADES[step](run)
        except (AttributeError, TypeError, ValueError):
            raise Trouble(f"{origin} is damaged: it has not the shape of {_NAME}/{step}", "measure again") from None
    return run


def _version(data: Any) -> int | None:
    schema = data.get("schema") if isinstance(data, dict) else None
    name, _, number = schema.rpartition("/") if isinstance(schema, str) else ("", "", "")
    return int(number) if name == _NAME and number.isascii() and number.isdecimal() else None


def _instead(data: Any) -> str:
    """What it is instead, where it says so."""
    schema = data.get("schema") if isinstance(data, dict) else None
    return f": it says that it is {schema[:60]}" if isinstance(schema, str) else ""
