"""The shapes that several operations share."""

from __future__ import annotations

from reference_server.openapi.parts import OBJECT, TEXT, TIME, UUID, Schema, array, nullable, record, ref

_NUMBER: Schema = {"type": "integer"}
_TRUTH: Schema = {"type": "boolean"}

SCHEMAS: dict[str, Schema] = {
    "GatewayError": record(("message",), message=TEXT, hint=TEXT),
    "ApplicationError": record(("error",), error=TEXT),
    "RestError": record(
        ("code", "message", "details", "hint"), code=TEXT, message=TEXT, details=nullable(TEXT), hint=nullable(TEXT)
    ),
    "AuthError": {
        "description": "The first form with X-Supabase-Api-Version 2024-01-01, else the second; OAuth's third.",
        "anyOf": [
            record(("code", "message"), code=TEXT, message=TEXT),
            record(("code", "error_code", "msg"), code=_NUMBER, error_code=TEXT, msg=TEXT),
            record(("error", "error_description"), error=TEXT, error_description=TEXT),
            ref("GatewayError"),
        ],
    },
    "User": record(
        ("id", "aud", "app_metadata", "user_metadata", "created_at"),
        id=UUID,
        aud=TEXT,
        role=TEXT,
        email=TEXT,
        email_confirmed_at=nullable(TIME),
        phone=TEXT,
        confirmed_at=nullable(TIME),
        last_sign_in_at=nullable(TIME),
        app_metadata=OBJECT,
        user_metadata=OBJECT,
        identities=array(OBJECT),
        created_at=TIME,
        updated_at=TIME,
        is_anonymous=_TRUTH,
    ),
    "Session": record(
        ("access_token", "token_type", "expires_in", "expires_at", "refresh_token", "user"),
        access_token=TEXT,
        token_type={"const": "bearer"},
        expires_in=_NUMBER,
        expires_at=_NUMBER,
        refresh_token=TEXT,
        user=ref("User"),
    ),
    "Match": record(("session_id", "partner_id", "offerer_id"), session_id=UUID, partner_id=UUID, offerer_id=UUID),
    "TurnCredentials": record(
        ("username", "password", "ttl", "uris"), username=TEXT, password=TEXT, ttl=_NUMBER, uris=array(TEXT)
    ),
}
