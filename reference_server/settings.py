"""Every setting of the reference server, from flags and from the environment, in one documented class."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from reference_server.plans.plan import PlanName
from reference_server.turn.credentials import read_uris

LOCAL_JWT_SECRET = "super-secret-jwt-token-with-at-least-32-characters-long"  # noqa: S105 — Supabase's public local default
LOCAL_TURN_SECRET = "gurukul-local-turn-secret"  # noqa: S105 — public like the one above: for one machine


class Settings(BaseSettings):
    """How the server runs. Each is also an environment variable with the prefix `GURUKUL_`. Times in seconds."""

    model_config = SettingsConfigDict(env_prefix="GURUKUL_", extra="forbid", use_attribute_docstrings=True)

    engine: Literal["documented", "hardened"] = "hardened"
    """Which matchmaking: as the document describes it, or with its faults mended."""
    mutant: Path | None = None
    """A Python file that builds one fault into the server (docs/adding-a-mutant.md); for testing a test suite."""
    host: str = "127.0.0.1"
    """The address to listen at."""
    port: int = Field(0, ge=0, le=65535)
    """0 takes a free one; the ready line names it."""
    workers: int = Field(1, ge=1, le=64)
    """Processes that share the port and the database; each has connections of its own."""
    request_timeout: float = Field(30.0, gt=0)
    """How long a request, head and body, may take to arrive; also how long a new connection may say nothing."""
    log_level: Literal["debug", "info", "warning", "error"] = "warning"
    """How much is written to standard error."""
    log_format: Literal["text", "json"] = "text"
    """One line for each record, as text or as a JSON object (docs/operation.md)."""
    access_log: bool = False
    """Whether each request is logged when it has been answered."""
    metrics: bool = True
    """Whether GET /metrics tells Prometheus how the server does."""
    database_url: str = ""
    """postgresql://user:password@host:5432/database; PostgreSQL 15 or newer with wal_level=logical."""
    database_pool: int = Field(20, ge=2)
    """Connections of one instance for requests; the change feed has one of its own."""
    jwt_secret: str = Field(LOCAL_JWT_SECRET, min_length=32)
    """The key that tokens are signed with (HS256), and the project's own key always; at least 32 characters."""
    jwt_algorithm: Literal["HS256", "ES256"] = "HS256"
    """How users' tokens are signed: with the secret, or with a key whose public half is shown as a key set (JWKS)."""
    jwt_key_file: Path | None = None
    """ES256: the private key (P-256, PEM); without it one is made from the secret, the same at every start."""
    jwt_issuer: str = ""
    """What users' tokens name as their issuer, the only one taken; empty: <the address called>/auth/v1, any taken."""
    jwt_expiry: float = Field(3600.0, gt=0)
    """How long an access token is good for."""
    refresh_reuse_interval: float = Field(10.0, ge=0)
    """How long a used refresh token still brings its session's active one (two tabs); 0: reuse is refused at once."""
    sign_ups: bool = True
    """Whether there may be new users."""
    anonymous_sign_ins: bool = True
    """Whether a user may come without e-mail address and password."""
    anon_statement_timeout: float = Field(3.0, gt=0)
    """How long a statement of a caller who is not signed in may take."""
    authenticated_statement_timeout: float = Field(8.0, gt=0)
    """How long a statement of a user may take."""
    postgrest_version: Literal["12", "13"] = "13"
    """Whose words the errors of /rest/v1 have: PostgREST's up to 12, or from 13 on."""

    turn_secret: str = LOCAL_TURN_SECRET
    """Hardened: the secret shared with the TURN server (coturn: static-auth-secret); empty: there is no TURN server."""
    turn_uris: str = "turn:127.0.0.1:3478?transport=udp,turn:127.0.0.1:3478?transport=tcp"
    """Hardened: the addresses of the TURN server (RFC 7065), separated by commas."""
    turn_ttl: int = Field(3600, gt=0)
    """Hardened: how long TURN credentials are good for."""

    queue_ttl: float = Field(120.0, gt=0)
    """How long a queue entry lives without a sign of life (documented: since it was made)."""
    session_max_age: float = Field(7200.0, gt=0)
    """How long a session may last before it is ended."""
    disconnect_grace: float = Field(3.0, ge=0)
    """Hardened: how long a member without a socket may come back before the session ends."""
    instance_timeout: float = Field(3.0, gt=0)
    """How long an instance may give no sign of life before another takes over its users."""
    ping_interval: float = Field(4.0, gt=0)
    """How often a silent socket is pinged (RFC 6455 section 5.5.2)."""
    ping_timeout: float = Field(4.0, gt=0)
    """How long a pinged socket may take to answer before it is closed."""
    join_rate_limit: int = Field(10, ge=0)
    """Hardened: how often one user may join in a window, on all instances together; 0 is as often as he likes."""
    join_rate_window: float = Field(60.0, gt=0)
    """Hardened: the length of that window, which slides."""
    find_match_delay: float = Field(0.010, ge=0)
    """Documented: mean time until the `find_match` that nobody awaits reaches the database (a second network hop)."""
    find_match_seed: int = 0
    """Documented: seed of those delays."""

    feed_poll: float = Field(0.004, ge=0)
    """For how long the change feed gathers changes before it tells them (hosted: it asks every 0.1)."""
    feed_batch: int = Field(100, gt=0)
    """Changes that are judged and told together at most, about."""
    subscribe_delay: float = Field(0.0, ge=0)
    """Time between the join reply and the database subscription: the SUBSCRIBED window (hosted: 1 to 3)."""
    replay_window: float | None = Field(None, ge=0)
    """How far back a new subscription to insertions by an `eq` filter is told of rows that still stand as they were
    inserted: what was committed between a client's join and its subscription (hosted: not at all). Without a value by
    engine: 0 for documented, 5 for hardened."""
    subscription_retry: float = Field(5.0, ge=0)
    """How long a database subscription that failed through no fault of its own waits, up to twice that (hosted: 5)."""

    plan: PlanName = "none"
    """Whose ceilings hold: none, or those of a provider's plan (connections, messages and joins a second, sizes)."""
    private_only: bool = False
    """Realtime: refuse channels that are not private."""
    allowed_origins: str = ""
    """Realtime: the origins that browsers may connect from, separated by commas; empty: any, as hosted."""
    join_error_delay: float = Field(5.0, ge=0)
    """Realtime: how long the answer to a refused join is held back."""
    refusal_delay: float = Field(2.0, ge=0)
    """Realtime: how long a refused upgrade is held back."""
    socket_idle_timeout: float = Field(60.0, gt=0)
    """Realtime: a socket is closed after so long without a frame of its client."""
    channelless_timeout: float = Field(600.0, gt=0)
    """Realtime: a socket is closed after so long without a channel."""

    @property
    def replayed_seconds(self) -> float:
        """The window of `replay_window`, by engine where none is given."""
        if self.replay_window is None:
            return 5.0 if self.engine == "hardened" else 0.0
        return self.replay_window

    @field_validator("turn_uris")
    @classmethod
    def _check_turn_uris(cls, text: str) -> str:
        read_uris(text)
        return text
