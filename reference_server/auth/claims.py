"""Who a request speaks for: the verified claims of its token."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Claims:
    """The verified claims of a token.

    `role` is `anon` or `authenticated` (a token of any other role is refused); `sub` is None for the anon key;
    `expires_at` is Unix seconds; `raw` is the whole claim set, as PostgREST puts it into `request.jwt.claims`.
    """

    role: str
    sub: UUID | None
    expires_at: float
    raw: dict[str, Any] = field(default_factory=dict, hash=False, compare=False)
