"""Requests of the REST interface, built as the official client builds them (PROTOCOL 2.1)."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from msgspec import Struct


class RestCall(Struct, frozen=True, gc=False):
    """One request below `/rest/v1`: `path` with its encoded query, and the body to send as JSON, if any."""

    method: str
    path: str
    body: dict[str, Any] | None = None
    prefer: str = ""
    """The header `Prefer`, where there is one."""

    @property
    def profile_header(self) -> str:
        """The header that names the schema: reads accept it, writes send it."""
        return "accept-profile" if self.method == "GET" else "content-profile"


def encode_query(params: list[tuple[str, str]]) -> str:
    """A query string; commas and parentheses are escaped, as the captured requests have them."""
    return "&".join(f"{key}={quote(value, safe='*')}" for key, value in params)


_USER = "USER"
_ACTIVE = "chat_sessions?" + encode_query(
    [("select", "*"), ("or", f"(user1_id.eq.{_USER},user2_id.eq.{_USER})"), ("status", "eq.active"), ("limit", "1")]
)
"""A load generator asks this thousands of times a second."""
_SESSION = "chat_sessions?" + encode_query([("select", "*"), ("id", "eq.")])
_MESSAGES = "messages?" + encode_query([("select", "id,session_id,sender_id,content"), ("session_id", "eq.")])


def active_session_of(user: str) -> RestCall:
    """The poll: one active session that names the user, whichever the database finds first (document, section 3).

    It selects all columns, so that a target that names the offerer in a column of its own is heard.
    """
    return RestCall("GET", _ACTIVE.replace(_USER, quote(user, safe="*")))


def session_by_id(session: str) -> RestCall:
    """One session, whatever its status."""
    return RestCall("GET", f"{_SESSION}{quote(session, safe='*')}")


def messages_of(session: str) -> RestCall:
    """All messages of a session, oldest first."""
    return RestCall("GET", f"{_MESSAGES}{quote(session, safe='*')}&order=created_at.asc")


def send_message(session: str, sender: str, content: str) -> RestCall:
    """A new message; without `Prefer` the answer is 201 without a body."""
    row = {"session_id": session, "sender_id": sender, "type": "text", "content": content}
    return RestCall("POST", "messages", row)


def end_session(session: str, ended_at: str) -> RestCall:
    """The end of a session, as a client writes it; `ended_at` is an ISO timestamp."""
    return RestCall(
        "PATCH", f"chat_sessions?{encode_query([('id', f'eq.{session}')])}", {"status": "ended", "ended_at": ended_at}
    )


def skip_partner(user: str, session: str) -> RestCall:
    """The client's skip: ends the session, and answers whether it did."""
    return RestCall("POST", "rpc/skip_partner", {"p_user_id": user, "p_session_id": session})


def ask_friendship(asker: str, asked: str) -> RestCall:
    """A friendship that waits for the other's answer."""
    return RestCall("POST", "study_connections", {"requester_id": asker, "receiver_id": asked, "status": "pending"})


def accept_friendship(asker: str, asked: str) -> RestCall:
    """The answer: yes. It brings the row, and none where nobody had asked."""
    params = [("requester_id", f"eq.{asker}"), ("receiver_id", f"eq.{asked}"), ("status", "eq.pending")]
    path = f"study_connections?{encode_query(params)}"
    return RestCall("PATCH", path, {"status": "accepted"}, prefer="return=representation")
