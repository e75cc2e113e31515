"""Thousands of pairs on the virtual network: every one as theory says, and memory that levels off."""

from __future__ import annotations

import os
import time
from pathlib import Path

import orjson
import psutil

from harness.actor.virtual_pairs import Tally, run_virtual_pairs
from harness.network.mix import presets
from harness.network.nat import Turn
from tests.stress.levels import Bound, rises, thirds

PAIRS = int(os.environ.get("VIRTUAL_PAIRS", "2000"))
MEMORY = Bound(0.05, 8_000_000)
"""Bytes."""


def test_every_pair_is_as_in_theory_and_memory_levels_off(folder: Path) -> None:
    """Pairs of all mixes, with the four arms interleaved: no contradiction, and no memory kept of those that are over.

    The seconds of the processor are told, not judged.
    """
    process, samples = psutil.Process(), list[float]()

    def sample(tally: Tally) -> None:
        if tally.attempted.total() % max(1, PAIRS // 120) == 0:
            samples.append(float(process.memory_info().rss))

    began, wall = time.process_time(), time.monotonic()
    tally = run_virtual_pairs(list(presets().values()), list(Turn), pairs=PAIRS, seed=6, progress=sample)
    spent, levels = time.process_time() - began, thirds(samples)
    report = {
        "pairs": PAIRS, "cpu_seconds": round(spent, 1), "wall_seconds": round(time.monotonic() - wall, 1),
        "cpu_ms_per_pair": round(1000 * spent / PAIRS, 1), "resident_bytes": levels, "samples": samples,
        "relayed": tally.relayed, "stages": {stage.value: count for stage, count in tally.stages.items()},
        "arms": {
            f"{mix} {turn}": {"attempted": count, "connected": tally.connected[mix, turn],
                              "expected": tally.expected[mix, turn]}
            for (mix, turn), count in sorted(tally.attempted.items())
        },
    }  # fmt: skip
    (folder / "samples.json").write_bytes(orjson.dumps(report, option=orjson.OPT_INDENT_2))
    print({name: one for name, one in report.items() if name != "samples"})  # noqa: T201  shown with -s
    assert tally.contradictions == []
    assert tally.attempted.total() == PAIRS
    assert tally.connected == tally.expected
    assert not rises(levels, MEMORY), f"{levels[0]:,.0f}, then {levels[1]:,.0f} bytes"


def test_a_rise_is_seen() -> None:
    """A leak of one part in a hundred a sample is one; a sawtooth around a level is none."""
    leak = thirds([100.0 * 1.01**n for n in range(120)])
    sawtooth = thirds([100.0 + n % 13 for n in range(120)])
    assert rises(leak, Bound(0.25, 0.0))
    assert not rises(sawtooth, Bound(0.05, 0.0))
