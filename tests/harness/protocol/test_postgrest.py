"""REST requests, compared with those captured from the official client."""

from __future__ import annotations

import pytest

from harness.protocol.postgrest import (
    RestCall,
    accept_friendship,
    active_session_of,
    ask_friendship,
    end_session,
    messages_of,
    send_message,
    session_by_id,
    skip_partner,
)


@pytest.mark.parametrize(
    ("request_", "method", "path"),
    [
        (active_session_of("U"), "GET",
         "chat_sessions?select=*&or=%28user1_id.eq.U%2Cuser2_id.eq.U%29&status=eq.active&limit=1"),
        (session_by_id("S"), "GET", "chat_sessions?select=*&id=eq.S"),
        (messages_of("S"), "GET",
         "messages?select=id%2Csession_id%2Csender_id%2Ccontent&session_id=eq.S&order=created_at.asc"),
        (send_message("S", "U", "{}"), "POST", "messages"),
        (skip_partner("U", "S"), "POST", "rpc/skip_partner"),
        (ask_friendship("U", "V"), "POST", "study_connections"),
        (accept_friendship("U", "V"), "PATCH",
         "study_connections?requester_id=eq.U&receiver_id=eq.V&status=eq.pending"),
        (end_session("S", "2026-01-01T00:00:00+00:00"), "PATCH", "chat_sessions?id=eq.S"),
    ],
)  # fmt: skip
def test_a_request_is_built_as_captured(request_: RestCall, method: str, path: str) -> None:
    """PROTOCOL 2.1: escaped commas and parentheses, filters in the official order."""
    assert (request_.method, request_.path) == (method, path)


def test_bodies_name_the_columns() -> None:
    """PROTOCOL 4: a signal is a row of type text; an end sets status and ended_at."""
    assert send_message("S", "U", "{}").body == {"session_id": "S", "sender_id": "U", "type": "text", "content": "{}"}
    assert end_session("S", "now").body == {"status": "ended", "ended_at": "now"}


def test_reads_accept_a_profile_and_writes_send_one() -> None:
    """PROTOCOL 2.1: accept-profile for GET, content-profile for the others."""
    assert session_by_id("S").profile_header == "accept-profile"
    assert send_message("S", "U", "").profile_header == "content-profile"
