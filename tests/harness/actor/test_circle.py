"""Who comes befriends some of those who came last."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.actor.circle import Circle


@dataclass(eq=False)
class Person:
    """Notes whom he befriends; whoever is in `cold` does not accept."""

    user: str
    asked: list[str] = field(default_factory=list)
    cold: frozenset[str] = frozenset()

    async def befriend(self, other: Person) -> bool:
        self.asked.append(other.user)
        return other.user not in self.cold


async def test_the_first_finds_nobody_and_later_ones_find_their_friends():
    """As many as are wanted, no one twice, and himself never."""
    circle = Circle()
    people = [Person(f"u{n}") for n in range(20)]
    made = [await circle.welcome(person, 3, seed) for seed, person in enumerate(people)]
    assert made[:4] == [0, 1, 2, 3]
    assert set(made[4:]) == {3}
    for person in people:
        assert len(set(person.asked)) == len(person.asked)
        assert person.user not in person.asked


async def test_friends_are_among_those_who_came_last():
    """They will search at about the same time."""
    circle = Circle()
    for n in range(30):
        await circle.welcome(Person(f"u{n}"), 0, n)
    comer = Person("comer")
    await circle.welcome(comer, 2, 5)
    assert {int(user[1:]) for user in comer.asked} <= set(range(24, 30))


async def test_who_has_gone_is_not_asked_and_who_refuses_is_no_friend():
    """The count is of those who accepted."""
    circle = Circle()
    gone, cold = Person("gone"), Person("cold")
    for person in (gone, cold):
        await circle.welcome(person, 0, 1)
    circle.leave(gone)
    circle.leave(gone)
    comer = Person("comer", cold=frozenset({"cold"}))
    assert await circle.welcome(comer, 3, 1) == 0
    assert comer.asked == ["cold"]
