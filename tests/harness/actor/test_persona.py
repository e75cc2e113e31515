"""What a persona decides, it decides from seeds and ids alone."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from harness.actor.persona import Persona


@given(st.integers())
def test_talk_times_are_within_bounds_and_repeatable(seed):
    """The same seed talks equally long, and never longer or shorter than the persona may."""
    persona = Persona(talk=(4.0, 6.0))
    assert 4.0 <= persona.talk_time(seed) <= 6.0
    assert persona.talk_time(seed) == persona.talk_time(seed)


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
