"""Whether the target answered to the end of a history, or stopped: then what came after proves nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.history.op import FAIL, OK, Op, Via

SEVERAL = 3
"""So many calls at least, that found no connection, tell a target that is gone from a connection that broke."""
_CALLS = frozenset({Via.HTTP, Via.POLL})
_HEARD = frozenset({"push", "told", "signal_recv", "back", "heartbeat", "subscribe"})
"""What a socket tells only while there is somebody at its other end."""


def stopped_answering(ops: Sequence[Op]) -> str:
    """That the target stopped answering, and when; empty where it answered to the end, or hardly anybody asked.

    From some moment on nothing was answered, and several calls had no connection: it was refused, or broke. A target
    that is slow to the end lets calls time out, and is not meant. Calls under a fault that was made on purpose do not
    count.
    """
    if sum("unreached" in op.value for op in ops) < SEVERAL:
        return ""
    last = max((_answered(op) for op in ops), default=-math.inf)
    faults = [(op.t0, math.inf if op.t1 is None else op.t1) for op in ops if op.op == "fault"]
    after = [op for op in ops if op.via in _CALLS and (op.t1 is None or op.t1 > last)]
    after = [op for op in after if not any(start <= op.t0 <= end for start, end in faults)]
    unreached = sum("unreached" in op.value for op in after)
    if unreached < SEVERAL:
        return ""
    begun = min(op.t0 for op in ops)
    said = f"no answer to any of {len(after):,} calls, and no connection for {unreached:,} of them"
    if unreached == len(after):
        said = f"no connection for any of {unreached:,} calls"
    if last <= begun:
        return f"the target answered nothing: {said}"
    return f"the target stopped answering {last - begun:,.1f} s into the run: {said} after that"


def _answered(op: Op) -> float:
    """When an op shows that the target was there; -inf for most that do not."""
    if op.via in _CALLS:
        answered = op.outcome is OK or "status" in op.value or (op.outcome is FAIL and "unreached" not in op.value)
        return op.t1 if answered and op.t1 is not None else -math.inf
    if op.via is not Via.WS or op.op not in _HEARD or op.outcome is not OK:
        return -math.inf
    if op.op == "subscribe":  # one that never stood ends with its socket
        return op.t0 + float(op.value.get("ready") or op.value.get("reply") or 0.0)
    return op.t0 if op.t1 is None else op.t1
