"""The operations that are the same whatever the database holds: Auth, the application, broadcasts, health."""

from __future__ import annotations

from reference_server.openapi.parts import (
    EITHER,
    OBJECT,
    OPEN,
    ROLES,
    TEXT,
    USER,
    Schema,
    answer,
    array,
    body,
    nullable,
    operation,
    path,
    query,
    record,
    ref,
)

_AUTH_ERROR = {"default": answer("Refused", ref("AuthError"))}
_ERROR = {"default": answer("Refused", ref("ApplicationError"))}
_SESSION = {"200": answer("A session", ref("Session"))} | _AUTH_ERROR
_USER = {"200": answer("The user", ref("User"))} | _AUTH_ERROR
_CREDENTIALS = record(email={"type": "string", "format": "email"}, password=TEXT, data=OBJECT)
_SCOPE: Schema = {"enum": ["global", "local", "others"], "default": "global"}
_GRANT: Schema = {"enum": ["password", "refresh_token"]}
_MODE: Schema = {"enum": ["buddies_first", "global"], "default": "buddies_first"}
_STATE: Schema = {"enum": ["waiting", "matched", "expired", "idle"]}
_STATUS = record(("status",), status=TEXT)
_MESSAGE = record(("topic", "event"), topic=TEXT, event=TEXT, payload=OBJECT, private={"type": "boolean"})

AUTH: dict[str, Schema] = {
    "/auth/v1/signup": {
        "post": operation(
            "signUp",
            "Auth",
            "A new user: anonymous where neither e-mail address nor password is given",
            _SESSION,
            security=ROLES,
            takes=body(_CREDENTIALS, required=False),
        )
    },
    "/auth/v1/token": {
        "post": operation(
            "token",
            "Auth",
            "A session by password, or by the refresh token of an earlier one",
            _SESSION,
            security=ROLES,
            parameters=(query("grant_type", _GRANT, "What the session is asked with", required=True),),
            takes=body(record(email=TEXT, password=TEXT, refresh_token=TEXT)),
        )
    },
    "/auth/v1/user": {
        "get": operation("getUser", "Auth", "The user of the token", _USER, security=ROLES),
        "put": operation(
            "changeUser", "Auth", "Changes the user of the token", _USER, security=ROLES, takes=body(_CREDENTIALS)
        ),
    },
    "/auth/v1/logout": {
        "post": operation(
            "logOut",
            "Auth",
            "Ends sessions of the user of the token",
            {"204": answer("They have ended")} | _AUTH_ERROR,
            security=ROLES,
            parameters=(query("scope", _SCOPE, "Which: all, this one, or all others"),),
        )
    },
    "/auth/v1/settings": {
        "get": operation(
            "authSettings",
            "Auth",
            "What can be signed in with",
            {"200": answer("The settings", OBJECT)} | _AUTH_ERROR,
            security=ROLES,
        )
    },
    "/auth/v1/.well-known/jwks.json": {
        "get": operation(
            "keys",
            "Auth",
            "The public keys of tokens (RFC 7517)",
            {"200": answer("The key set", record(("keys",), keys=array(OBJECT)))},
        )
    },
    "/auth/v1/health": {"get": operation("authHealth", "Auth", "Auth is there", {"200": answer("It is", OBJECT)})},
}

APPLICATION: dict[str, Schema] = {
    "/api/matching/join": {
        "post": operation(
            "join",
            "Matchmaking",
            "Queues the caller; `match` where a partner was found at once",
            {"200": answer("Queued", record(("message",), message=TEXT, match=ref("Match")))} | _ERROR,
            security=USER,
            takes=body(record(matchMode=_MODE), required=False),
        )
    },
    "/api/matching/leave": {
        "post": operation(
            "leave",
            "Matchmaking",
            "Removes the caller's queue entry",
            {"200": answer("Removed", record(("message",), message=TEXT))} | _ERROR,
            security=USER,
        )
    },
    "/api/turn/credentials": {
        "get": operation(
            "turnCredentials",
            "TURN",
            "Time-limited credentials for the relay; 404 where there is none",
            {"200": answer("Credentials", ref("TurnCredentials"))} | _ERROR,
            security=USER,
        )
    },
    "/realtime/v1/api/broadcast": {
        "post": operation(
            "broadcast",
            "Realtime",
            "Broadcasts messages to the members of channels",
            {"202": answer("On their way"), "default": answer("Refused", OBJECT)},
            security=EITHER,
            takes=body(record(("messages",), messages=array(_MESSAGE))),
        )
    },
    "/realtime/v1/api/broadcast/{topic}/events/{event}": {
        "post": operation(
            "broadcastEvent",
            "Realtime",
            "Broadcasts one message; the body is its payload",
            {"202": answer("On its way"), "default": answer("Refused", OBJECT)},
            security=EITHER,
            parameters=(path("topic", "The channel, without `realtime:`"), path("event", "The event")),
            takes=body(nullable(OBJECT)),
        )
    },
    "/health": {"get": operation("health", "Operation", "The process is up", {"200": answer("It is", _STATUS)})},
    "/ready": {
        "get": operation(
            "ready",
            "Operation",
            "The database answers",
            {"200": answer("It does", _STATUS), "503": answer("It does not", ref("ApplicationError"))},
            security=OPEN,
        )
    },
    "/openapi.json": {
        "get": operation("describe", "Operation", "This description", {"200": answer("The description", OBJECT)})
    },
}

STATUS: dict[str, Schema] = {
    "/api/matching/status": {
        "get": operation(
            "matchingStatus",
            "Matchmaking",
            "Where the caller stands; asking is a sign of life",
            {"200": answer("`match` where he is matched", record(("status",), status=_STATE, match=ref("Match")))}
            | _ERROR,
            security=USER,
        )
    },
}
"""What only an engine that tells its users' status answers."""
