"""The oracle: an exhaustive search that decides whether any world of a right target explains a small history.

A world gives each op an instant and each session a birth and perhaps an end. It must keep these rules, each of which
can be switched off:

    S1  nobody is in two active sessions
    S4  a session is born from the queue entries of both its members; a join makes an entry, if there is none
    S5  both members count as alive at its birth: their last sign of life is not older than TTL + tolerance
    S6  a leave takes the entry away
    S7  a birth takes both entries away, and who has joined gets no more sessions than he has made joins
    S8  a session that has ended is never shown active; it has ended where a member's end was accepted, where one was
        told so, and `match` after a member who had seen it joined anew

What a target may do besides: end a session when a member joins again, leaves or loses his connection, at once or up to
`match` later (a loss: for as long as it lasts). It ends no session of its own accord, except one that cannot be
explained otherwise: a session whose own sights, and its members' ops, fit no world without such an end, whichever one
rule is left aside. A member of whom the history holds no op is a stranger, who may have done anything before.

Every interval is closed and every condition a comparison of instants, so that some world has all its instants at ends
of intervals, if there is a world at all: the search goes from one such moment to the next and keeps all states that can
be reached. It takes time exponential in the number of ops under way at once, so it is for a dozen users.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import combinations

from msgspec.structs import replace

from harness.history.op import Op, Outcome, Via
from harness.target import Budgets

RULES = frozenset({"S1", "S4", "S5", "S6", "S7", "S8"})
UNBORN, ACTIVE, ENDED = 0, 1, 2
MOST_STATES = 500


class TooLarge(Exception):
    """The search gives up: too many worlds are possible side by side."""


@dataclass(frozen=True)
class State:
    """What a target knows at a moment, and which ops have happened."""

    entries: frozenset[str] = frozenset()
    status: tuple[int, ...] = ()
    done: frozenset[int] = frozenset()
    doomed: frozenset[tuple[int, int]] = frozenset()
    """(op, session): the join or leave may still end the session, which was there when it happened."""


@dataclass
class Problem:
    """A history as the search sees it."""

    ops: list[Op]
    budgets: Budgets
    rules: frozenset[str]
    sessions: list[str] = field(default_factory=list)
    members: list[frozenset[str]] = field(default_factory=list)
    known: list[float] = field(default_factory=list)
    restless: frozenset[str] = frozenset()
    """Sessions that the target may have ended of its own accord."""

    def __post_init__(self) -> None:
        self.shows: list[int | None] = []
        for op in self.ops:
            shown = _shown(op)
            if shown is not None and shown["id"] not in self.sessions:
                self.sessions.append(shown["id"])
                self.members.append(frozenset((shown["user1"], shown["user2"])))
                self.known.append(math.inf)
            self.shows.append(self.sessions.index(shown["id"]) if shown is not None else None)
        for op, at in zip(self.ops, self.shows, strict=True):
            if at is not None:
                self.known[at] = min(self.known[at], op.t1 if op.t1 is not None else op.t0)
        self.life = _life(self.ops, self.budgets)
        self.here = frozenset(op.user for op in self.ops)
        self.losses = {op.user: op.t0 for op in reversed(self.ops) if op.op == "disconnect"}
        self.begins = {at: op.t0 for at, op in enumerate(self.ops) if op.outcome is not Outcome.FAIL}
        self.ends = {at: _end(op) for at, op in enumerate(self.ops) if op.outcome is not Outcome.FAIL}
        self.must = frozenset(at for at in self.begins if self.ops[at].outcome is Outcome.OK)
        moments = {*self.begins.values(), *self.ends.values(), *self.known}
        moments |= {edge for spans in self.life.values() for span in spans for edge in span}
        moments |= {end + self.budgets.match for end in self.ends.values()}
        self.moments = sorted(moment for moment in moments if moment < math.inf)
        self.due = self._due() if "S8" in self.rules else {}

    def _due(self) -> dict[int, float]:
        """By session when it must be over because a member who knew it had joined anew."""
        due: dict[int, float] = {}
        for at, session in enumerate(self.sessions):
            for user in self.members[at]:
                sights = [op for op, s in zip(self.ops, self.shows, strict=True) if s == at and op.user == user]
                knew = min((_end(op) for op in sights), default=math.inf)
                for op in self.ops:
                    again = op.op == "join" and op.user == user and op.t0 > knew and op.outcome is Outcome.OK
                    if again and (_shown(op) or {}).get("id") != session:
                        due[at] = min(due.get(at, math.inf), _end(op) + self.budgets.match)
        return due


def feasible(problem: Problem) -> bool:
    """Whether there is a world that keeps the problem's rules."""
    states = {State(status=(UNBORN,) * len(problem.sessions))}
    for number, moment in enumerate(problem.moments):
        later = problem.moments[number + 1] if number + 1 < len(problem.moments) else math.inf
        states = _reachable(problem, states, moment)
        states = {state for state in states if _may_go_on(problem, state, moment, later)}
        if not states:
            return False
        if len(states) > MOST_STATES:
            raise TooLarge
    return True


def _reachable(problem: Problem, states: Iterable[State], moment: float) -> set[State]:
    """All states that events at this moment lead to."""
    under_way = [at for at, start in problem.begins.items() if start <= moment <= problem.ends[at]]
    found: set[State] = set()
    fresh = [_observed(problem, state, under_way) for state in states]
    while fresh:
        state = fresh.pop()
        if state not in found:
            found.add(state)
            fresh += [_observed(problem, after, under_way) for after in _steps(problem, state, moment, under_way)]
    return found


def _may_go_on(problem: Problem, state: State, moment: float, later: float) -> bool:
    """Whether what had to happen until now has happened."""
    over = {at for at, end in problem.ends.items() if end <= moment and at in problem.must}
    return (
        over <= state.done
        and all(state.status[at] for at, known in enumerate(problem.known) if known <= moment)
        and all(state.status[at] != ACTIVE for at, due in problem.due.items() if due < later and due <= moment)
    )


def _observed(problem: Problem, state: State, under_way: list[int]) -> State:
    """The state with all sights ticked off that are true in it; nothing is lost by doing that at once."""
    seen = [at for at in under_way if at not in state.done and _true(problem, state, at)]
    return State(state.entries, state.status, state.done.union(seen), state.doomed) if seen else state


def _true(problem: Problem, state: State, at: int) -> bool:
    """Whether an op that only looks may have looked at this state."""
    op, session = problem.ops[at], problem.shows[at]
    if op.op == "push":
        return session is not None and state.status[session] != UNBORN
    if op.op == "told":
        return op.value["id"] not in problem.sessions or state.status[problem.sessions.index(op.value["id"])] == ENDED
    if op.op == "poll" and session is not None:
        return state.status[session] == ACTIVE or ("S8" not in problem.rules and state.status[session] == ENDED)
    if op.op == "poll":
        return not any(state.status[s] == ACTIVE and op.user in who for s, who in enumerate(problem.members))
    return op.op not in {"join", "leave", "end"}


def _steps(problem: Problem, state: State, moment: float, under_way: list[int]) -> Iterator[State]:
    """What can happen next at this moment."""
    for at in under_way:
        if at not in state.done and problem.ops[at].op in {"join", "leave", "end"}:
            yield _called(problem, state, at)
    for at, status in enumerate(state.status):
        if status == UNBORN and moment <= problem.known[at] and _may_be_born(problem, state, at, moment):
            taken = problem.members[at] if "S7" in problem.rules else frozenset()
            yield State(state.entries - taken, _with(state.status, at, ACTIVE), state.done, state.doomed)
        if status == ACTIVE and _may_end(problem, state, at, moment):
            doomed = frozenset(pair for pair in state.doomed if pair[1] != at)
            yield State(state.entries, _with(state.status, at, ENDED), state.done, doomed)


def _called(problem: Problem, state: State, at: int) -> State:
    """A join, a leave or an end takes effect."""
    op = problem.ops[at]
    done = state.done | {at}
    if op.op == "end":
        where = problem.sessions.index(op.value["id"]) if op.value["id"] in problem.sessions else -1
        over = where >= 0 and state.status[where] == ACTIVE and op.user in problem.members[where]
        return State(state.entries, _with(state.status, where, ENDED) if over else state.status, done, state.doomed)
    mine = {(at, s) for s, who in enumerate(problem.members) if state.status[s] == ACTIVE and op.user in who}
    if op.op == "join":
        return State(state.entries | {op.user}, state.status, done, state.doomed | mine)
    entries = state.entries - {op.user} if "S6" in problem.rules else state.entries
    return State(entries, state.status, done, state.doomed | mine)


def _may_be_born(problem: Problem, state: State, at: int, moment: float) -> bool:
    who = problem.members[at] & problem.here
    if "S4" in problem.rules and not who <= state.entries:
        return False
    if "S7" in problem.rules and any(_has_enough(problem, state, user) for user in who):
        return False
    if "S1" in problem.rules and any(
        status == ACTIVE and problem.members[at] & problem.members[s] for s, status in enumerate(state.status)
    ):
        return False
    return "S5" not in problem.rules or all(
        any(start <= moment <= end for start, end in problem.life.get(user, ())) for user in who
    )


def _has_enough(problem: Problem, state: State, user: str) -> bool:
    """Whether a user who has joined has got a session for each of his joins."""
    joins = sum(problem.ops[at].op == "join" and problem.ops[at].user == user for at in state.done)
    born = sum(status != UNBORN and user in who for status, who in zip(state.status, problem.members, strict=True))
    return 0 < joins <= born


def _may_end(problem: Problem, state: State, at: int, moment: float) -> bool:
    late = problem.budgets.match
    return (
        problem.sessions[at] in problem.restless
        or any(problem.losses.get(user, math.inf) <= moment for user in problem.members[at])
        or any(session == at and moment <= problem.ends[op] + late for op, session in state.doomed)
    )


def _with(status: tuple[int, ...], at: int, new: int) -> tuple[int, ...]:
    return (*status[:at], new, *status[at + 1 :])


def _shown(op: Op) -> dict[str, str] | None:
    shown = op.value.get("session") if op.outcome is Outcome.OK and op.op in {"poll", "push", "join"} else None
    return shown if isinstance(shown, dict) else None


def _end(op: Op) -> float:
    return op.t1 if op.t1 is not None and op.outcome is Outcome.OK else math.inf


def _life(ops: list[Op], budgets: Budgets) -> dict[str, list[tuple[float, float]]]:
    """When each user may count as alive: from each thing he sent until TTL + tolerance after it was over."""
    lasts = budgets.queue_ttl + budgets.tolerance
    life: dict[str, list[tuple[float, float]]] = {}
    for op in ops:
        if op.via is not Via.SELF and op.op not in {"push", "told"}:
            end = math.inf if op.op == "join" and op.outcome is Outcome.INFO else (op.t1 or op.t0 + lasts) + lasts
            life.setdefault(op.user, []).append((op.t0, end))
    return life


# ------------------------------------------------------------------------------------------------------- the verdict


class Oracle:
    """What is certain of one history."""

    def __init__(self, ops: list[Op], budgets: Budgets) -> None:
        looks = [replace(op, op="poll", via=Via.POLL) for op in ops if op.op == "join" and _shown(op) is not None]
        self._ops = sorted([*ops, *looks], key=lambda op: op.t0)  # a join that names a session looks as well
        self._budgets = budgets
        self._restless = frozenset(_restless(self._ops, budgets))
        self._possible: dict[frozenset[str], bool] = {}

    @property
    def broken(self) -> bool:
        """Whether no world keeps all rules: the target is wrong for certain."""
        return not self.possible(RULES)

    def possible(self, rules: frozenset[str]) -> bool:
        """Whether some world keeps these rules."""
        if rules not in self._possible:
            self._possible[rules] = feasible(Problem(self._ops, self._budgets, rules, restless=self._restless))
        return self._possible[rules]

    def blames(self, rule: str) -> bool:
        """Whether the rule has a part in it: worlds that keep some other rules exist, none that keeps it as well."""
        others = sorted(RULES - {rule})
        return any(
            not self.possible(frozenset({*kept, rule})) and self.possible(frozenset(kept))
            for size in range(len(others), -1, -1)
            for kept in combinations(others, size)
        )


def _restless(ops: list[Op], budgets: Budgets) -> Iterator[str]:
    """Sessions that, each on its own, fit no world in which the target ends none of its own accord, and one else."""
    shown = {value["id"]: value for op in ops if (value := _shown(op)) is not None}
    for session, value in shown.items():
        who = {value["user1"], value["user2"]}
        alone = [op for op in ops if op.user in who and (_shown(op) is None or _shown(op) == value)]
        alone += [op for op in ops if op.user not in who and op.op == "told" and op.value["id"] == session]
        alone += [_unseen(op) for op in ops if op.user in who and _shown(op) not in (None, value) and op.op == "join"]
        alone.sort(key=lambda op: op.t0)
        lonely = frozenset({session})
        if any(
            not feasible(Problem(alone, budgets, kept)) and feasible(Problem(alone, budgets, kept, restless=lonely))
            for kept in (RULES, *(RULES - {rule} for rule in sorted(RULES)))
        ):
            yield session


def _unseen(op: Op) -> Op:
    return Op(op.n, op.t0, op.t1, op.process, op.user, op.device, op.op, op.outcome, op.via)
