"""What recording costs a load generator: the same journeys with a journal and without any record, in turns.

Counted in CPU time of the generator's process; the server is another one. Judging comes after a run, and costs its rate
nothing: it stands beside, as CPU time by journey. `pytest tests/benchmarks/test_recording.py -s` shows the figures.
"""

from __future__ import annotations

import asyncio
import gc
import time
from pathlib import Path
from statistics import mean, median
from typing import Any

import uvloop

from harness.actor.persona import Persona
from harness.actor.scene import Scene
from harness.actor.virtual_user import VirtualUser
from harness.checkers.figures import figures
from harness.checkers.judge import judge
from harness.client import Transport
from harness.history.journal import Journal, read_history
from harness.history.op import Op, Outcome, Via
from harness.history.quiet_memory import search_less_for_garbage
from harness.history.recorder import Call, Recorder
from harness.network.loopback import Loopback
from harness.target import Budgets
from tests.harness.load.calibrated import Delay, Running, Table, calibrated

USERS, ROUNDS = 20, 120
"""Short turns, and many: a machine that is faster now than a second ago is so for both."""
JUDGED = 5
"""How often the whole is judged; the median counts."""
AT_ONCE = 20
QUICK = Table((Delay(join=0.01, push=0.05),))


class _NoCall(Call):
    """A call of which nothing is kept."""

    def _end(self, outcome: Outcome, value: dict[str, Any]) -> Op:
        return self.op


class NoRecorder(Recorder):
    """Keeps nothing, and makes nothing that could be kept."""

    def __init__(self) -> None:
        super().__init__(sink=None)  # type: ignore[arg-type]
        self._nothing = _NoCall(self, Op(0, 0.0, 0.0, "", "", "", "nothing", Outcome.OK, Via.SELF))

    def begin(self, *_: Any, **__: Any) -> Call:
        """Begins nothing."""
        return self._nothing

    def saw(self, *_: Any, **__: Any) -> Op:
        """Sees nothing."""
        return self._nothing.op


async def journeys(running: Running, recorder: Recorder) -> float:
    """CPU seconds of this process by journey, from sign-up to the closed socket."""
    persona = Persona(talk=(0.02, 0.04))
    async with Transport(running.target()) as transport:
        scene = Scene(transport, recorder, persona, Loopback())
        doors = asyncio.Semaphore(AT_ONCE)

        async def one() -> None:
            async with doors:
                user = await VirtualUser.enter(scene, 1)
                try:
                    journey = await user.play(recorder.now(), lambda: None)
                finally:
                    await user.close()
            assert journey.matched

        gc.collect()
        before = time.process_time()
        await asyncio.gather(*(one() for _ in range(USERS)))
        return (time.process_time() - before) / USERS


async def in_turns(folder: Path) -> tuple[list[float], list[float]]:
    """CPU seconds by journey without a record and with one, which is `history.ndjson`; the first of each warms up."""
    without, recorded = [], []
    async with calibrated(QUICK, folder) as running:
        with Journal(folder / "history.ndjson") as journal:
            recorder = Recorder(journal, process="t.swarm.0", announce=journal.announce)
            for turn in range(ROUNDS + 1):  # who is first takes turns, too
                if turn % 2:
                    without.append(await journeys(running, NoRecorder()))
                recorded.append(await journeys(running, recorder))
                if not turn % 2:
                    without.append(await journeys(running, NoRecorder()))
    return without[1:], recorded[1:]


def judging(path: Path) -> tuple[float, float]:
    """CPU seconds by journey to read and judge a history and make its figures; and its ops by journey."""
    took = []
    for _ in range(JUDGED):
        before = time.process_time()
        ops = read_history(path)
        judged = judge(ops, Budgets())
        figures(ops, judged, "t")
        took.append(time.process_time() - before)
        assert judged.violations == {}
    played = USERS * (ROUNDS + 1)
    return median(took) / played, len(ops) / played


def test_recording_and_judging(benchmark: Any, tmp_path: Path) -> None:
    """What share both take of all that a journey costs the generator; 15 % is what they should not exceed."""
    search_less_for_garbage()
    without, recorded = benchmark.pedantic(lambda: uvloop.run(in_turns(tmp_path)), rounds=1)
    bare, record = mean(without), mean(a - b for a, b in zip(recorded, without, strict=True))
    judged, ops = judging(tmp_path / "history.ndjson")
    whole = bare + record + judged
    told = {
        "journey_ms": bare * 1000, "recording_ms": record * 1000, "judging_ms": judged * 1000, "ops": ops,
        "recording_share": record / whole, "judging_share": judged / whole,
        "both_share": (record + judged) / whole,
    }  # fmt: skip
    benchmark.extra_info.update(told)
    print({name: round(value, 3) for name, value in told.items()})  # noqa: T201 — shown with -s
