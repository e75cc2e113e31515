"""The generator guards itself: what its processes noted of themselves, and whether that leaves their figures worth."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from harness.history.op import Op
from harness.results.generator import GeneratorHealth
from harness.target import Budgets

BUSY = 0.95
"""A process whose CPU share is above this had no time left to be punctual."""
DROPPED = 0.01
"""So large a share of the offered users may have been dropped by processes that were there."""
LOST = 0.5
"""So large a share of the offered users may have been lost with their process."""
GENERATOR_LOST = "the generator was lost"
"""The reason of a `lost` that befell a user because his own process was killed, or out of reach."""


def health_of(ops: Iterable[Op], budgets: Budgets, kept_out: int = 0) -> GeneratorHealth | None:
    """How the generator did, by the last `generator` op of each process; None where none was noted.

    Args:
        ops: the history, or the notes in it.
        budgets: say how late a loop may be.
        kept_out: users who could not enter the target; the generator is not to blame for them.
    """
    last: dict[str, dict[str, Any]] = {}
    for op in sorted((op for op in ops if op.op == "generator"), key=lambda op: op.t1 or op.t0):
        last[op.process] = op.value
    if not last:
        return None
    notes = list(last.values())
    health = GeneratorHealth(
        workers=len(notes),
        model="closed" if any(note.get("closed") for note in notes) else "open",
        arrivals=str(notes[0].get("arrivals", "")),
        mix={name: says for note in notes for name, says in dict(note.get("mix") or {}).items()},
        offered=sum(int(note.get("offered", 0)) for note in notes),
        started=sum(int(note.get("started", 0)) for note in notes),
        dropped=sum(int(note.get("dropped", 0)) for note in notes),
        kept_out=kept_out,
        lost_workers=sum("lost" in note for note in notes),
        lost=sum(int(note.get("lost", 0)) for note in notes),
        **{
            name: round(max(float(note.get(name, 0.0)) for note in notes), 3)
            for name in ("latest_ms", "loop_lag_p99_ms", "loop_lag_max_ms", "cpu", "memory_mb")
        },
        kb_per_user=max((round(float(kb), 1) for note in notes if (kb := note.get("kb_per_user"))), default=None),
    )
    return health.model_copy(update={"trouble": _trouble(health, budgets.generator_lag * 1000)})


def _trouble(health: GeneratorHealth, lag_ms: float) -> str:
    """What is past its bound."""
    said = []
    if health.loop_lag_p99_ms > lag_ms:
        said.append(f"its loop lagged {health.loop_lag_p99_ms:,.0f} ms at p99 (bound {lag_ms:,.0f} ms)")
    if health.cpu > BUSY:
        said.append(f"a process of it used {health.cpu:.0%} of a core (bound {BUSY:.0%})")
    offered, dropped = health.offered - health.lost, health.dropped - health.lost - health.kept_out
    if dropped > DROPPED * offered:
        said.append(f"{dropped:,} of {offered:,} arrivals found no room (bound {DROPPED:.0%})")
    if health.lost > LOST * health.offered:
        said.append(
            f"{health.lost:,} of {health.offered:,} arrivals were lost with {health.lost_workers} of "
            f"{health.workers} processes (bound {LOST:.0%})"
        )
    return f"the generator measured itself: {', '.join(said)}" if said else ""


def kept_out_of(health: GeneratorHealth) -> str:
    """That too many users could not enter the target; empty where hardly anybody was kept out."""
    if health.kept_out <= DROPPED * health.offered:
        return ""
    return f"{health.kept_out:,} of {health.offered:,} users could not enter the target (bound {DROPPED:.0%})"
