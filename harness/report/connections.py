"""Connections as words: arms side by side, a map of the pairs of NATs for each, and what contradicts theory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

from harness.network.nat import HOMES
from harness.report.rows import NOTHING, Row, spread_text
from harness.results.connections import Arm, Connections, Contradiction, Interval, Level, NatPair
from harness.results.run import TargetFigures
from harness.results.spread import Spread

_NO_RESTART = (
    "aiortc has no ICE restart: a pair that comes back after a loss makes a new peer connection, and is counted as "
    "renegotiated."
)
_RELAYS = (
    "A relay is needed where the NATs leave no direct path, and used where a side chose a pair of candidates with one: "
    "each side chooses for itself, and may take a relay that nobody needs."
)
NOTES = (_NO_RESTART, _RELAYS)
"""What must be said of these figures."""


@dataclass(frozen=True, slots=True)
class Block:
    """Figures of one sort, one row each, with one cell for each arm."""

    title: str
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Cell:
    """The pairs of two kinds of NAT in one arm, in words; `percent` of them connected."""

    counts: str
    rate: str
    theory: str
    percent: int
    against: str
    """What contradicts theory; empty where nothing does."""

    @property
    def text(self) -> str:
        """It in one short line, without the rate."""
        return " · ".join(word for word in (self.counts, self.theory, self.against) if word)


@dataclass(frozen=True, slots=True)
class HeatMap:
    """The kinds of NAT of one arm against each other; each pair of kinds stands once, below the diagonal or on it."""

    turn: str
    kinds: list[str]
    rows: list[tuple[str, list[Cell | None]]]


@dataclass(frozen=True, slots=True)
class Doubt:
    """A pair that contradicts theory, in words."""

    session: str
    kinds: str
    turn: str
    theory: str
    stage: str
    detail: str


@dataclass(frozen=True, slots=True)
class ConnectionsView:
    """What a report says of one target's connections."""

    target: str
    summary: str
    arms: list[str]
    blocks: list[Block]
    maps: list[HeatMap]
    doubts: list[Doubt]


def connections_views(targets: Sequence[TargetFigures]) -> list[ConnectionsView]:
    """One for each target that has connections with an arm."""
    return [
        connections_view(target.name, target.connections)
        for target in targets
        if target.connections is not None and target.connections.arms
    ]


def connections_view(target: str, connections: Connections) -> ConnectionsView:
    """What a report says of these connections."""
    arms = connections.arms
    return ConnectionsView(
        target=target,
        summary=_summary(connections),
        arms=[arm_name(arm.turn) for arm in arms],
        blocks=[block for block in (_success(arms), _stages(arms), _paths(arms), _steps(arms)) if block.rows],
        maps=[_map(arm) for arm in arms if arm.nat_pairs],
        doubts=[_doubt(found) for found in connections.contradictions],
    )


def pair_rows(connections: Connections) -> list[Row]:
    """The maps as one table: a row for each pair of kinds, a cell for each arm."""
    by_arm = [{cell.kinds: _cell(cell).text for cell in arm.nat_pairs} for arm in connections.arms]
    kinds = sorted(set(chain.from_iterable(by_arm)), key=lambda pair: sorted(map(_rank, pair), reverse=True))
    return [
        Row(" – ".join(sorted(pair, key=_rank)), tuple(cells.get(pair, NOTHING) for cells in by_arm)) for pair in kinds
    ]


def arm_name(turn: str) -> str:
    """An arm in words: `no TURN`, `TURN over UDP`."""
    return "no TURN" if turn == "none" else f"TURN over {turn.upper()}"


def _summary(connections: Connections) -> str:
    words = [f"network {connections.network}"] if connections.network else []
    words += [f"mix {connections.mix}"] if connections.mix else []
    if connections.unmatched:
        words.append(f"{connections.unmatched:,} more pairs were never matched, and are in no arm")
    if connections.relay_bytes is not None:
        words.append(f"relays carried {connections.relay_bytes:,} bytes in all")
    return " · ".join(words)


def _success(arms: Sequence[Arm]) -> Block:
    rows = [
        _row("connected", arms, _connected, "of matched pairs: data went both ways; 95 % Wilson interval"),
        _row("theory of these pairs", arms, _expected, "by the NATs of both members"),
        _row("theory of the mix", arms, _mix, "share of all pairs that could be drawn"),
        _row("contradictions", arms, _contradictions, "an error of the harness or of its stack"),
        _row("network not tried", arms, _some(lambda arm: arm.untried), "ended before; theory has no say"),
        _row("one member alone", arms, _some(lambda arm: arm.alone), "nothing is known of the partner"),
        _row("relay needed", arms, _needed, "no direct path in theory"),
        _row("relay used", arms, lambda arm: f"{arm.relay_used:,} of {arm.connected:,} connected", "on either side"),
        _row("relays carried", arms, _carried, ""),
        _row("offers crossed", arms, _some(lambda arm: arm.glare), "glare, settled"),
        _row("renegotiated", arms, _some(lambda arm: arm.renegotiated), "a new peer connection after a loss"),
        _row("round trip", arms, lambda arm: _times(arm.quality.rtt_ms), "p50 / p95 / p99 / max, in ms"),
        _row("jitter", arms, lambda arm: _times(arm.quality.jitter_ms), "p50 / p95 / p99 / max, in ms"),
        _row("packet loss", arms, lambda arm: _level(arm.quality.loss, "{:.2%}"), "of members who received media"),
        _row("speech (MOS)", arms, lambda arm: _level(arm.quality.mos, "{:.2f}"), "estimated, 1 to 4.5"),
    ]
    return Block("by arm", _told(rows))


def _stages(arms: Sequence[Arm]) -> Block:
    stages = sorted({stage for arm in arms for stage in arm.failures_by_stage})

    def failed(stage: str) -> Row:
        return _row(stage, arms, _some(lambda arm: arm.failures_by_stage.get(stage, 0)))

    return Block("failed pairs, by the stage that explains both sides", [failed(stage) for stage in stages])


def _paths(arms: Sequence[Arm]) -> Block:
    by_arm = [
        {path.types: f"{path.pairs:,} = {_rate(path.share, path.interval_95)}" for path in arm.path_types}
        for arm in arms
    ]
    types = sorted(set(chain.from_iterable(by_arm)))
    rows = [Row(" / ".join(both), tuple(cells.get(both, NOTHING) for cells in by_arm)) for both in types]
    return Block("candidate types of connected pairs", rows)


def _steps(arms: Sequence[Arm]) -> Block:
    steps = list(dict.fromkeys(step for arm in arms for step in arm.steps_ms))

    def reached(step: str) -> Row:
        return _row(step.replace("_", " "), arms, lambda arm: _times(arm.steps_ms.get(step, Spread())))

    title = "from the match to each step: p50 / p95 / p99 / max in ms (members who reached it)"
    return Block(title, [reached(step) for step in steps])


def _map(arm: Arm) -> HeatMap:
    cells = {cell.kinds: _cell(cell) for cell in arm.nat_pairs}
    kinds = sorted({kind for pair in cells for kind in pair}, key=_rank)
    rows = [
        (kind, [cells.get((min(kind, other), max(kind, other))) for other in kinds[: number + 1]])
        for number, kind in enumerate(kinds)
    ]
    return HeatMap(arm_name(arm.turn), kinds, rows)


def _cell(pair: NatPair) -> Cell:
    against = f"{pair.contradictions:,} against theory" if pair.contradictions else ""
    return Cell(
        counts=f"{pair.connected:,} of {pair.attempted:,}",
        rate=_rate(pair.success_rate, pair.interval_95),
        theory=_theory(pair.connects, pair.needs_relay),
        percent=round(100 * pair.success_rate),
        against=against,
    )


def _theory(connects: bool | None, needs_relay: bool | None) -> str:
    if connects is None:
        return ""
    if not connects:
        return "cannot connect"
    return "needs a relay" if needs_relay else "connects"


def _doubt(found: Contradiction) -> Doubt:
    return Doubt(
        session=found.session,
        kinds=" – ".join(found.kinds),
        turn=arm_name(found.turn),
        theory="connects" if found.expected else "cannot connect",
        stage=found.stage,
        detail=found.detail,
    )


def _row(label: str, arms: Sequence[Arm], cell: Callable[[Arm], str], hint: str = "") -> Row:
    return Row(label, tuple(cell(arm) for arm in arms), hint)


def _told(rows: Sequence[Row]) -> list[Row]:
    """Without the rows that no arm has a figure for."""
    return [row for row in rows if any(cell != NOTHING for cell in row.cells)]


def _some(count: Callable[[Arm], int]) -> Callable[[Arm], str]:
    return lambda arm: f"{count(arm):,}" if count(arm) else NOTHING


def _connected(arm: Arm) -> str:
    if arm.success_rate is None or arm.interval_95 is None:
        return NOTHING
    return f"{arm.connected:,} of {arm.attempted:,} = {_rate(arm.success_rate, arm.interval_95)}"


def _expected(arm: Arm) -> str:
    theory = arm.theory
    if not theory.pairs:
        return NOTHING
    return f"{theory.expected:,} of {theory.pairs:,} should, {theory.connected:,} did"


def _contradictions(arm: Arm) -> str:
    return f"{arm.contradictions:,}" if arm.theory.pairs else NOTHING


def _mix(arm: Arm) -> str:
    rate, within = arm.theory.mix_rate, arm.theory.mix_in_interval
    if rate is None:
        return NOTHING
    return f"{rate:.2%}, {'within' if within else 'outside'} the interval"


def _needed(arm: Arm) -> str:
    return f"{arm.theory.relay_needed:,} of {arm.theory.pairs:,} pairs" if arm.theory.pairs else NOTHING


def _carried(arm: Arm) -> str:
    return NOTHING if arm.relay_bytes is None else f"{arm.relay_bytes:,} bytes"


def _times(spread: Spread) -> str:
    return f"{spread_text(spread)} ({spread.count:,})" if spread.count else NOTHING


def _level(level: Level, form: str) -> str:
    if level.median is None or level.worst is None:
        return NOTHING
    return f"median {form.format(level.median)}, worst {form.format(level.worst)} ({level.count:,})"


def _rate(rate: float, interval: Interval) -> str:
    return f"{rate:.1%} ({interval[0]:.1%}–{interval[1]:.1%})"


def _rank(kind: str) -> tuple[int, str]:
    """From the most open to the most closed, as `HOMES` has them; others at the end."""
    order = list(HOMES)
    return (order.index(kind) if kind in order else len(order), kind)
