"""Stories that keep MM-L4, and stories that break it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.results.finding import Judgement

Judged = Callable[..., Judgement]

ALIVE = "0-0.1 A join\n" + "\n".join(f"{n}-{n}.1 A poll -" for n in (2, 4, 6, 8))

BAD = {
    "alive, and unknown to the target": ALIVE + "\n9-9.1 A status idle\n10-10.1 A poll -",
    "told that he is dropped, long before his time": "0-0.1 A join\n2-2.1 A poll -\n3-3.1 A status expired",
    "his row is gone, and nobody tells him": ALIVE
    + "\n8.5-8.6 A entry gone\n9-9.1 A status!\n10-10.1 A poll -\n12-12.1 A poll -",
    "his row is gone, and he is told otherwise": ALIVE
    + "\n8.5-8.6 A entry gone\n9.8-9.9 A status waiting\n10-10.1 A poll -\n12-12.1 A poll -",
}

GOOD = {
    "told after his time": ALIVE + "\n9-9.1 A status expired\n10-10.1 A poll -",
    "told after his time, by a target that drops in spite of life, and another came meanwhile": ALIVE
    + "\n6.2-6.3 B join\n8-8.1 B poll -\n9-9.1 A status expired",
    "silent for longer than the TTL": "0-0.1 A join\n9-9.1 A status idle",
    "he left": ALIVE + "\n8.5-8.6 A leave\n9-9.1 A status idle",
    "he may have left": ALIVE + "\n8.5-8.6 A leave?\n9-9.1 A status idle",
    "matched, and the partner has gone again": ALIVE + "\n8.5-8.6 B join\n8.7 B push X(A,B)\n9-9.1 A status idle",
    "a partner whom nobody saw may have taken him": ALIVE
    + "\n8.3-8.4 B join\n8.5 B disconnect close\n9-9.1 A status idle",
    "still waiting": ALIVE + "\n9-9.1 A status waiting",
    "his row is gone, and he is told": ALIVE + "\n8.5-8.6 A entry gone\n9-9.1 A status expired\n10-10.1 A poll -",
    "nobody asked": ALIVE + "\n8.5-8.6 A entry gone\n10-10.1 A poll -",
}


@pytest.mark.parametrize("name", BAD)
def test_breach(name: str, judged: Judged) -> None:
    """MM-L4 is broken, and nothing else."""
    judgement = judged(BAD[name])
    assert set(judgement.violations) == {"MM-L4"}, judgement.reason


def test_passed_over_after_the_ttl(judged: Judged) -> None:
    """He and a newcomer wait in vain, and nobody tells him: that the wake-up is lost (MM-L2) is as certain."""
    text = ALIVE + "\n7-7.1 B join\n10-10.1 A poll -\n10-10.1 B poll -\n10.5-10.6 A status!"
    judgement = judged(text)
    assert set(judgement.violations) == {"MM-L2", "MM-L4"}
    told = judged(text.replace("A status!", "A status expired"))
    assert told.violations == {}


@pytest.mark.parametrize("name", GOOD)
def test_no_breach(name: str, judged: Judged) -> None:
    """Nothing is broken."""
    judgement = judged(GOOD[name])
    assert judgement.violations == {}, judgement.results


@pytest.mark.parametrize(
    ("text", "checked"),
    [
        ("0-0.1 A join\n2-2.1 A poll -", 0),
        (ALIVE, 0),
        (ALIVE + "\n9-9.1 A status waiting", 1),
        (ALIVE + "\n8.5-8.6 B join\n8.7 B push X(A,B)", 1),
    ],
)
def test_what_was_checked(text: str, checked: int, judged: Judged) -> None:
    """A wait that did not outlast the TTL, or that nobody asked after, shows nothing."""
    result = next(result for result in judged(text).results if result.requirement == "MM-L4")
    assert result.checked == checked
    assert bool(result.detail) == (checked == 0)
