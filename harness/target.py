"""What is under test: the model of a target file, how it is read and how it is written."""

from __future__ import annotations

import tomllib
from collections.abc import Collection
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from harness.errors import Trouble

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Identities(_Part):
    """How users come to be: by sign-up, by minting tokens with the project's secret, or from a fixed list."""

    mode: Literal["signup", "jwt", "fixed"] = "signup"
    jwt_secret: str = ""
    users: tuple[tuple[str, str], ...] = ()
    """Pairs of e-mail address and password, for `fixed`."""


class Capabilities(_Part):
    """What the target offers; a missing core capability makes the verdict partial."""

    push: bool = True
    poll: bool = True
    turn: bool = False
    buddies: bool = True
    second_join_conflicts: bool = False
    """True where a second join of a waiting user answers 409 instead of renewing the entry."""
    plan: Literal["none", "free", "pro", "team"] = "none"
    """The provider's plan whose ceilings hold (PROTOCOL 1.8); `none` promises none."""
    database_url: str = ""
    crash: str = ""
    """A command that kills the target's server without warning, and ends with status 0 when it serves again.

    It is run as a shell would split it, and without one (`shlex.split`), by the suite alone.
    """


class Budgets(_Part):
    """Time allowances, in seconds."""

    queue_ttl: float = Field(120.0, gt=0)
    match: float = Field(1.0, gt=0)
    """How long two compatible users may wait side by side."""
    notify: float = Field(1.0, gt=0)
    """How long a member of a new session may stay untold, by push and by poll each."""
    disconnect: float = Field(15.0, gt=0)
    """How long a partner may stay untold that the other has vanished."""
    tolerance: float = Field(0.5, ge=0)
    """Slack for the target's own timers (the ε of the requirements)."""
    poll_interval: float = Field(3.0, gt=0)
    """How often the documented client polls."""
    idle: float = Field(60.0, gt=0)
    """How long a socket may stay open without a frame of its client (PROTOCOL 1.1)."""
    join_window: float = Field(60.0, gt=0)
    """The time in which one user's joins are counted (document, section 13: 10 joins a minute)."""
    heal: float = Field(15.0, gt=0)
    """How long after a fault is over the other budgets need not hold yet."""
    session_max_age: float = Field(7200.0, gt=0)
    """After how long a session ends by itself."""
    generator_lag: float = Field(0.25, gt=0)
    """How late the load generator's own loop may be at p99 before its figures count for nothing."""
    overtaking: int = Field(16, ge=0)
    """How many later joiners may be matched before an older waiter (a number, not seconds)."""


class Thresholds(_Part):
    """What the figures of every run must hold, beyond being valid."""

    require: tuple[str, ...] = ()
    """As after `--require`: `join_to_match_ms.p99<200`."""


class Target(_Part):
    """A deployment to test: where it is, who may enter, what it offers and how fast it must be."""

    name: str = Field(min_length=1)
    api_url: str
    supabase_url: str
    anon_key: str = Field(min_length=1)
    dialect: Literal["supabase"] = "supabase"
    time: Literal["scaled", "real"] = "real"
    """`scaled` where the deployment runs with a short queue TTL and short grace periods."""
    identities: Identities = Identities()
    capabilities: Capabilities = Capabilities()
    budgets: Budgets = Budgets()
    thresholds: Thresholds = Thresholds()

    @field_validator("api_url", "supabase_url")
    @classmethod
    def _is_http(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be an http:// or https:// URL with a host")
        return value.rstrip("/")

    @property
    def realtime_url(self) -> str:
        """The WebSocket address of Realtime, without its query."""
        return self.supabase_url.replace("http", "ws", 1) + "/realtime/v1/websocket"


_TOP = ("name", "api_url", "supabase_url", "anon_key", "dialect", "time")
_KEYS: dict[str, Collection[str]] = {
    "target": _TOP,
    "identities": Identities.model_fields,
    "capabilities": Capabilities.model_fields,
    "budgets": Budgets.model_fields,
    "thresholds": Thresholds.model_fields,
}
"""What each section of a target file can say."""


def load_target(path: Path) -> Target:
    """Reads a target file (TOML: `[target]`, `[identities]`, `[capabilities]`, `[budgets]`, `[thresholds]`).

    Raises:
        Trouble: the file is missing, unreadable, not TOML, or says something that a target file cannot say.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise Trouble(
            f"there is no target file {path}", "name a built-in target (documented, hardened) or a file"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise Trouble(
            f"the target file {path} cannot be read ({error})", "check the path and its permissions"
        ) from None
    return parse_target(text, str(path))


def parse_target(text: str, origin: str) -> Target:
    """Reads the text of a target file; `origin` names it in errors. Raises Trouble as `load_target` does."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Trouble(f"{origin} is not valid TOML ({error})", "mend the line that it names") from None
    unknown = set(data) - {"target", "identities", "capabilities", "budgets", "thresholds"}
    if unknown:
        raise Trouble(
            f"{origin} has an unknown section [{min(unknown)}]",
            "use [target], [identities], [capabilities], [budgets] and [thresholds]",
        )
    if not isinstance(data.get("target"), dict):
        raise Trouble(f"{origin} has no [target] section", "add one with name, api_url, supabase_url and anon_key")
    try:
        return Target.model_validate({**data.pop("target"), **data})
    except ValidationError as error:
        raise _misfit(origin, error.errors()[0]) from None


def _misfit(origin: str, error: ErrorDetails) -> Trouble:
    """What is wrong in a target file, in the words of the file."""
    *sections, key = (str(part) for part in error["loc"])
    section = ".".join(sections) or "target"
    if error["type"] == "missing" and section in _KEYS:
        return Trouble(f"{origin}: [{section}] has no {key}", "add it")
    if error["type"] == "extra_forbidden" and section in _KEYS:
        there = _KEYS[section]
        close = get_close_matches(key, there, n=1)
        remedy = f"did you mean {close[0]}?" if close else f"it has {', '.join(there)}"
        return Trouble(f"{origin}: there is no {key} in [{section}]", remedy)
    where = ".".join(str(part) for part in error["loc"])
    return Trouble(f"{origin}: {where}: {error['msg'].removeprefix('Value error, ')}", "mend that value")


def dump_target(target: Target) -> str:
    """Writes a target as the text of a target file, which `load_target` reads back."""
    data = target.model_dump(mode="json")
    top = {key: data.pop(key) for key in _TOP}
    return tomli_w.dumps({"target": top, **data})
