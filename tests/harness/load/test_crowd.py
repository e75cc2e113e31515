"""A crowd accounts for every arrival."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace

import pytest

from harness.actor.journey import Journey, Span
from harness.actor.persona import Persona
from harness.actor.scene import Scene
from harness.client.dialect import NotAdmitted
from harness.history.op import Op
from harness.history.recorder import Recorder
from harness.load import crowd as module
from harness.load.arrivals import Arrival, Closed, Schedule, Turns
from harness.load.crowd import Crowd
from harness.network.loopback import Loopback


class FakeUser:
    """A user who joins at once, is matched, and goes when the test lets him."""

    entered: list[int]
    refused: set[int]
    broken: set[int]
    go: asyncio.Event
    closed: int
    cast: list[tuple[int, str]]

    def __init__(self, scene: Scene, seed: int) -> None:
        self.scene, self.seed = scene, seed

    @classmethod
    async def enter(cls, scene: Scene, seed: int) -> FakeUser:
        if seed in cls.refused:
            raise NotAdmitted("the door is shut")
        if seed in cls.broken:
            raise RuntimeError("out of order")
        cls.entered.append(seed)
        cls.cast.append((seed, scene.persona.name))
        return cls(scene, seed)

    async def play(self, due, joined) -> Journey:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        joined()
        self.scene.report(Span("match", due, 0.1, "" if self.seed % 2 else "nobody came"))
        await FakeUser.go.wait()
        return Journey(str(self.seed), joined=True, late=self.seed / 10)

    async def close(self) -> None:
        FakeUser.closed += 1


@pytest.fixture
def users(monkeypatch):
    """Fake users in place of real ones."""
    FakeUser.entered, FakeUser.refused, FakeUser.broken = [], set(), set()
    FakeUser.go, FakeUser.closed, FakeUser.cast = asyncio.Event(), 0, []
    monkeypatch.setattr(module, "VirtualUser", FakeUser)
    return FakeUser


def crowd_of(count: int, ops: list[Op], spans: list[Span] | None = None) -> Crowd:
    recorder = Recorder(SimpleNamespace(append=ops.append))
    report = (lambda _: None) if spans is None else spans.append
    scene = Scene(None, recorder, Persona(), Loopback(), report=report)
    return Crowd(scene, Schedule([Arrival(n, n * 0.01, n) for n in range(count)], ""), lead=0.02, drain=0.0)


async def finish(crowd: Crowd, *journeys) -> None:
    async with asyncio.timeout(20):
        await asyncio.gather(crowd.supervise(), *journeys)


async def test_all_arrivals_are_played_once_and_closed(users):
    """Each call takes the next arrival; when none is left there is nothing to play."""
    ops: list[Op] = []
    spans: list[Span] = []
    crowd = crowd_of(4, ops, spans)
    users.go.set()
    await finish(crowd, *(crowd.play_next() for _ in range(4)))
    assert sorted(users.entered) == [0, 1, 2, 3]
    assert users.closed == 4
    assert crowd.exhausted
    assert await crowd.play_next() is None
    tally = crowd.tally
    assert (tally.offered, tally.started, tally.dropped, tally.finished) == (4, 4, 0, 4)
    assert (tally.matched, tally.unmatched) == (2, 2)
    assert tally.latest == 0.3
    assert len(spans) == 4


async def test_the_drain_starts_when_the_last_has_joined_and_not_before(users):
    """Its op begins after every join, while the users may still be talking."""
    ops: list[Op] = []
    crowd = crowd_of(3, ops)
    journeys = [asyncio.create_task(crowd.play_next()) for _ in range(3)]
    at_the_drain: list[int] = []

    async def everybody_in() -> None:
        at_the_drain.append(crowd.tally.started)
        users.go.set()

    async with asyncio.timeout(20):
        await crowd.supervise(everybody_in)
    await asyncio.gather(*journeys)
    assert at_the_drain == [3]
    assert [op.op for op in ops] == ["drain"]


async def test_who_cannot_enter_is_dropped_and_the_others_go_on(users):
    """A refused sign-up is counted, and does not hold up the end."""
    users.refused = {1}
    users.go.set()
    crowd = crowd_of(3, [])
    await finish(crowd, *(crowd.play_next() for _ in range(3)))
    assert (crowd.tally.started, crowd.tally.dropped, crowd.tally.finished) == (2, 1, 3)


async def test_arrivals_that_nobody_starts_are_counted_as_dropped(users, monkeypatch):
    """With too few greenlets the rest is dropped some time after it was due, and the run ends."""
    monkeypatch.setattr(module, "_GIVE_UP", 0.05)
    users.go.set()
    crowd = crowd_of(5, [])
    await finish(crowd, crowd.play_next(), crowd.play_next())
    assert (crowd.tally.offered, crowd.tally.started, crowd.tally.dropped) == (5, 2, 3)


async def test_an_empty_share_ends_at_once(users):
    """A worker without arrivals holds nobody up."""
    await finish(crowd_of(0, []))


async def test_a_user_who_fails_for_no_known_reason_holds_nobody_up(users):
    """The error goes to the caller; the arrival is counted as dropped, and the run ends."""
    users.broken = {1}
    users.go.set()
    crowd = crowd_of(3, [])
    outcomes = asyncio.gather(*(crowd.play_next() for _ in range(3)), return_exceptions=True)
    await finish(crowd, outcomes)
    assert [type(outcome) for outcome in outcomes.result()] == [Journey, RuntimeError, Journey]
    assert (crowd.tally.started, crowd.tally.dropped, crowd.tally.finished) == (2, 1, 3)


async def test_a_mix_falls_to_arrivals_by_weight_and_seed(users):
    """Each arrival plays one persona, in the proportion of the weights, and the same one in every run of a seed."""

    async def cast() -> list[str]:
        users.cast = []
        scene = Scene(None, Recorder(SimpleNamespace(append=lambda _: None)), Persona(), Loopback())
        mix = [(Persona("often"), 3.0), (Persona("seldom"), 1.0)]
        crowd = Crowd(scene, Schedule([Arrival(n, 0.0, n) for n in range(400)], ""), mix, lead=0.0, drain=0.0)
        users.go.set()
        await finish(crowd, *(crowd.play_next() for _ in range(400)))
        return [name for _, name in sorted(users.cast)]

    first = await cast()
    assert first == await cast()
    assert 260 < first.count("often") < 340
    assert first.count("often") + first.count("seldom") == 400


def closed_crowd(users: int, closed: Closed, report=lambda _: None) -> Crowd:
    recorder = Recorder(SimpleNamespace(append=lambda _: None))
    share = Schedule(Turns(1, range(users)), "closed", closed)
    return Crowd(Scene(None, recorder, Persona(), Loopback(), report=report), share, lead=0.0, drain=0.0)


async def test_in_a_closed_model_the_next_comes_when_one_is_through(users):
    """However many are ready to play, no more than the room holds are in; in the end all have been."""
    two = asyncio.Event()
    crowd = closed_crowd(7, Closed(2), lambda _: two.set() if crowd.tally.started == 2 else None)
    journeys = [asyncio.create_task(crowd.play_next()) for _ in range(9)]
    async with asyncio.timeout(20):
        await two.wait()
        assert (crowd.tally.offered, len(users.entered)) == (2, 2)
        users.go.set()
        await crowd.supervise()
        played = await asyncio.gather(*journeys)
    assert sum(journey is not None for journey in played) == 7
    assert (crowd.tally.offered, crowd.tally.started, crowd.tally.dropped, crowd.tally.finished) == (7, 7, 0, 7)


async def test_a_closed_model_ends_with_its_time(users):
    """Nobody new comes after it; nobody counts as dropped, for nobody was due."""
    crowd = closed_crowd(10**9, Closed(3, until=0.05))
    journeys = [asyncio.create_task(crowd.play_next()) for _ in range(3)]

    async def everybody_in() -> None:
        users.go.set()

    async with asyncio.timeout(20):
        await crowd.supervise(everybody_in)
        await asyncio.gather(*journeys)
    assert crowd.exhausted
    assert (crowd.tally.offered, crowd.tally.started, crowd.tally.dropped, crowd.tally.finished) == (3, 3, 0, 3)
    assert await crowd.play_next() is None


async def test_a_storm_blows_from_the_first_due_time_on(users, monkeypatch):
    """Every so many seconds as the persona says, until the quiet time; a crowd without such a persona has none."""
    ops: list[Op] = []
    struck = asyncio.Event()
    recorder = Recorder(SimpleNamespace(append=ops.append))
    scene = Scene(None, recorder, Persona(), Loopback())
    arrivals = Schedule([Arrival(0, 0.0, 0), Arrival(1, 30.0, 1)], "")
    crowd = Crowd(scene, arrivals, [(Persona(storm=0.02), 1.0), (Persona(storm=9.0), 1.0)], lead=0.02, drain=0.0)
    began = recorder.now()
    with scene.storm.reaches(struck.set):
        supervising = asyncio.create_task(crowd.supervise())
        await asyncio.wait_for(struck.wait(), 20)
        assert recorder.now() - began >= 0.04
        supervising.cancel()
        await asyncio.gather(supervising, return_exceptions=True)
        struck.clear()
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    assert left == []
