"""The stage: how tests end, how they share the queue, and what is left when they are cut short."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Self

import pytest

from conformance import stage as stage_module
from conformance.matching.crash import crash
from conformance.outcome import Inconclusive, NotOffered, NotVerified, Outcome, broken
from conformance.people import People
from conformance.requirements import CATALOGUE
from conformance.scenario import Scenario
from conformance.stage import Stage
from conformance.trial import Trial
from harness.client.dialect import NotAdmitted
from harness.client.reachability import Unwell
from harness.errors import Trouble
from harness.history.journal import read_history
from harness.history.op import Via
from harness.target import Budgets, Target

TARGET = Target(name="t", api_url="http://t/api", supabase_url="http://t", anon_key="k", budgets=Budgets(match=0.1))


class NoTransport:
    """A connection to nowhere."""

    def __init__(self, target: Target) -> None:
        self.target = target

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass


@pytest.fixture
async def probes(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[Trouble]]:
    """A stage without a target; what stands in the list is raised by the probes, one each, from the second on."""
    troubles: list[Trouble] = []
    asked = 0

    async def probe(_transport: Any) -> None:
        nonlocal asked
        asked += 1
        if asked > 1 and troubles:
            raise troubles.pop(0)

    monkeypatch.setattr(stage_module, "Transport", NoTransport)

    async def scout(_people: People) -> None:
        pass

    monkeypatch.setattr(stage_module, "probe", probe)
    monkeypatch.setattr(People, "scout", scout)
    yield troubles


async def play(scenarios: dict[str, Scenario], history: Path | None = None) -> dict[str, Outcome]:
    """Plays scenarios on an empty stage."""
    stage = Stage(TARGET, history=history, report=lambda _outcome: None)
    await stage.play(scenarios)
    return stage.outcomes


async def vouches(trial: Trial) -> None:
    """A test that is content."""
    trial.vouch()


async def does_nothing(_trial: Trial) -> None:
    """A test that met nothing."""


async def blocks(_trial: Trial) -> None:
    """A test that saw everybody wait for one."""
    raise broken("SEC-WS-19", sent="a long name", came="silence for everybody")


@pytest.mark.parametrize(
    ("ending", "status", "says"),
    [
        (broken("MM-S1", sent="a", came="b"), "fail", "a: b"),
        (NotOffered("no push"), "not-applicable", "no push"),
        (Inconclusive("no race"), "unknown", "no race"),
        (NotVerified("it takes a secret"), "not-verified", "it takes a secret"),
        (NotAdmitted("sign-up is closed"), "unknown", "sign-up is closed"),
        (TimeoutError(), "unknown", "did not end within"),
        (Trouble("the disk is full", "make room"), "error", "the disk is full: make room"),
        (KeyError("x"), "error", "the test itself failed: KeyError: 'x'"),
    ],
)
async def test_three_kinds_of_trouble_never_mix(
    probes: list[Trouble], ending: Exception, status: str, says: str
) -> None:
    """A breach, too little evidence, and a failure of ours have a status each, and one sentence."""

    async def ends(_trial: Trial) -> None:
        raise ending

    outcome = (await play({"MM-S1": ends}))["MM-S1"]
    assert outcome.status == status
    assert says in outcome.detail and "\n" not in outcome.detail


async def test_a_test_without_a_case_is_unknown(probes: list[Trouble]) -> None:
    """Nothing was checked, so nothing was shown: never a pass."""
    assert (await play({"MM-S1": does_nothing}))["MM-S1"].status == "unknown"


async def test_a_test_may_vouch(probes: list[Trouble]) -> None:
    """What the test saw with its own eyes counts where the history alone cannot show it."""
    assert (await play({"MM-L5": vouches}))["MM-L5"].status == "pass"


async def test_a_target_that_dies_is_not_wrong(probes: list[Trouble]) -> None:
    """A breach that was seen on a target which is gone now is our trouble, not a red requirement."""
    probes.append(Trouble("the target is out of reach"))

    async def dies(_trial: Trial) -> None:
        raise broken("MM-L2", sent="joins", came="silence")

    outcome = (await play({"MM-L2": dies}))["MM-L2"]
    assert outcome.status == "error"
    assert outcome.detail == "the target went away during the test: the target is out of reach"


async def test_a_target_that_comes_round_was_wrong(probes: list[Trouble], monkeypatch: pytest.MonkeyPatch) -> None:
    """One that answers 5xx for a moment, after what a test did to it, is there: the breach counts."""
    monkeypatch.setattr(stage_module, "RETRY", 0.0)
    probes += [Unwell("the target is not well (500)")] * 3

    outcome = (await play({"SEC-WS-19": blocks}))["SEC-WS-19"]
    assert (outcome.status, probes) == ("fail", [])


async def test_a_target_that_stays_unwell_is_not_judged(probes: list[Trouble], monkeypatch: pytest.MonkeyPatch) -> None:
    """When its time to come round is over, it counts as gone."""
    monkeypatch.setattr(stage_module, "RECOVERY", 0.0)
    probes.append(Unwell("the target is not well (500)"))

    outcome = (await play({"SEC-WS-19": blocks}))["SEC-WS-19"]
    assert outcome.status == "error"
    assert outcome.detail == "the target went away during the test: the target is not well (500)"


async def test_an_unreachable_target_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is tested, and the trouble is told once."""

    async def probe(_transport: Any) -> None:
        raise Trouble("nobody answers")

    monkeypatch.setattr(stage_module, "Transport", NoTransport)
    monkeypatch.setattr(stage_module, "probe", probe)
    with pytest.raises(Trouble, match="nobody answers"):
        await play({"MM-S1": vouches})


async def test_two_tests_never_stand_in_the_queue_together(probes: list[Trouble]) -> None:
    """Whoever holds the queue holds it alone, until the block is left."""
    inside: list[str] = []

    async def queues(trial: Trial) -> None:
        async with trial.queue():
            inside.append(trial.requirement.id)
            assert len(inside) == 1
            await asyncio.sleep(0)
            inside.clear()
        trial.vouch()

    outcomes = await play(dict.fromkeys(("MM-S1", "MM-S2", "MM-S3"), queues))
    assert {outcome.status for outcome in outcomes.values()} == {"pass"}


async def test_who_crashes_the_server_comes_last_and_alone(probes: list[Trouble]) -> None:
    """A test that takes the server down disturbs nobody: all others have ended, and the next one waits for it."""
    under_way: set[str] = set()
    met: dict[str, set[str]] = {}

    async def meets(trial: Trial) -> None:
        under_way.add(trial.requirement.id)
        await asyncio.sleep(0)
        met[trial.requirement.id] = set(under_way)
        under_way.discard(trial.requirement.id)
        trial.vouch()

    await play(dict.fromkeys(("MM-S10", "MM-S1", "MM-L7", "REST-01"), meets))
    assert met["MM-S1"] == {"MM-S1", "REST-01"}
    assert list(met)[2:] == ["MM-L7", "MM-S10"]
    assert (met["MM-L7"], met["MM-S10"]) == ({"MM-L7"}, {"MM-S10"})


async def test_without_a_crash_command_nothing_is_verified(probes: list[Trouble]) -> None:
    """A deployment that nobody may kill is not accused, and the reason says what it would take."""
    outcomes = await play(dict.fromkeys(("MM-S10", "MM-L7"), shares_the_crash))
    assert {outcome.status for outcome in outcomes.values()} == {"not-verified"}
    assert {outcome.detail for outcome in outcomes.values()} == {"the target file names no `crash` command"}


async def shares_the_crash(trial: Trial) -> None:
    """As the two tests of a crash do."""
    await trial.stage.share(crash, trial)


async def test_long_waits_come_first_and_pass_side_by_side(probes: list[Trouble]) -> None:
    """The test that waits without the queue has its turn before the one that keeps the queue while it waits."""
    order: list[str] = []

    async def queues(trial: Trial) -> None:
        async with trial.queue():
            order.append(trial.requirement.id)
        trial.vouch()

    await play(dict.fromkeys(("MM-S1", "MM-S5", "MM-L5"), queues))
    assert order == ["MM-L5", "MM-S5", "MM-S1"]


async def test_few_wire_tests_run_at_once(probes: list[Trouble]) -> None:
    """Tests of the wire have so many places and no more, and whoever only waits gives his place away."""
    inside, most = 0, 0

    async def knocks(trial: Trial) -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0)
        inside -= 1
        async with trial.waiting():
            await asyncio.sleep(0)
        trial.vouch()

    names = [name for name, rule in CATALOGUE.items() if rule.group == "REST"]
    outcomes = await play(dict.fromkeys(names, knocks))
    assert {outcome.status for outcome in outcomes.values()} == {"pass"}
    assert most == stage_module.PLACES


async def test_what_is_made_once_is_made_once(probes: list[Trouble]) -> None:
    """Several tests ask for the same thing at one time: the first makes it, and a failure is every asker's."""
    made = 0

    async def make() -> str:
        nonlocal made
        made += 1
        await asyncio.sleep(0)
        raise Inconclusive("the two never met")

    async def asks(trial: Trial) -> None:
        await trial.once("pair", make)

    outcomes = await play(dict.fromkeys(("REST-01", "REST-02", "REST-03"), asks))
    assert made == 1
    assert {(each.status, each.detail) for each in outcomes.values()} == {("unknown", "the two never met")}


async def test_a_wire_test_that_checked_nothing_is_unknown(probes: list[Trouble]) -> None:
    """No checker speaks for it, so it must have held something against the requirement itself."""
    outcomes = await play({"REST-01": does_nothing, "REST-02": vouches})
    assert {name: each.status for name, each in outcomes.items()} == {"REST-01": "unknown", "REST-02": "pass"}


async def test_waiting_for_the_queue_is_nobodys_time(probes: list[Trouble]) -> None:
    """The seconds of a test are its own: what it waited for another's turn is left out."""
    release = asyncio.Event()

    async def holds(trial: Trial) -> None:
        async with trial.queue():
            await release.wait()
        trial.vouch()

    async def waits(trial: Trial) -> None:
        asyncio.get_running_loop().call_later(0.3, release.set)
        async with trial.queue():
            trial.vouch()

    outcomes = await play({"MM-L5": holds, "MM-S1": waits})
    assert outcomes["MM-S1"].seconds < outcomes["MM-L5"].seconds


async def test_waiting_for_others_does_not_run_out_of_time(
    probes: list[Trouble], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test that waits for the queue longer than it may last is not cut short; one that lasts too long itself is."""
    monkeypatch.setattr(Stage, "_limit", 0.2)
    holding, over = asyncio.Event(), asyncio.Event()

    async def hangs(trial: Trial) -> None:
        async with trial.queue():
            holding.set()
            await asyncio.Event().wait()

    async def waits(trial: Trial) -> None:
        await holding.wait()
        async with trial.queue():
            assert trial.idle > 0
            trial.vouch()
        over.set()

    outcomes = await play({"MM-L5": hangs, "MM-S1": waits})
    assert over.is_set()
    assert (outcomes["MM-L5"].status, outcomes["MM-S1"].status) == ("unknown", "pass")


async def test_a_shared_scenario_is_played_once(probes: list[Trouble], tmp_path: Path) -> None:
    """Each asker gets the whole history, in a file of its own."""
    played = 0

    async def load(trial: Trial) -> None:
        nonlocal played
        played += 1
        trial.recorder("1").saw("ann", "d1", "join", Via.HTTP)

    async def asks(trial: Trial) -> None:
        await trial.stage.share(load, trial)
        trial.vouch()

    await play({"MM-S1": asks, "MM-L2": asks}, tmp_path)
    assert played == 1
    for requirement in ("MM-S1", "MM-L2"):
        (op,) = read_history(tmp_path / f"{requirement}.ndjson")
        assert op.op == "join" and op.process.endswith("-1.0")


async def test_a_cut_run_keeps_what_it_knows(probes: list[Trouble], tmp_path: Path) -> None:
    """Ctrl-C in the middle: ended tests keep their outcome, the histories are on disk, nothing goes on."""
    ended, closed = asyncio.Event(), asyncio.Event()

    async def hangs(trial: Trial) -> None:
        trial.recorder().saw("ann", "d1", "join", Via.HTTP)
        await asyncio.Event().wait()

    stage = Stage(TARGET, history=tmp_path, report=lambda _outcome: ended.set())
    run = asyncio.create_task(stage.play({"MM-S1": vouches, "MM-S2": hangs}))
    run.add_done_callback(lambda _run: closed.set())
    await ended.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert list(stage.outcomes) == ["MM-S1"]
    assert len(read_history(tmp_path / "MM-S2.ndjson")) == 1
    assert len(asyncio.all_tasks()) == 1


async def test_histories_that_cannot_be_kept_are_trouble(probes: list[Trouble], tmp_path: Path) -> None:
    """A folder that is a file: one sentence, before anything is asked of the target."""
    (tmp_path / "file").write_text("")
    with pytest.raises(Trouble, match="cannot be kept"):
        await play({"MM-S1": vouches}, tmp_path / "file")
