"""What a persona decides, it decides from seeds and ids alone."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.actor.persona import Persona, Vanishing
from harness.actor.personas import CHURNING, FLOODING, SEARCHING, VANISHING
from harness.actor.times import Exponential, Uniform


@given(st.integers())
def test_talk_times_are_within_bounds_and_repeatable(seed):
    """The same seed talks equally long, and never longer or shorter than the persona may."""
    persona = Persona(talk=(4.0, 6.0))
    assert 4.0 <= persona.talk_time(seed) <= 6.0
    assert persona.talk_time(seed) == persona.talk_time(seed)


@given(st.integers())
def test_each_search_has_an_intent_of_its_own(seed):
    """The same one each time it is asked for."""
    one, other = SEARCHING.intent(seed, 1), SEARCHING.intent(seed, 2)
    assert one != other
    assert one == SEARCHING.intent(seed, 1)


def test_shares_are_about_what_was_asked():
    """Of many searches the share that crosses, skips, vanishes, falls silent or is a ghost is that of the persona."""
    crossing = [CHURNING.intent(seed).crosses for seed in range(4000)]
    assert 0.48 < sum(crossing) / 4000 < 0.52
    assert not any(SEARCHING.intent(seed).crosses for seed in range(100))
    skipping = [SEARCHING.intent(seed).skip is not None for seed in range(4000)]
    assert 0.18 < sum(skipping) / 4000 < 0.22
    gone = [mind for seed in range(4000) if (mind := VANISHING.intent(seed)).vanish]
    assert 0.37 < len(gone) / 4000 < 0.43
    assert 0.35 < sum(mind.vanish == "waiting" for mind in gone) / len(gone) < 0.45
    assert 0.45 < sum(mind.kind == "silent" for mind in gone) / len(gone) < 0.55


def test_times_come_from_the_distribution_of_where_one_vanishes():
    """Soon after the join, or some time after the match."""
    plan = Vanishing(1.0, waiting=0.5, after_join=Uniform(1.0, 1.0), after_match=Uniform(2.0, 2.0))
    minds = [Persona(vanishing=plan).intent(seed) for seed in range(50)]
    assert {(mind.vanish, mind.vanish_after) for mind in minds} == {("waiting", 1.0), ("talking", 2.0)}


@pytest.mark.parametrize(("given_", "most"), [(None, None), (3.5, 3.5), (Exponential(mean=1.0, most=2.0), 2.0)])
def test_patience_is_none_a_number_or_drawn(given_, most):
    """A number holds for everybody."""
    drawn = {Persona(patience=given_).intent(seed).patience for seed in range(20)}
    if given_ is None or isinstance(given_, float):
        assert drawn == {most}
    else:
        assert len(drawn) == 20
        assert max(drawn) <= most


@pytest.mark.parametrize(
    ("persona", "says"),
    [
        (SEARCHING, ["talks for 4 to 6 s, uniform", "searches 3 times at most", "log-normal, median 2 s", "skips 20%"]),
        (CHURNING, ["waits for exponential, mean 0.05 s, at most 0.5 s", "just as somebody else joins in 50% of his"]),
        (VANISHING, ["vanishes from 40% of his searches, after exponential"]),
        (FLOODING, ["floods for 8 to 16 s, uniform, 2 joins at once, 0.2 s apart"]),
        (replace(SEARCHING, friends=2, storm=8.0), ["befriends 2", "loses his socket every 8 s"]),
    ],
)
def test_a_persona_says_what_it_does(persona, says):
    """With the distributions of its times; a run keeps it."""
    assert [part for part in says if part not in str(persona)] == []


def test_the_share_of_real_sessions_is_about_what_was_asked():
    """Of many session ids, the chosen share is real."""
    ids = [str(UUID(int=n)) for n in range(4000)]
    real = sum(Persona(peer_share=0.25).is_real(id_) for id_ in ids)
    assert 0.22 < real / len(ids) < 0.28


def test_all_and_none_are_exact():
    """A share of 0 makes no session real, a share of 1 makes every one."""
    ids = [str(UUID(int=n)) for n in range(500)]
    assert not any(Persona(peer_share=0.0).is_real(id_) for id_ in ids)
    assert all(Persona(peer_share=1.0).is_real(id_) for id_ in ids)
