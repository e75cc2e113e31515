"""One op: something that a user called or saw, with when, and with what outcome."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from msgspec import Struct, field


class Outcome(StrEnum):
    """What became of a call: it took effect, it certainly did not, or nobody can tell."""

    OK = "ok"
    FAIL = "fail"
    INFO = "info"


OK, FAIL, INFO = Outcome.OK, Outcome.FAIL, Outcome.INFO
"""The same by their bare names: Python 3.11 takes ten times as long to find one in its class, and that once an op."""


class Via(StrEnum):
    """The way on which an op went or a fact came in."""

    HTTP = "http"
    WS = "ws"
    POLL = "poll"
    DB = "db"
    RTC = "rtc"
    SELF = "self"
    """Nothing was sent: the driver did it to itself (a closed tab, the drain at the end)."""


class Op(Struct, forbid_unknown_fields=True, gc=False):
    """One line of a history. Vary one with `msgspec.structs.replace`.

    Times are seconds of a monotonic clock that all processes of one machine share. `t1` is None only for a call
    that never came back; its outcome is then `info`. `due` is when an open-model arrival should have started.

    The `value` of each op kind (docs/history.md has the full table):

    - join: `{mode, token}` and, where the reply names one, `{session}`
    - enter: `{error}`, somebody could not enter; no user
    - leave: `{}`
    - subscribe: `{topic}` and `{ready}` seconds until the database subscription stood; unsubscribe: `{topic}`
    - poll: `{session}` or `{session: None}`; push: `{session, event}`
    - end: `{id}`, of a skip `{id, by: "skip", ended}`; told: `{id, by}` (he learned that session `id` is over)
    - disconnect: `{kind: "close" | "silent"}`; lost: `{reason}` (the socket broke); back: `{}`; heartbeat: `{}`
    - look: `{id, session}`, one session asked for by its id, whatever its status; `session` is None where it is hidden
    - status: `{state}`, where the target says the user stands: `waiting`, `matched`, `expired` or `idle`
    - entry: `{present}`, whether the user's queue row was there (his own row over REST, or any by database)
    - plays: `{persona}`, where personas are mixed
    - befriend: `{buddy}`, the two are accepted buddies from now on
    - probe: `{table, action, id, members, rows}`, somebody's attempt at rows: how many he saw or changed
    - signal_send: `{id, seq, type}`; signal_recv: `{id, sender, seq, type, message, by, channel}`
    - fetch: `{id, rows, session}`, all messages of a session and its row, so that none is missed
    - connect: `{id, role, stage, path, times}`, and `{network, nat, turn}` where the user lives and what arm he is in
    - mix: `{name, shares}`, what the kinds of NAT were drawn from; relay: `{turn, bytes}`, what the relays carried
    - generator: what a load generator noted of itself so far (`harness.checkers.generator`)
    - born: `{session}` at the moment when the database's row was made; no user
    - drain: `{}` from the last arrival to the end of waiting; fault: `{kind}` until it is over

    where `session` is `{id, user1, user2, status, offerer}`.
    """

    n: int
    t0: float
    t1: float | None
    process: str
    user: str
    device: str
    op: str
    outcome: Outcome
    via: Via
    value: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    due: float | None = None
