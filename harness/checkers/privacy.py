"""Privacy: MM-S9, what strangers could see or change."""

from __future__ import annotations

from harness.checkers.telling import Teller, short
from harness.checkers.timeline import Facts
from harness.history.op import FAIL, Op
from harness.results.finding import CheckResult

_DID = {"select": "was shown", "insert": "could add", "update": "could change", "delete": "could delete"}


def members_alone(facts: Facts) -> CheckResult:
    """MM-S9: sessions, messages and queue rows are seen and changed by their members alone.

    A `probe` says who tried what at which rows: `{table, action, id, members, rows}`. `members` are those who may
    (those of session `id` where it is left out); `rows` is how many rows he was shown or changed. A probe of which
    nobody knows whether it took effect, or that does not say how many rows it met, proves nothing.
    """
    teller = Teller(facts, "MM-S9")
    checked = 0
    for op in facts.kinds.get("probe", []):
        members = _members(facts, op)
        rows = op.value.get("rows", 0 if op.outcome is FAIL else None)
        if members is None or op.user in members or not isinstance(rows, int):
            continue
        checked += 1
        if rows > 0 and op.outcome is not FAIL:
            session = str(op.value.get("id") or "")
            seen = facts.sessions.get(session)
            who = f"user {short(op.user)}" if op.user else "somebody without a token"
            owners = " and ".join(short(member) for member in members)
            teller.find(
                f"{who}, who is not a member, {_DID.get(str(op.value.get('action')), 'reached')} {rows} "
                f"{'row' if rows == 1 else 'rows'} of {op.value.get('table')} that belong to {owners}",
                users=(op.user, *members) if op.user else members, sessions=(session,) if seen else (),
                at=op.t1 or op.t0, witness=(seen.first.op if seen else None, op),
            )  # fmt: skip
    detail = "" if checked else "no stranger tried to see or change anything"
    return CheckResult(requirement="MM-S9", checked=checked, findings=tuple(teller.findings), detail=detail)


def _members(facts: Facts, op: Op) -> tuple[str, ...] | None:
    """Who may do what the probe tried; None where nobody can tell."""
    stated = op.value.get("members")
    if isinstance(stated, list | tuple):
        return tuple(str(member) for member in stated)
    session = facts.sessions.get(str(op.value.get("id")))
    return None if session is None or session.muddled else session.members
