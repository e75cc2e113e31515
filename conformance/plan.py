"""What a run is going to do, said before it starts: what it verifies, how long it takes, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.requirements import Requirement
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


def plan(target: Target, chosen: Sequence[Requirement]) -> list[str]:
    """The plan of a run, one sentence a line."""
    said = [f"{len(chosen)} requirements of {target.name}, in {target.time} time: about {_seconds(target, chosen)} s"]
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
    """An estimate: tests of the queue take turns, those of the wire run beside them; the longest wait is the TTL's."""
    turns = sum(requirement.group in {"MM", "SG", "DISC"} for requirement in chosen)
    budgets = target.budgets
    return round(10 + 3 * turns + len(chosen) / 10 + (budgets.queue_ttl + budgets.disconnect if turns else 0))


def _left_behind(target: Target, chosen: Sequence[Requirement]) -> str:
    tidied = "their queue entries and sessions are ended when their tests end"
    match target.identities.mode:
        case "signup":
            users = "some 300 users are signed up" if any(r.group == "MM" for r in chosen) else "users are signed up"
            return f"{users}, whom an anon key cannot delete: they stay; {tidied}"
        case "jwt":
            return f"users are made up by tokens, and no account is made for them; {tidied}"
        case _:
            return f"the {len(target.identities.users)} listed users are used, and what they wrote stays; {tidied}"


def _listed(ids: Sequence[str]) -> str:
    more = len(ids) - _SHOWN
    return ", ".join(ids[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
