"""Beats and their answers."""

from __future__ import annotations

from harness.peer.heartbeat import MISSES, Heartbeat, answer_to


def test_three_beats_without_an_answer_are_death():
    """A beat counts as missed when the next one is due; the third miss is the end, and an answer brings life back."""
    heart = Heartbeat()
    heart.heard(answer_to(heart.beat(0.0)), 0.1)
    beats = [heart.beat(1.0 + at) for at in range(MISSES)]
    assert (heart.missed, heart.dead) == (MISSES - 1, False)
    heart.beat(9.0)
    assert heart.dead
    heart.heard(answer_to(beats[-1]), 9.5)
    assert not heart.dead


def test_the_round_trip_is_the_mean_of_answered_beats():
    """Answers may be later than the next beat; each counts from its own beat."""
    heart = Heartbeat()
    first, second = heart.beat(0.0), heart.beat(1.0)
    heart.heard(answer_to(first), 1.2)
    heart.heard(answer_to(second), 1.4)
    assert (heart.answered, round(heart.rtt, 9)) == (2, 0.8)


def test_other_messages_are_no_beats():
    """Only beats are answered, and only answers to our own beats show life."""
    assert [answer_to(message) for message in ("hello", b"ping 1", "pong 1", "ping 7")] == [None, None, None, "pong 7"]
    heart = Heartbeat()
    heart.beat(0.0)
    for message in ("pong 2", "ping 1", b"pong 1", "pong"):
        heart.heard(message, 0.1)
    assert (heart.answered, heart.rtt) == (0, None)


def test_a_long_silence_costs_no_memory():
    """Beats without an answer are forgotten after a while."""
    heart = Heartbeat()
    for at in range(1000):
        heart.beat(float(at))
    assert len(heart._waiting) < 100
