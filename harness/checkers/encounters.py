"""Encounters: what a run met that its scenario is there for (races, ghosts, storms, refusals), counted from its ops.

A scenario that met none of what it is for has shown nothing, however clean its history is.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from harness.checkers.timeline import SIGHTS, sighting_of
from harness.history.op import FAIL, OK, Op
from harness.results.finding import Judgement

ENCOUNTERS = {
    "leave_races": "a leave that was under way while somebody else joined",
    "matched_while_leaving": "a user who left, and was shown a session thereafter without having joined again",
    "lost_waiting": "a socket that was lost while its user waited",
    "lost_talking": "a socket that was lost while its user was in a session",
    "reconnected": "a lost socket that stood again",
    "vanished_waiting": "a user who vanished from the queue: a ghost",
    "vanished_talking": "a user who vanished from a session",
    "refused_joins": "a join that was answered 429",
    "friendships": "two users who became buddies",
    "skips": "a session that was skipped",
    "searches_again": "a user who searched once more",
}
"""What can be met, and what counts as one."""
_LOSSES = {"lost": "lost", "disconnect": "vanished"}
_TELLING = SIGHTS | _LOSSES.keys() | {"leave", "end", "told", "back", "befriend"}
"""Ops that have a part in any of them."""


def encounters_of(ops: Iterable[Op]) -> dict[str, int]:
    """How often each was met; those that were not are left out."""
    ordered = sorted((op for op in ops if op.op in _TELLING), key=lambda op: op.t0)
    met: Counter[str] = Counter()
    by_user: dict[str, list[Op]] = {}
    for op in ordered:
        if op.user:
            by_user.setdefault(op.user, []).append(op)
    for own in by_user.values():
        met.update(_of_user(own))
    met["leave_races"] = _leave_races([op for op in ordered if op.outcome is not FAIL])
    return {name: met[name] for name in ENCOUNTERS if met[name]}


def unmet(needs: Iterable[str], met: dict[str, int], judgement: Judgement) -> str:
    """What a scenario is for and the run has not met, in one sentence; empty where it met all.

    Args:
        needs: names of encounters, and ids of requirements that must have been put to the test.
        met: as `encounters_of` has it.
        judgement: says what was put to the test.
    """
    checked = {result.requirement: result.checked + len(result.findings) for result in judgement.results}
    missing = [need for need in needs if not (met.get(need) or checked.get(need))]
    said = [f"{need} ({ENCOUNTERS[need]})" if need in ENCOUNTERS else f"a case of {need}" for need in missing]
    return f"the scenario met nothing of what it is for: {', '.join(said)}" if said else ""


def needs_of(ops: Iterable[Op]) -> tuple[str, ...]:
    """What the generators said that their scenario is for."""
    notes = (op.value.get("needs") for op in ops if op.op == "generator")
    return tuple(dict.fromkeys(str(need) for note in notes if isinstance(note, list | tuple) for need in note))


def _of_user(ops: Sequence[Op]) -> Iterator[str]:
    """What one user met."""
    yield from _by_themselves(ops)
    yield from _in_a_search(ops)


def _by_themselves(ops: Sequence[Op]) -> Iterator[str]:
    """What single ops of a user tell."""
    joined = lost = False
    for op in ops:
        if op.op == "join":
            if op.value.get("status") == 429:
                yield "refused_joins"
            if op.outcome is not FAIL:
                if joined:
                    yield "searches_again"
                joined = True
        elif op.op == "end" and op.value.get("by") == "skip" and op.outcome is OK:
            yield "skips"
        elif op.op == "befriend" and op.outcome is OK:
            yield "friendships"
        elif op.op == "back" and lost:
            yield "reconnected"
        lost = op.op == "lost" or (lost and op.op != "back")


def _in_a_search(ops: Sequence[Op]) -> Iterator[str]:
    """What happened to a user while he waited, talked, or had just left."""
    doing = ""
    for op in ops:
        if doing in {"waiting", "talking"} and op.op in _LOSSES:
            yield f"{_LOSSES[op.op]}_{doing}"
        doing = _next(doing, op)
        sight = sighting_of(op) if doing in {"waiting", "left"} else None
        if sight is not None and sight.active:
            if doing == "left":
                yield "matched_while_leaving"
            doing = "talking"


def _next(doing: str, op: Op) -> str:
    """What a user is doing after an op: `waiting`, `talking`, `left`, or nothing."""
    if op.op == "join" and op.outcome is not FAIL:
        return "waiting"
    if op.op == "leave" and op.outcome is not FAIL and doing == "waiting":
        return "left"
    return "" if op.op in {"end", "told", "disconnect"} else doing


def _leave_races(ops: Sequence[Op]) -> int:
    """Leaves that overlap the join of another user in time."""
    joins = [op for op in ops if op.op == "join" and op.t1 is not None]
    starts = [op.t0 for op in joins]
    longest = max((op.t1 - op.t0 for op in joins if op.t1 is not None), default=0.0)
    races = 0
    for leave in ops:
        if leave.op != "leave" or leave.t1 is None:
            continue
        near = joins[bisect_left(starts, leave.t0 - longest) : bisect_left(starts, leave.t1)]
        races += any(join.user != leave.user and (join.t1 or join.t0) > leave.t0 for join in near)
    return races
