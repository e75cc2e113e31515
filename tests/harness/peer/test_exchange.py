"""The four messages that prove a channel."""

from __future__ import annotations

from harness.peer.exchange import Exchange
from harness.peer.stage import Role


def test_both_sides_end_proven_and_settled():
    """Played out in full, each side knows that data went both ways."""
    sides = [Exchange(Role.OFFERER), Exchange(Role.ANSWERER)]
    message, turn, said = sides[0].opening(), 1, []
    while message is not None:
        said.append(message)
        message, turn = sides[turn].heard(message), 1 - turn
    assert said == ["hello", "echo", "confirm", "settled"]
    assert all(side.proven and side.settled for side in sides)


def test_one_direction_proves_nothing():
    """The answerer has heard hello, so one direction works; it cannot know about the other."""
    answerer = Exchange(Role.ANSWERER)
    assert answerer.heard("hello") == "echo"
    assert not answerer.proven


def test_foreign_messages_are_ignored():
    """A message of another kind, or of one's own role, proves nothing and is not answered."""
    offerer = Exchange(Role.OFFERER)
    assert [offerer.heard(message) for message in ("hello", b"echo", "what?", "confirm")] == [None] * 4
    assert not offerer.proven
