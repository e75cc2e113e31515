"""Users who look for their match only when all is over: when it was made is then told by the database's rows."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from harness.history.op import OK, Op, Via


def looked_afterwards(ops: Sequence[Op]) -> bool:
    """Whether the load generator says so (the scenario `joins`)."""
    return any(op.op == "generator" and op.value.get("looks") == "afterwards" for op in ops)


def told_by_rows(ops: Sequence[Op]) -> list[Op]:
    """The history as if each member had been told of his session when it was made, by the ops `born`.

    A member knows of it when its row was made, and not before his own join was answered. Where no rows are told, only
    matches that an answer named have a time: what a late look showed is left out.
    """
    kept = [op for op in ops if op.op not in {"poll", "born"}]
    born = [op for op in ops if op.op == "born"]
    if not born:
        return [op for op in kept if op.op != "leave"]
    answered = {op.user: op.t1 for op in kept if op.op == "join" and op.t1 is not None and op.outcome is OK}
    return [_unnamed(op) for op in kept] + [
        Op(row.n, at, at, row.process, user, "d1", "push", OK, Via.DB, {"session": row.value["session"]})
        for row in born
        for user in (row.value["session"]["user1"], row.value["session"]["user2"])
        for at in (max(row.t0, answered.get(user, row.t0)),)
    ]


def _unnamed(op: Op) -> Op:
    """A join whose answer names no session: the row says when it was made."""
    if op.op != "join" or "session" not in op.value:
        return op
    return replace(op, value={key: value for key, value in op.value.items() if key != "session"})
