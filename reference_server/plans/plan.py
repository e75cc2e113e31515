"""The ceilings of each plan, as data with the source of each figure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PlanName = Literal["none", "free", "pro", "team"]

SOURCES = {
    "connections": "supabase.com/docs/guides/realtime/limits, concurrent clients; the design document, section 17",
    "messages_per_second": "supabase.com/docs/guides/realtime/limits, messages per second",
    "joins_per_second": "supabase.com/docs/guides/realtime/limits, channel joins per second",
    "channels_per_connection": "supabase.com/docs/guides/realtime/limits; TENANT_MAX_CHANNELS_PER_CLIENT",
    "presence_keys": "supabase.com/docs/guides/realtime/limits, presence keys per object (not enforced)",
    "presence_per_second": "supabase.com/docs/guides/realtime/limits, presence messages per second",
    "broadcast_kilobytes": "supabase.com/docs/guides/realtime/limits, broadcast payload size",
    "change_bytes": "supabase.com/docs/guides/realtime/limits, Postgres change payload size",
    "database_connections": "supabase.com/docs/guides/database/connection-management, nano and micro: 60 direct ones",
}
"""Where each figure is from. They are the provider's and change with time."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The ceilings of a plan; None is no ceiling.

    Rates are per second over a window (`RateCounter`). `connections` are sockets with a channel joined: they are
    counted at the join and not at the upgrade (PROTOCOL 1.8). Sizes: a broadcast's payload in kilobytes (of 1000
    bytes), a changed row in bytes.
    """

    name: PlanName
    connections: int | None
    messages_per_second: int | None
    joins_per_second: int | None
    channels_per_connection: int | None
    presence_keys: int | None
    presence_per_second: int | None
    broadcast_kilobytes: int
    change_bytes: int
    database_connections: int | None


PLANS: dict[PlanName, Plan] = {
    "none": Plan("none", None, None, None, None, None, None, 3000, 1_048_576, None),
    "free": Plan("free", 200, 100, 100, 100, 10, 20, 256, 1_048_576, 60),
    "pro": Plan("pro", 500, 500, 500, 100, 10, 50, 3000, 1_048_576, 60),
    "team": Plan("team", 10_000, 2500, 2500, 100, 10, 1000, 3000, 1_048_576, 60),
}
