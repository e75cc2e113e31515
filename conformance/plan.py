"""What a run is going to do, said before it starts: what it verifies, how long it takes, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.matching.bursts import BURSTS, RACES
from conformance.requirements import Requirement
from conformance.stage import QUEUE_GROUPS
from harness.target import Target

_LACKING = {
    "secret": "the project's secret (jwt_secret under [identities])",
    "push": "push (push under [capabilities])",
    "turn": "TURN (turn under [capabilities])",
    "database": "the database (database_url under [capabilities])",
    "plan": "the ceilings of its plan (plan under [capabilities])",
    "crash": "a command that kills its server (crash under [capabilities])",
}
_SHOWN = 8
_OPENING, _TURN, _WIRE = 3.0, 1.5, 0.1
"""Seconds: to get into the target, and of one test, at the queue and at the wire (four of them at once)."""
_OF_BURSTS = RACES | {"MM-L6"}
_CROWDS = {"MM-S4": 13, "MM-S6": 46, "MM-S7": 36}
_CROWD = 3
"""Users of another test at the queue."""
_SHARING = 3
"""So many tests of the wire need one user more."""
_FEW = 10


def plan(target: Target, chosen: Sequence[Requirement]) -> list[str]:
    """The plan of a run, one sentence a line."""
    many = "requirement" if len(chosen) == 1 else "requirements"
    said = [f"{len(chosen)} {many} of {target.name}, in {target.time} time: about {_seconds(target, chosen)} s"]
    said += [
        f"not verified without {_LACKING[need]}: {_listed([r.id for r in chosen if need in r.needs])}"
        for need in _LACKING
        if need not in _given(target) and any(need in r.needs for r in chosen)
    ]
    return [*said, _left_behind(target, chosen)]


def _given(target: Target) -> set[str]:
    offers = target.capabilities
    given = {
        "secret": target.identities.jwt_secret,
        "push": offers.push,
        "turn": offers.turn,
        "database": offers.database_url,
        "plan": offers.plan != "none",
        "crash": offers.crash,
    }
    return {name for name, there in given.items() if there}


def _seconds(target: Target, chosen: Sequence[Requirement]) -> int:
    """An estimate: tests of the queue take turns, those of the wire run beside them, and waits pass side by side."""
    turns = len(_at_the_queue(chosen)) * _TURN
    wire = (len(chosen) - len(_at_the_queue(chosen))) * _WIRE
    waits = [_wait(target, requirement.id) for requirement in chosen]
    return round(_OPENING + max(turns, wire) + max(waits, default=0.0))


def _wait(target: Target, requirement: str) -> float:
    """Seconds of the target's own budgets that a requirement's test lets pass."""
    budgets = target.budgets
    match requirement:
        case "MM-L4":
            return budgets.queue_ttl
        case "MM-S5":  # an entry grows old in the rows, or by waiting
            return 0.0 if target.capabilities.database_url else budgets.queue_ttl
        case "MM-L5" | "DISC-1" | "DISC-2" | "DISC-4" | "DISC-5":
            return budgets.disconnect
        case "DISC-6":
            return budgets.idle + budgets.disconnect
        case "SEC-WS-21":
            return budgets.idle
        case "LIM-5" | "LIM-6":
            return budgets.join_window if target.capabilities.plan != "none" else 0.0
        case _:
            return 0.0


def _at_the_queue(chosen: Sequence[Requirement]) -> list[Requirement]:
    """The chosen tests that need a turn; those that are judged from the same bursts are one."""
    queue = [requirement for requirement in chosen if requirement.group in QUEUE_GROUPS]
    bursts = [requirement for requirement in queue if requirement.id in _OF_BURSTS]
    return [requirement for requirement in queue if requirement not in bursts[1:]]


def _left_behind(target: Target, chosen: Sequence[Requirement]) -> str:
    tidied = "their queue entries and sessions are ended when their tests end"
    match target.identities.mode:
        case "signup":
            return f"{_signed_up(chosen)}, whom an anon key cannot delete: they stay; {tidied}"
        case "jwt":
            return f"users are made up by tokens, and no account is made for them; {tidied}"
        case _:
            return f"the {len(target.identities.users)} listed users are used, and what they wrote stays; {tidied}"


def _signed_up(chosen: Sequence[Requirement]) -> str:
    """An estimate, to the nearest ten; tests of the wire share most of their users."""
    queue = _at_the_queue(chosen)
    crowds = [_CROWDS.get(requirement.id, _CROWD) for requirement in queue if requirement.id not in _OF_BURSTS]
    bursts = sum(burst.early + burst.size for burst in BURSTS) if len(crowds) < len(queue) else 0
    count = 1 + bursts + sum(crowds) + sum(requirement.group not in QUEUE_GROUPS for requirement in chosen) // _SHARING
    return f"some {round(count, -1)} users are signed up" if count >= _FEW else "a few users are signed up"


def _listed(ids: Sequence[str]) -> str:
    more = len(ids) - _SHOWN
    return ", ".join(ids[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
