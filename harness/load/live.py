"""What a run shows while it is under way: rates, waits, notices, stages, and the findings so far."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from harness.checkers.figures import pairs_of
from harness.checkers.judge import judge
from harness.checkers.timeline import sighting_of
from harness.history.op import Op, Outcome
from harness.load.series import Series
from harness.results.finding import Finding
from harness.target import Budgets, Capabilities

KEEP = 150_000
"""Ops that are judged at most; of more, those of the users who did something longest ago are forgotten."""
_SHOWN = 100
STAGES = ("told by push or poll", "offer received", "answer received", "ICE", "DTLS", "data both ways")
"""How far a pair comes; the last three are of pairs with real WebRTC peers."""
_WAYS = {"push": "push", "poll": "poll"}


class Live:
    """Takes ops as they end, and says what they show. The charts cost what is new; judging costs what is kept.

    Args:
        budgets: of the target, in seconds.
        capabilities: of the target.
        fresh_users: as `judge` wants to know.
    """

    def __init__(self, budgets: Budgets, capabilities: Capabilities, *, fresh_users: bool = True) -> None:
        self._terms = (budgets, capabilities, fresh_users)
        self._ops: list[Op] = []
        self._forgotten: set[str] = set()
        self._origin: float | None = None
        self._until = 0.0
        self.series = Series()
        self._waiting: set[str] = set()
        self._seen: set[tuple[str, str]] = set()
        self._born: dict[str, float] = {}
        self._reached: dict[str, set[str]] = {stage: set() for stage in STAGES}
        self._connects: list[Op] = []
        self._counts: Counter[str] = Counter()
        self._findings: dict[tuple[str, tuple[str, ...], tuple[str, ...]], Finding] = {}
        self._wrong: set[str] = set()
        self._cost = 0.0
        self._judged = 0

    def take(self, ops: Sequence[Op], until: float) -> None:
        """Takes the ops that have ended, up to a moment of the history's clock."""
        if self._origin is None and ops:
            self._origin = min(op.t0 for op in ops)
        for op in ops:
            self._note(op)
        self._ops += (op for op in ops if op.user not in self._forgotten)
        self._until = max(self._until, min(until, max((op.t1 or op.t0 for op in ops), default=self._until)))

    # ------------------------------------------------------------ what the charts show

    def _note(self, op: Op) -> None:
        at = (op.t1 or op.t0) - (self._origin or 0.0)
        if op.op == "join" and op.outcome is not Outcome.FAIL and op.user not in self._waiting:
            self._counts["joins"] += 1
            self._waiting.add(op.user)
            self.series.add("waiting", op.t0 - (self._origin or 0.0))
        elif op.op in {"leave", "disconnect", "lost"}:
            self._waits_no_more(op.user, at)
        elif op.op == "connect":
            self._connects.append(op)
            self._steps(op)
        elif op.op == "signal_recv" and op.value.get("type") in {"offer", "answer"}:
            self._reached[f"{op.value['type']} received"].add(str(op.value.get("id")))
        sight = sighting_of(op)
        if sight is None:
            return
        if sight.session not in self._born:
            self._born[sight.session] = at
            self.series.add("matches", at)
        if op.user in sight.members and (op.user, sight.session) not in self._seen:
            self._seen.add((op.user, sight.session))
            way = _WAYS.get(op.op, "reply")
            self._counts[way] += 1
            self.series.add(way, at)
            self._waits_no_more(op.user, at)
            if all((member, sight.session) in self._seen for member in sight.members):
                self._reached["told by push or poll"].add(sight.session)

    def _waits_no_more(self, user: str, at: float) -> None:
        if user in self._waiting:
            self._waiting.discard(user)
            self.series.add("waiting", at, -1)

    def _steps(self, op: Op) -> None:
        session, times = str(op.value.get("id")), op.value.get("times") or {}
        for step, stage in (("ice", "ICE"), ("dtls", "DTLS"), ("connected", "data both ways")):
            if step in times:
                self._reached[stage].add(session)

    # ------------------------------------------------------------ what the checkers say

    def judge(self, more: Iterable[Op]) -> None:
        """Runs the checkers over what has ended and what is under way.

        What they found before stays found where the users have been forgotten whom it was found of.
        """
        began = time.process_time()
        self._forget()
        budgets, capabilities, fresh = self._terms
        ops = [*self._ops, *(op for op in more if op.user not in self._forgotten)]
        judgement = judge(ops, budgets, capabilities, fresh_users=fresh)
        if not self._forgotten:
            self._findings = {}
        for result in judgement.results:
            for found in result.findings:
                self._findings.setdefault((found.requirement, found.users, found.sessions), found)
                if found.requirement.startswith("MM-S"):
                    self._mark(found.sessions)
        self._judged = len(ops)
        self._cost = time.process_time() - began

    @property
    def cost(self) -> float:
        """Seconds of CPU time that judging took last."""
        return self._cost

    @property
    def ops(self) -> Sequence[Op]:
        """What is kept of what has ended."""
        return self._ops

    def _mark(self, sessions: Iterable[str]) -> None:
        """Takes sessions that break a safety requirement out of the correct matches."""
        for session in set(sessions) - self._wrong:
            if session in self._born:
                self._wrong.add(session)
                self.series.add("wrong", self._born[session])

    def _forget(self) -> None:
        """Forgets whole users: for the checkers they become strangers, who explain much and are accused of nothing."""
        if len(self._ops) <= KEEP:
            return
        latest: dict[str, float] = {}
        sizes: Counter[str] = Counter()
        for op in self._ops:
            latest[op.user] = op.t0
            sizes[op.user] += 1
        left = len(self._ops)
        for user in sorted((user for user in latest if user), key=latest.__getitem__):
            if left <= KEEP * 0.7:
                break
            self._forgotten.add(user)
            left -= sizes[user]
        self._ops = [op for op in self._ops if op.user not in self._forgotten]

    # ------------------------------------------------------------ what is shown

    def snapshot(self) -> dict[str, Any]:
        """Everything as JSON can say it. Times are in seconds since the run began."""
        found = sorted(self._findings.values(), key=lambda finding: finding.at, reverse=True)
        pairs = pairs_of(self._connects)
        return {
            "seconds": round(self._until - (self._origin or 0.0), 3),
            "joins": self._counts["joins"], "waiting": len(self._waiting),
            "matches": len(self._born), "correct": len(self._born) - len(self._wrong),
            "told": {way: self._counts[way] for way in ("push", "poll", "reply")},
            "series": self.series.shown(),
            "stages": [[stage, len(self._reached[stage])] for stage in STAGES],
            "pairs": {"attempted": pairs.attempted, "connected": pairs.connected, "failures": pairs.failures_by_stage},
            "violations": dict(sorted(Counter(finding.requirement for finding in found).items())),
            "findings": [
                [one.requirement, one.sentence, round(one.at - (self._origin or 0.0), 3)] for one in found[:_SHOWN]
            ],
            "judged": {"ops": self._judged, "seconds": round(self._cost, 3), "forgotten": len(self._forgotten)},
        }  # fmt: skip
