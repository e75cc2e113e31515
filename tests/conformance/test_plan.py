"""The plan: what a user is told before the first test."""

from __future__ import annotations

import pytest

from conformance.plan import plan
from conformance.requirements import CATALOGUE
from harness.target import Capabilities, Identities, Target

TARGET = Target(name="t", api_url="http://t/api", supabase_url="http://t", anon_key="k")
CHOSEN = [CATALOGUE[name] for name in ("REST-01", "SEC-JWT-13", "SEC-JWT-14")]


def test_it_says_how_much_and_how_long() -> None:
    """The number of requirements, the time, and an estimate in seconds; the queue's tests wait for its TTL."""
    wire, queue = plan(TARGET, CHOSEN)[0], plan(TARGET, [*CHOSEN, CATALOGUE["MM-S5"]])[0]
    assert wire == "3 requirements of t, in real time: about 3 s"
    assert queue == "4 requirements of t, in real time: about 124 s"
    with_rows = TARGET.model_copy(update={"capabilities": Capabilities(database_url="postgresql://h/d")})
    assert plan(with_rows, [CATALOGUE["MM-S5"]])[0] == "1 requirement of t, in real time: about 4 s"


@pytest.mark.parametrize(
    ("names", "seconds", "users"),
    [
        (["MM-S1"], 4, "some 160 users are"),
        (["MM-S1", "MM-L2", "MM-L3", "MM-L6"], 4, "some 160 users are"),
        (["MM-L4"], 124, "a few users are"),
        (["MM-S6"], 4, "some 50 users are"),
        (["DISC-6"], 80, "a few users are"),
        (["SEC-JWT-14"], 3, "a few users are"),
        (["LIM-5"], 3, "a few users are"),
        (list(CATALOGUE), 165, "some 4"),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, list) else "",
)
def test_the_estimate_is_of_what_was_chosen(names: list[str], seconds: int, users: str) -> None:
    """The waits of the tests that were chosen, once; the users of the bursts once for all that are judged from them."""
    first, *_, last = plan(TARGET, [CATALOGUE[name] for name in names])
    assert first.endswith(f"about {seconds} s")
    assert last.startswith(users)


def test_it_says_what_it_cannot_verify() -> None:
    """With nothing but URLs and a key, some requirements need more; with it, nothing is said of them."""
    lacking = [line for line in plan(TARGET, CHOSEN) if line.startswith("not verified")]
    assert lacking == [
        "not verified without the project's secret (jwt_secret under [identities]): SEC-JWT-13, SEC-JWT-14"
    ]
    given = TARGET.model_copy(update={"identities": Identities(jwt_secret="s" * 32)})
    assert not [line for line in plan(given, CHOSEN) if line.startswith("not verified")]


def test_a_long_list_is_cut() -> None:
    """A line of a terminal holds eight ids, and says how many more there are."""
    needy = [rule for rule in CATALOGUE.values() if "secret" in rule.needs]
    line = next(line for line in plan(TARGET, needy) if "jwt_secret" in line)
    assert line.endswith(f" and {len(needy) - 8} more")


def test_it_says_what_it_leaves_behind() -> None:
    """Users who were signed up cannot be deleted with an anon key; the other ways make none."""
    assert "whom an anon key cannot delete: they stay" in plan(TARGET, CHOSEN)[-1]
    for mode, says in (("jwt", "no account is made"), ("fixed", "the 1 listed users are used")):
        identities = Identities(mode=mode, jwt_secret="s" * 32, users=(("a@b", "c"),))
        assert says in plan(TARGET.model_copy(update={"identities": identities}), CHOSEN)[-1]


def test_what_the_target_offers_is_not_missed() -> None:
    """A target without push is told so."""
    rule = CATALOGUE["REST-01"].model_copy(update={"needs": ("push",)})
    silent = TARGET.model_copy(update={"capabilities": Capabilities(push=False)})
    assert any("push under [capabilities]" in line for line in plan(silent, [rule]))
    assert not any("push under" in line for line in plan(TARGET, [rule]))
