"""What became of the connections of a history, each arm beside the theory of NATs; pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from harness.checkers.statistics import level, spread_ms, wilson_95, wilson_of_trials
from harness.errors import Trouble
from harness.history.op import OK, Op
from harness.network.mix import Mix
from harness.network.nat import HOMES, NatKind, Turn, in_a_row
from harness.network.theory import connects, needs_relay, success_rate
from harness.peer.result import PairResult, PeerResult, pair_result
from harness.peer.spans import Step
from harness.peer.stage import Role, Stage
from harness.results.connections import Arm, Connections, Contradiction, NatPair, PathType, Quality, Theory

UNKNOWN = "unknown"
_UNTRIED = {
    UNKNOWN, Stage.MATCH.value, Stage.ABORTED.value, Stage.SIGNALLING_LOST.value, Stage.SIGNALLING_DOUBLED.value,
    Stage.SIGNALLING_REORDERED.value, Stage.SIGNALLING_BROKEN.value,
}  # fmt: skip
"""A pair that ended here never put its NATs to the test. `unknown`: a member's attempt was cut off with the run."""
_KINDS: dict[str, NatKind] = {name: in_a_row(home, name) for name, home in HOMES.items()}


def connections_of(ops: Iterable[Op]) -> Connections | None:
    """The connections of one target's history, or None where nobody tried to connect.

    All `connect` ops of one session id are one pair. It is connected when two different members say so, and it is in
    the arm (`turn`) and behind the NATs (`nat`) that they name. An op `mix` (`name`, `shares` by kind) tells what
    the kinds were drawn from, ops `relay` (`turn`, `bytes`) what the relays carried.
    """
    ops = list(ops)
    pairs = _pairs(op for op in ops if op.op == "connect" and op.value.get("id"))
    if not pairs:
        return None
    made = [pair for pair in pairs if pair.stage != Stage.MATCH]
    mix, carried = _mix(ops), _carried(ops)
    networks = {str(pair.members[0].value.get("network") or "") for pair in made} - {""}
    return Connections(
        network=", ".join(sorted(networks)),
        mix=mix.name if mix is not None else "",
        unmatched=len(pairs) - len(made),
        relay_bytes=sum(carried.values()) if carried else None,
        arms=tuple(
            _arm(turn, [pair for pair in made if pair.turn == turn], mix, carried.get(turn))
            for turn in sorted({pair.turn for pair in made}, key=_place)
        ),
        contradictions=tuple(found for pair in made if (found := pair.contradiction) is not None),
    )


@dataclass(frozen=True)
class _Pair:
    """One session, with one op of each of its members (one or two), in the order of their starts."""

    session: str
    members: tuple[Op, ...]

    @cached_property
    def views(self) -> list[PeerResult | None]:
        return [_view(op) for op in self.members]

    @cached_property
    def turn(self) -> str:
        return str(self.members[0].value.get("turn") or Turn.NONE.value)

    @cached_property
    def kinds(self) -> tuple[str, str]:
        named = [str(op.value.get("nat") or "") or UNKNOWN for op in self.members]
        first, second = sorted([*named, UNKNOWN][:2])
        return first, second

    @cached_property
    def result(self) -> PairResult | None:
        """What both views together say; None where one is missing."""
        views = [view for view in self.views if view is not None]
        return pair_result(views[0], views[1]) if len(views) == 2 else None

    @cached_property
    def stage(self) -> str:
        """What explains both members' stages; one who says nothing explains nothing."""
        if self.result is not None:
            return self.result.stage.value
        known = [view.stage for view in self.views if view is not None]
        if Stage.CONNECTED in known:
            return Stage.ONE_SIDED.value
        return known[0].value if known and len(self.members) == 1 else UNKNOWN

    @property
    def connected(self) -> bool:
        return self.stage == Stage.CONNECTED.value

    @cached_property
    def expected(self) -> bool | None:
        """What theory says; None where it does not know the pair."""
        known = _known(self.kinds, self.turn)
        return connects(*known) if known is not None else None

    @property
    def untried(self) -> bool:
        """Whether it ended before it tried the network, or was cut off while it did."""
        return not self.connected and (self.stage in _UNTRIED or None in self.views)

    @property
    def contradiction(self) -> Contradiction | None:
        """A side that is connected had its data go both ways, which theory denies; or a pair that should, did not."""
        through = any(view is not None and view.connected for view in self.views)
        missed = self.expected is True and not self.connected and not self.untried
        if not missed and not (self.expected is False and through):
            return None
        told = dict.fromkeys(view.detail for view in self.views if view is not None and view.detail)
        return Contradiction(
            session=self.session, kinds=self.kinds, turn=self.turn, expected=self.expected is True, stage=self.stage,
            detail="; ".join(told),
        )  # fmt: skip

    @cached_property
    def types(self) -> tuple[str, str]:
        """The candidate types in use, in the order of their names; of a connected pair."""
        told = self.result.types if self.result is not None else ("", "")
        first, second = sorted(word or UNKNOWN for word in told)
        return first, second


def _pairs(ops: Iterable[Op]) -> list[_Pair]:
    """One op for each member: that of a connected attempt before others, then the earliest."""
    by_session: dict[str, dict[str, Op]] = {}
    for op in sorted(ops, key=lambda op: (op.outcome is not OK, op.t0, op.n)):
        by_session.setdefault(str(op.value["id"]), {}).setdefault(op.user, op)
    chosen = {session: list(members.values())[:2] for session, members in by_session.items()}
    return [_Pair(session, tuple(sorted(ops, key=lambda op: (op.t0, op.n)))) for session, ops in chosen.items()]


def _view(op: Op) -> PeerResult | None:
    """One member's view; None where the op does not tell how it ended."""
    try:
        stage = Stage.CONNECTED if op.outcome is OK else Stage(op.value.get("stage", ""))
    except ValueError:
        return None
    if stage is Stage.CONNECTED and op.outcome is not OK:
        return None
    role = Role.OFFERER if op.value.get("role") == Role.OFFERER.value else Role.ANSWERER
    return PeerResult(role, stage, str(op.value.get("detail") or ""), str(op.value.get("path") or ""))


def _arm(turn: str, pairs: Sequence[_Pair], mix: Mix | None, carried: int | None) -> Arm:
    members = [op.value for pair in pairs for op in pair.members]
    through = [pair for pair in pairs if pair.connected]
    interval = wilson_95(len(through), len(pairs))
    return Arm(
        turn=turn,
        attempted=len(pairs),
        connected=len(through),
        success_rate=round(len(through) / len(pairs), 4),
        interval_95=interval,
        theory=_theory(pairs, _rate(mix, turn), interval),
        contradictions=sum(pair.contradiction is not None for pair in pairs),
        untried=sum(pair.untried for pair in pairs),
        alone=sum(len(pair.members) == 1 for pair in pairs),
        relay_used=sum("relay" in pair.types for pair in through),
        relay_bytes=carried,
        glare=sum(any(op.value.get("glare") for op in pair.members) for pair in pairs),
        renegotiated=sum(any(_number(op.value, "attempt", 1) > 1 for op in pair.members) for pair in pairs),
        failures_by_stage=dict(sorted(Counter(pair.stage for pair in pairs if not pair.connected).items())),
        nat_pairs=_nat_pairs(pairs),
        path_types=_path_types(through),
        steps_ms=_steps(members),
        quality=_quality(members),
    )


def _theory(pairs: Sequence[_Pair], mix_rate: float | None, interval: tuple[float, float] | None) -> Theory:
    known = [pair for pair in pairs if pair.expected is not None]
    return Theory(
        pairs=len(known),
        connected=sum(pair.connected for pair in known),
        expected=sum(pair.expected is True for pair in known),
        relay_needed=sum(bool(_relay_needed(pair.kinds, pair.turn)) for pair in known),
        mix_rate=mix_rate,
        mix_in_interval=None if mix_rate is None or interval is None else interval[0] <= mix_rate <= interval[1],
    )


def _nat_pairs(pairs: Sequence[_Pair]) -> tuple[NatPair, ...]:
    """One for each pair of kinds of which at least one is known."""
    by_kinds: dict[tuple[str, str], list[_Pair]] = {}
    for pair in pairs:
        if pair.kinds != (UNKNOWN, UNKNOWN):
            by_kinds.setdefault(pair.kinds, []).append(pair)
    return tuple(_nat_pair(kinds, by_kinds[kinds]) for kinds in sorted(by_kinds))


def _nat_pair(kinds: tuple[str, str], pairs: Sequence[_Pair]) -> NatPair:
    connected = sum(pair.connected for pair in pairs)
    return NatPair(
        kinds=kinds,
        attempted=len(pairs),
        connected=connected,
        success_rate=round(connected / len(pairs), 4),
        interval_95=wilson_of_trials(connected, len(pairs)),
        connects=pairs[0].expected,
        needs_relay=_relay_needed(kinds, pairs[0].turn),
        contradictions=sum(pair.contradiction is not None for pair in pairs),
    )


def _path_types(connected: Sequence[_Pair]) -> tuple[PathType, ...]:
    counted = Counter(pair.types for pair in connected)
    return tuple(
        PathType(
            types=types,
            pairs=count,
            share=round(count / len(connected), 4),
            interval_95=wilson_of_trials(count, len(connected)),
        )
        for types, count in sorted(counted.items())
    )


def _steps(members: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """By step in the order of a handshake; the match itself, from which all count, is left out."""
    times = [value["times"] for value in members if isinstance(value.get("times"), Mapping)]
    reached = {
        step.value: [float(one[step.value]) for one in times if step.value in one]
        for step in Step
        if step is not Step.MATCHED
    }
    return {step: spread_ms(seconds) for step, seconds in reached.items() if seconds}


def _quality(members: Sequence[Mapping[str, Any]]) -> Quality:
    told = {
        name: [_number(value, name) for value in members if value.get(name) is not None]
        for name in ("rtt", "jitter", "loss", "mos")
    }
    return Quality(
        rtt_ms=spread_ms(told["rtt"]), jitter_ms=spread_ms(told["jitter"]),
        loss=level(told["loss"], max), mos=level(told["mos"], min),
    )  # fmt: skip


def _known(kinds: tuple[str, str], turn: str) -> tuple[NatKind, NatKind, Turn] | None:
    """What theory needs to know of a pair."""
    if turn not in set(Turn) or not set(kinds) <= _KINDS.keys():
        return None
    return _KINDS[kinds[0]], _KINDS[kinds[1]], Turn(turn)


def _relay_needed(kinds: tuple[str, str], turn: str) -> bool | None:
    known = _known(kinds, turn)
    return needs_relay(known[0], known[1]) if known is not None else None


def _rate(mix: Mix | None, turn: str) -> float | None:
    if mix is None or turn not in set(Turn):
        return None
    return round(success_rate(mix.shares, Turn(turn)), 4)


def _mix(ops: Iterable[Op]) -> Mix | None:
    """The mix that the history tells of; None where there is none, or one that cannot be read."""
    told = next((op.value for op in ops if op.op == "mix"), None)
    if told is None:
        return None
    try:
        return Mix.of(str(told.get("name", "")), {"shares": told.get("shares")})
    except Trouble:
        return None


def _carried(ops: Iterable[Op]) -> dict[str, int]:
    """The bytes of the relays by arm; under an empty name where an op does not tell the arm."""
    carried: Counter[str] = Counter()
    for op in ops:
        if op.op == "relay":
            carried[str(op.value.get("turn") or "")] += int(_number(op.value, "bytes"))
    return dict(carried)


def _number(value: Mapping[str, Any], name: str, default: float = 0.0) -> float:
    number = value.get(name, default)
    return float(number) if isinstance(number, int | float) and math.isfinite(number) else default


def _place(turn: str) -> tuple[int, str]:
    """Arms stand in the order of `Turn`, those that it does not know at the end."""
    return (list(Turn).index(Turn(turn)) if turn in set(Turn) else len(Turn), turn)
