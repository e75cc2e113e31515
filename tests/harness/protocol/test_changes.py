"""Sessions and messages, read from rows and from the reply to a join."""

from __future__ import annotations

from typing import Any

import pytest

from harness.protocol.changes import MessageSeen, SessionSeen, match_of, message_of, session_of
from harness.protocol.malformed import Malformed

ROW = {"id": "S", "user1_id": "A", "user2_id": "B"}


@pytest.mark.parametrize(
    ("row", "seen"),
    [
        (ROW, SessionSeen("S", "A", "B", "active", "A")),
        ({**ROW, "status": "ended"}, SessionSeen("S", "A", "B", "ended", "A")),
        ({**ROW, "offerer_id": "B"}, SessionSeen("S", "A", "B", "active", "B")),
        ({**ROW, "offerer_id": None}, SessionSeen("S", "A", "B", "active", "A")),
    ],
)
def test_a_session_is_read_from_its_row(row: dict[str, Any], seen: SessionSeen) -> None:
    """The offerer is the column of that name, else the first user (document, section 3)."""
    assert session_of(row) == seen


def test_the_partner_is_the_other_member() -> None:
    """Also for somebody who was matched with himself: then it is he."""
    session = session_of(ROW)
    assert (session.partner_of("A"), session.partner_of("B")) == ("B", "A")
    assert SessionSeen("S", "A", "A", "active", "A").partner_of("A") == "A"


def test_the_value_of_a_session_has_the_keys_of_a_history() -> None:
    """`{id, user1, user2, status, offerer}`."""
    assert session_of(ROW).value() == {
        "id": "S", "user1": "A", "user2": "B", "status": "active", "offerer": "A",
    }  # fmt: skip


def test_a_message_is_read_from_its_row() -> None:
    """A message without text (a file) has no content."""
    row = {"id": "M", "session_id": "S", "sender_id": "A", "content": None}
    assert message_of(row) == MessageSeen("M", "S", "A", None)


@pytest.mark.parametrize(
    ("match", "seen"),
    [
        ({"session_id": "S", "partner_id": "B", "offerer_id": "A"}, SessionSeen("S", "A", "B", "active", "A")),
        ({"session_id": "S", "partner_id": "B", "offerer_id": "B"}, SessionSeen("S", "B", "A", "active", "B")),
    ],
)
def test_the_match_of_a_join_reply_names_the_offerer_first(match: dict[str, str], seen: SessionSeen) -> None:
    """PROTOCOL 4: `match {session_id, partner_id, offerer_id}`, as A is told."""
    assert match_of({"message": "Joined queue successfully", "match": match}, "A") == seen


@pytest.mark.parametrize("reply", [{"message": "Joined queue successfully"}, {"match": None}, None, []])
def test_a_reply_without_a_match_names_no_session(reply: Any) -> None:
    """The documented target never names one."""
    assert match_of(reply, "A") is None


@pytest.mark.parametrize("row", [None, [], {}, {**ROW, "user2_id": 7}])
def test_a_row_of_another_shape_is_malformed(row: Any) -> None:
    """A target may answer anything."""
    with pytest.raises(Malformed):
        session_of(row)
