"""The plugin: `-k` chooses the requirements that it names, and no others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conformance.plugin import exact


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("MM-S1", "MM-S1."),
        ("mm-s1 or MM-L2", "MM-S1. or MM-L2."),
        ("RT", "RT-"),
        ("not (REST or SEC-JWT)", "not (REST- or SEC-JWT-)"),
        ("REST-RLS and not REST-RLS-01", "REST-RLS- and not REST-RLS-01."),
        ("MM-S1. or SG-S1.", "MM-S1. or SG-S1."),
        ("races", "races"),
        ("SEC", "SEC"),
    ],
)
def test_ids_and_groups_mean_what_they_say(given: str, meant: str) -> None:
    """Other words are left to pytest."""
    assert exact(given) == meant


@pytest.mark.parametrize(
    ("chosen", "names"), [("MM-S1", ["mm_s1_"]), ("REST-RLS-01 or AUTH-09", ["auth_09", "rest_rls_01"])]
)
async def test_no_other_test_is_chosen(python: Any, tmp_path: Path, chosen: str, names: list[str]) -> None:
    """MM-S1 is not MM-S11, whatever the tests are called."""
    plain = ("-m", "pytest", "-q", "-p", "conformance.plugin", "-p", "no:cacheprovider", "--rootdir", tmp_path)
    ended = await python(*plain, "--pyargs", "conformance", "--collect-only", "-k", chosen)
    found = sorted(line.rpartition("::test_")[2] for line in ended.out.splitlines() if "::" in line)
    assert len(found) == len(names)
    assert all(name.startswith(start) for name, start in zip(found, names, strict=True))
