"""Thresholds are read as they are meant, or the place where they say nothing is shown."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import Trouble
from harness.results.finding import Verdict
from harness.results.generator import GeneratorHealth
from harness.results.run import Pairs, TargetFigures
from harness.results.spread import Spread
from harness.results.thresholds import names, parse, parse_all

FIGURES = TargetFigures(
    name="hardened", verdict=Verdict.VALID, joins=200, matches=90, correct_matches=90, correct_matches_per_s=612.5,
    violations={"MM-S1": 2, "MM-L2": 1}, unmatched_users=20, censored_waits=20, offered_per_s=50.0, achieved_per_s=49.5,
    join_to_match_ms=Spread(count=180, p50=20.0, p90=80.0, p95=100.0, p99=180.0, max=250.0),
    pairs=Pairs(attempted=10, connected=9, success_rate=0.9), generator=GeneratorHealth(loop_lag_p99_ms=4.0, cpu=0.4),
)  # fmt: skip
ENDED = FIGURES.model_copy(update={"censored_waits": 0})


@pytest.mark.parametrize(
    "text",
    [
        "matches_per_s>500",
        "correct_matches_per_s >= 612.5/s",
        "violations==3",
        "violations.MM-S1==2",
        "violations.MM-S2==0",
        "joins!=100",
        "join_to_match_ms.p99<200",
        "join_to_match_ms.p99<200ms",
        "join_to_match_ms.p99 < 0.2s",
        "join_to_match_ms.max<=2.5e2",
        "success_rate>=90%",
        "pairs.success_rate>0.8",
        "achieved_rate>=98%",
        "generator.loop_lag_p99_ms<5",
        "loop_lag_ms<5",
        "generator.cpu<50%",
        "matches<1_000",
    ],
)
def test_what_holds(text):
    """Each of these is true of the figures; its text is kept as it was written."""
    threshold = parse(text)
    assert threshold.text == text
    assert threshold.check(ENDED) is None
    assert threshold.result(ENDED).held


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("matches_per_s>700", "correct_matches_per_s is 612.5"),
        ("violations==0", "violations is 3"),
        ("violations.MM-L2<1", "violations.MM-L2 is 1"),
        ("join_to_match_ms.p99<0.1s", "join_to_match_ms.p99 is 180"),
        ("success_rate>95%", "pairs.success_rate is 0.9"),
        ("time_to_connect_ms.p50<100", "pairs.time_to_connect_ms.p50 was not measured"),
    ],
)
def test_what_is_broken_says_what_the_figure_is(text, says):
    """One sentence with the figure; a figure that was not measured holds nothing."""
    result = parse(text).check(ENDED)
    assert (result.held, result.text, result.sentence) == (False, text, says)


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("join_to_match_ms.p50<100", True),
        ("join_to_match_ms.p90<100", True),
        ("join_to_match_ms.p95<150", False),
        ("join_to_match_ms.p99<99999", False),
        ("join_to_match_ms.max<99999", False),
        ("join_to_match_ms.p99>100", True),
        ("censored_rate==10%", True),
        ("censored_waits<=20", True),
    ],
)
def test_a_wait_that_did_not_end_is_never_a_quick_one(text, held):
    """With a tenth of the waits unfinished, nothing is known of the slowest tenth, whatever the others took."""
    result = parse(text).result(FIGURES)
    assert result.held is held
    assert held or "20 of 200 waits did not end" in result.sentence


@pytest.mark.parametrize(
    "text",
    ["joins>1 matches>2", "joins>1,matches>2", "joins>1; matches>2", "joins>1 and matches>2", " joins>1\nmatches>2 "],
)
def test_one_text_may_hold_several(text):
    """White space, commas, semicolons and `and` part them."""
    assert [threshold.text for threshold in parse_all(text)] == ["joins>1", "matches>2"]


@pytest.mark.parametrize(
    ("text", "at", "says"),
    [
        ("", 0, "a threshold was expected"),
        ("   ", 3, "a threshold was expected"),
        (">5", 0, "the name of a figure was expected"),
        ("joins", 5, "one of < <= > >= == != was expected"),
        ("joins = 5", 6, "one of < <= > >= == != was expected"),
        ("joins > many", 8, "a number was expected"),
        ("joins >> 5", 7, "a number was expected"),
        ("joins > 5 < 3", 10, "the name of a figure was expected"),
        ("joins>5<3", 7, "the threshold should end here"),
        ("join_to_match_ms.p99<200h", 24, "“h” is no unit of join_to_match_ms.p99 (there is 'ms', 's', 'us')"),
        ("joins>5%", 7, "“%” is no unit of joins (there is none)"),
        ("joins>5, nonsense<3", 9, "there is no figure “nonsense”"),
        ("joins>5 joins>6", 8, "one threshold was expected"),
    ],
)
def test_nonsense_is_shown_with_its_place(text, at, says):
    """The trouble names the character, its excerpt points at it, and lists the names that there are."""
    with pytest.raises(Trouble) as caught:
        parse(text)
    assert says in caught.value.what
    assert f"character {at + 1}:" in caught.value.what
    shown, caret, *listed = caught.value.excerpt.split("\n")
    assert (shown, caret) == (f"  {text}", " " * (at + 2) + "^")
    assert "join_to_match_ms.p99" in "".join(listed)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("join_to_match.p99", "join_to_match_ms.p99"),
        ("match_per_s", "matches_per_s"),
        ("violation", "violations"),
        ("time_to_connect.p50", "time_to_connect_ms.p50"),
        ("succes_rate", "success_rate"),
    ],
)
def test_a_name_that_is_nearly_right_is_suggested(name, meant):
    """A slip of the pen costs one look."""
    with pytest.raises(Trouble, match=f"did you mean {meant}\\?"):
        parse(f"{name}<1")


@given(st.sampled_from(sorted(names())), st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), st.floats(-1e9, 1e9))
def test_every_figure_can_be_required(name, sign, limit):
    """Every name that is listed is read, and says something of any run."""
    threshold = parse(f"{name} {sign} {limit!r}")
    assert (threshold.name, threshold.operator, threshold.limit) == (name, sign, limit)
    assert threshold.result(FIGURES).sentence


@given(st.text(string.printable, max_size=40))
def test_any_text_is_thresholds_or_trouble(text):
    """Nothing that can be written ends in anything but thresholds or a place."""
    try:
        assert parse_all(text)
    except Trouble as trouble:
        assert trouble.excerpt
