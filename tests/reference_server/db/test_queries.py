"""Named statements in `.sql` files."""

from __future__ import annotations

import pytest

from reference_server.db import queries


def test_statements_come_by_name() -> None:
    """Each `-- name:` line opens a statement that goes on to the next."""
    found = queries.load_queries("reference_server.auth", "accounts.sql")
    assert {"sign_up", "rotate", "log_out"} <= found.keys()
    assert "insert into auth.users" in found["sign_up"]
    assert "-- name:" not in found["sign_up"]


def test_a_name_is_used_once(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    """Two statements of one name are a mistake."""
    monkeypatch.setattr(queries, "files", lambda _package: tmp_path)
    (tmp_path / "q.sql").write_text("-- name: a\nselect 1\n-- name: a\nselect 2\n")  # type: ignore[operator]
    with pytest.raises(ValueError, match="names a statement twice"):
        queries.load_queries("anything", "q.sql")
