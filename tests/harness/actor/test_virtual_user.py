"""The journey of a user, against participants that do as they are told."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from harness.actor import virtual_user
from harness.actor.persona import Flood, Persona, Vanishing
from harness.actor.times import Uniform
from harness.actor.virtual_user import VirtualUser
from harness.client.dialect import NotAdmitted, NotReached
from harness.client.participant import JoinReply
from harness.history.op import Outcome
from harness.peer.stage import Stage

QUICK = Persona(talk=(0.02, 0.02), handshake=5.0, goodbye=0.05)


async def play(stage, participant, due: float | None = None):
    return await VirtualUser(participant, stage.scene, seed=1).play(stage.now() if due is None else due, lambda: None)


async def test_a_matched_pair_goes_through_to_the_end(make_stage, channel_pair):
    """Both join, subscribe and wait in the document's order; they handshake; one hangs up, the other is told."""
    stage = make_stage(QUICK)
    left, right = channel_pair()
    ann, bob = stage.participant("ann", left), stage.participant("bob", right)
    journeys = await asyncio.gather(play(stage, ann), play(stage, bob))
    assert [(journey.session, journey.stage) for journey in journeys] == [("s1", Stage.CONNECTED)] * 2
    assert ann.calls == ["join global", "subscribe", "next_match", "end s1"]
    assert bob.calls == ["join global", "subscribe", "next_match"]
    assert {span.name for span in stage.spans} == {"join", "match", "signal", "talk"}
    assert not any(span.error for span in stage.spans)


async def test_who_is_told_when_he_joins_asks_for_no_news(make_stage, channel_pair):
    """His partner, who waits, is told by what he subscribed to."""
    stage = make_stage(QUICK)
    left, right = channel_pair()
    ann, bob = stage.participant("ann", left), stage.participant("bob", right)
    bob.replied = await bob.match
    journeys = await asyncio.gather(play(stage, ann), play(stage, bob))
    assert [(journey.session, journey.stage) for journey in journeys] == [("s1", Stage.CONNECTED)] * 2
    assert ann.calls == ["join global", "subscribe", "next_match", "end s1"]
    assert bob.calls == ["join global", "next_match"]


async def test_a_real_session_makes_a_connection_and_both_record_it(make_stage, channel_pair):
    """With real peers each side records one `connect` op with its role, its stage and the times of the stages."""
    stage = make_stage(Persona(talk=(0.02, 0.02), peer_share=1.0, goodbye=2.0))
    left, right = channel_pair()
    users = [
        VirtualUser(stage.participant(name, channel), stage.scene, seed=1)
        for name, channel in (("ann", left), ("bob", right))
    ]
    journeys = await asyncio.gather(*(user.play(stage.now(), lambda: None) for user in users))
    await asyncio.gather(*(user.close() for user in users))
    assert [journey.stage for journey in journeys] == [Stage.CONNECTED] * 2
    connects = {op.user: op for op in stage.ops if op.op == "connect"}
    assert {user: op.value["role"] for user, op in connects.items()} == {"ann": "offerer", "bob": "answerer"}
    for op in connects.values():
        assert op.outcome is Outcome.OK
        assert op.value["id"] == "s1"
        assert op.value["stage"] == "connected"
        assert op.value["times"]["connected"] >= op.value["times"]["ice"]


async def test_a_partner_who_never_comes_is_recorded_as_lost_signalling(make_stage):
    """The attempt fails at its deadline, is recorded, and the session is ended all the same."""
    stage = make_stage(Persona(talk=(0.0, 0.0), peer_share=1.0, handshake=0.05, goodbye=0.0))
    bob = stage.participant("bob")
    journey = await play(stage, bob)
    assert journey.stage is Stage.SIGNALLING_LOST
    (connect,) = (op for op in stage.ops if op.op == "connect")
    assert (connect.outcome, connect.value["stage"]) == (Outcome.FAIL, "signalling-lost")
    assert bob.calls[-1] == "end s1"


async def test_who_is_never_told_hangs_up_himself(make_stage, channel_pair):
    """The answerer waits for the longest talk and a little more, then ends the session, and says so."""
    stage = make_stage(QUICK)
    left, right = channel_pair()
    ann, bob = stage.participant("ann", left), stage.participant("bob", right)
    ann.tells = False
    await asyncio.gather(play(stage, ann), play(stage, bob))
    assert bob.calls[-1] == "end s1"
    assert "never told of the end" in {span.error for span in stage.spans}


@pytest.mark.parametrize("status", [401, 403, 429])
async def test_a_refused_join_ends_the_journey(make_stage, status):
    """Who is certainly not in the queue does not wait."""
    stage = make_stage(QUICK)
    ann = stage.participant("ann", matched=False)
    ann.status = status
    journey = await play(stage, ann)
    assert not journey.joined
    assert ann.calls == ["join global"]
    assert stage.spans[0].error == f"answered {status}"


@pytest.fixture
def impatient(monkeypatch):
    """Nobody waits before he tries again."""
    monkeypatch.setattr(virtual_user, "rejoin_delay", lambda _: 0.0)


@pytest.mark.parametrize("status", [0, 500])
async def test_a_join_without_an_answer_is_tried_again_and_then_waited_for(make_stage, channel_pair, impatient, status):
    """A person looks for a match, and joins again where he sees none; in the end he subscribes and waits."""
    stage = make_stage(QUICK)
    left, right = channel_pair()
    ann, bob = stage.participant("ann", left), stage.participant("bob", right)
    ann.status = status
    journeys = await asyncio.gather(play(stage, ann), play(stage, bob))
    assert [journey.matched for journey in journeys] == [True, True]
    assert ann.calls[:6] == ["join global", "poll", "join global", "poll", "join global", "subscribe"]


async def test_who_sees_a_match_after_a_join_without_an_answer_does_not_join_again(make_stage, channel_pair):
    """A second join would end the session that the first has brought."""
    stage = make_stage(QUICK)
    left, right = channel_pair()
    ann, bob = stage.participant("ann", left), stage.participant("bob", right)
    ann.status, ann.polled = 0, stage.session
    await asyncio.gather(play(stage, ann), play(stage, bob))
    assert ann.calls[:3] == ["join global", "poll", "subscribe"]


@pytest.mark.parametrize(("failures", "enters"), [(2, True), (3, False)])
async def test_who_finds_nobody_at_the_door_comes_again(make_stage, impatient, monkeypatch, failures, enters):
    """He knocks three times in all; that he stayed out is in the history, as a call that found nobody."""
    stage = make_stage(QUICK)
    gone = NotReached("gone")
    gone.__cause__ = ConnectionRefusedError()
    outcomes = iter([gone] * failures + [stage.participant("ann")])

    async def enter(_scene, _seed):
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(virtual_user, "_enter", enter)
    if enters:
        await VirtualUser.enter(stage.scene, 1)
    else:
        with pytest.raises(NotReached):
            await VirtualUser.enter(stage.scene, 1)
    kept_out = [("enter", "", "fail", {"error": "NotReached: gone", "unreached": True})]
    assert [(op.op, op.user, op.outcome, op.value) for op in stage.ops] == ([] if enters else kept_out)


async def test_a_refused_entry_is_not_tried_again(make_stage, monkeypatch):
    """Whom the target refuses it would refuse again."""
    stage = make_stage(QUICK)
    asked: list[bool] = []

    async def enter(_scene, _seed):
        asked.append(True)
        raise NotAdmitted("full")

    monkeypatch.setattr(virtual_user, "_enter", enter)
    with pytest.raises(NotAdmitted):
        await VirtualUser.enter(stage.scene, 1)
    assert asked == [True]
    assert [(op.op, op.outcome, op.value) for op in stage.ops] == [("enter", "fail", {"error": "full"})]


async def test_patience_ends_with_a_last_look_and_a_leave(make_stage):
    """Who waited long enough polls once more, leaves, and does not wait for the quiet time."""
    stage = make_stage(Persona(patience=0.02))
    ann = stage.participant("ann", matched=False)
    journey = await play(stage, ann)
    assert (journey.joined, journey.matched) == (True, False)
    assert ann.calls == ["join global", "subscribe", "next_match", "poll", "leave"]


async def test_who_leaves_as_somebody_joins_does_so_while_that_join_is_under_way(make_stage):
    """He has looked before, so that nothing lies between the other's join and his leave."""
    stage = make_stage(Persona(crossing=1.0))
    ann, bob = stage.participant("ann", matched=False), stage.participant("bob", matched=False)
    calls = ann.calls = bob.calls
    looked, left, answered = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def poll() -> None:
        calls.append("poll")
        looked.set()

    async def leave() -> bool:
        calls.append("leave")
        left.set()
        return True

    async def join(mode: str, due: float | None = None) -> JoinReply:
        await left.wait()
        answered.set()
        return JoinReply(429)

    ann.poll, ann.leave, bob.join = poll, leave, join
    leaving = asyncio.create_task(play(stage, ann))
    await looked.wait()
    assert "leave" not in calls
    await asyncio.wait_for(play(stage, bob), 1)
    await leaving
    assert answered.is_set()
    assert calls[-2:] == ["poll", "leave"]


async def test_where_nobody_joins_he_leaves_all_the_same(make_stage, monkeypatch):
    """After a second, as it is set."""
    monkeypatch.setattr(virtual_user, "_LOITERS", 0.01)
    stage = make_stage(Persona(crossing=1.0))
    ann = stage.participant("ann", matched=False)
    await play(stage, ann)
    assert ann.calls[-2:] == ["poll", "leave"]


async def test_who_waits_into_the_quiet_time_polls_inside_it_and_leaves_after_it(make_stage):
    """His last poll lies inside the drain, his leave after it: so the drain shows who was left waiting."""
    stage = make_stage(QUICK)
    ann = stage.participant("ann", matched=False)
    journey = asyncio.create_task(play(stage, ann))
    await ann.searching.wait()
    over_at_leave: list[bool] = []
    leave = ann.leave

    async def leaving() -> bool:
        over_at_leave.append(stage.scene.quiet.over.is_set())
        return await leave()

    ann.leave = leaving
    await stage.scene.quiet.hold(stage.recorder, 0.02)
    assert "poll" in ann.calls
    await journey
    assert ann.calls[-2:] == ["poll", "leave"]
    assert over_at_leave == [True]


async def test_a_match_seen_at_the_last_look_counts(make_stage, channel_pair):
    """A session that only the last poll shows is met like any other."""
    stage = make_stage(Persona(talk=(0.0, 0.0), patience=0.01, handshake=0.05, goodbye=0.0))
    ann = stage.participant("ann", channel_pair()[0], matched=False)
    ann.polled = stage.session
    journey = await play(stage, ann)
    assert journey.session == "s1"
    assert ann.calls[-1] == "end s1"


async def test_he_does_not_start_before_he_is_due_and_counts_from_then(make_stage, channel_pair):
    """The join waits for the due time; a start after it counts as late, and spans are counted from the due time."""
    stage = make_stage(QUICK)
    left, right = channel_pair()
    soon = stage.now() + 0.05
    long_ago = stage.now() - 1.0
    ann, bob = stage.participant("ann", left), stage.participant("bob", right)
    _, late = await asyncio.gather(play(stage, ann, soon), play(stage, bob, long_ago))
    assert late.late >= 1.0
    assert ann.joined_at >= soon
    assert {span.started for span in stage.spans if span.name == "match"} == {soon, long_ago}


async def test_joined_is_told_even_when_the_join_breaks(make_stage):
    """The crowd must learn of the arrival whatever becomes of the join."""
    stage = make_stage(QUICK)
    ann = stage.participant("ann", matched=False)

    async def broken(mode, due=None):
        raise RuntimeError("out of order")

    ann.join = broken
    told: list[bool] = []
    with pytest.raises(RuntimeError):
        await VirtualUser(ann, stage.scene, seed=1).play(stage.now(), lambda: told.append(True))
    assert told == [True]


AT_ONCE = Uniform(0.0, 0.0)
SOON = Uniform(0.02, 0.02)


def unmatched() -> asyncio.Future:
    return asyncio.get_running_loop().create_future()


async def test_who_searches_again_thinks_and_joins_without_a_due_time(make_stage, channel_pair):
    """The first session is forgotten, its signals too; the second search is not due, and finds nobody."""
    stage = make_stage(replace(QUICK, rounds=2, think=AT_ONCE, patience=0.02))
    left, right = channel_pair()
    ann, bob = stage.participant("ann", left), stage.participant("bob", right)
    for person in (ann, bob):
        person.rematch = [unmatched()]
    dues: list[float | None] = []
    joining = ann.join

    async def join(mode, due=None):
        dues.append(due)
        return await joining(mode, due)

    ann.join = join
    journeys = await asyncio.gather(play(stage, ann), play(stage, bob))
    assert [journey.session for journey in journeys] == ["s1", "s1"]
    first = ["join global", "subscribe", "next_match", "end s1", "forget s1"]
    assert ann.calls == [*first, "join global", "subscribe", "next_match", "poll", "leave"]
    assert [due is None for due in dues] == [False, True]


async def test_nobody_searches_again_in_the_quiet_time(make_stage, channel_pair):
    """Who thinks when it begins goes home."""
    stage = make_stage(replace(QUICK, rounds=5, think=Uniform(60.0, 60.0)))
    left, right = channel_pair()
    users = [stage.participant("ann", left), stage.participant("bob", right)]
    playing = [asyncio.create_task(play(stage, user)) for user in users]
    await asyncio.gather(*(user.forgot.wait() for user in users))
    stage.scene.quiet.begun.set()
    await asyncio.wait_for(asyncio.gather(*playing), 20)
    assert [user.calls.count("join global") for user in users] == [1, 1]


async def test_a_partner_is_skipped_and_the_next_asked_for_is_anybody(make_stage, channel_pair):
    """A skip is one, though he has only just been matched; half a second later he asks for anybody."""
    persona = replace(
        QUICK, mode="buddies_first", talk=(30.0, 30.0), rounds=2, skip=1.0, skip_after=AT_ONCE, patience=0.02
    )
    stage = make_stage(persona)
    left, right = channel_pair()
    ann, bob = stage.participant("ann", left), stage.participant("bob", right)
    for person in (ann, bob):
        person.rematch = [unmatched()]
    await asyncio.wait_for(asyncio.gather(play(stage, ann), play(stage, bob)), 20)
    assert "skip s1" in ann.calls + bob.calls
    assert "end s1" not in ann.calls + bob.calls
    assert ann.calls[0] == "join buddies_first"
    assert "join global" in ann.calls
    assert not any(span.error for span in stage.spans if span.name == "talk")


async def test_who_looks_back_meets_whom_he_was_matched_with_while_he_left(make_stage, channel_pair):
    """He leaves, looks, and finds a session; before he hangs up he looks whether it still stands."""
    stage = make_stage(Persona(talk=(0.0, 0.0), patience=SOON, handshake=0.05, goodbye=0.0, looks_back=True))
    ann = stage.participant("ann", channel_pair()[0], matched=False)
    leaving = ann.leave

    async def leave() -> bool:
        ann.polled = stage.session
        return await leaving()

    ann.leave = leave
    journey = await play(stage, ann)
    assert journey.session == "s1"
    assert ann.calls == ["join global", "subscribe", "next_match", "poll", "leave", "poll", "poll", "end s1"]


@pytest.mark.parametrize("kind", ["close", "silent"])
async def test_who_vanishes_from_a_session_does_nothing_more(make_stage, channel_pair, kind):
    """He neither ends it nor searches again, and his partner is not told by him."""
    plan = Vanishing(1.0, waiting=0.0, silent=float(kind == "silent"), after_match=AT_ONCE)
    stage = make_stage(replace(QUICK, talk=(30.0, 30.0), vanishing=plan, rounds=3))
    left, right = channel_pair()
    ann, bob = stage.participant("ann", left), stage.participant("bob", right)
    journeys = await asyncio.wait_for(asyncio.gather(play(stage, ann), play(stage, bob)), 20)
    assert [journey.session for journey in journeys] == ["s1", "s1"]
    for user in (ann, bob):
        assert user.calls == ["join global", "subscribe", "next_match", f"vanish {kind}"]


async def test_a_ghost_leaves_the_drain_alone(make_stage):
    """Who vanished from the queue neither leaves nor looks, and the quiet time does not wait for him."""
    plan = Vanishing(1.0, waiting=1.0, silent=1.0, after_join=AT_ONCE)
    stage = make_stage(replace(QUICK, vanishing=plan))
    ann = stage.participant("ann", matched=False)
    playing = asyncio.create_task(play(stage, ann))
    await ann.vanished.wait()
    await asyncio.wait_for(stage.scene.quiet.hold(stage.recorder, 0.0), 20)
    assert not playing.done()
    journey = await playing
    assert (journey.joined, journey.matched) == (True, False)
    assert ann.calls == ["join global", "subscribe", "vanish silent"]


async def test_a_storm_reaches_those_of_its_persona_while_they_play(make_stage, channel_pair):
    """Not those of another, and nobody who is through."""
    stage = make_stage(replace(QUICK, storm=60.0))
    left, right = channel_pair()
    ann, bob = stage.participant("ann", left), stage.participant("bob", right)
    playing = asyncio.gather(play(stage, ann), play(stage, bob))
    await ann.searching.wait()
    assert stage.scene.storm.strike() == 2
    await playing
    assert ann.calls.count("cut") == bob.calls.count("cut") == 1
    assert stage.scene.storm.strike() == 0


async def test_a_flooder_counts_as_one_who_has_come(make_stage, monkeypatch):
    """And then does nothing but flood, for as long as his persona says."""
    lasted: list[float] = []

    async def flood(_participant, _plan, mode, lasts, _quiet):
        lasted.append(lasts)
        assert mode == "global"

    monkeypatch.setattr(virtual_user, "flood", flood)
    stage = make_stage(Persona(flood=Flood(lasts=Uniform(3.0, 3.0))))
    told: list[bool] = []
    await VirtualUser(stage.participant("ann"), stage.scene, seed=1).play(stage.now(), lambda: told.append(True))
    assert (told, lasted) == ([True], [3.0])
