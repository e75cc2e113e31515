"""A trace is read as it was written, or its mistake is named with file and line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import Trouble
from harness.load.arrivals import schedule
from harness.load.trace import read_trace


@pytest.fixture
def trace(tmp_path):
    """Writes a trace."""

    def write(text: str):
        path = tmp_path / "day.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize(
    "text",
    [
        "0\n0.5\n0.5\n3\n",
        "# a day in May\n\n0\n 0.5 \n0.5\n3",
        "due\n0\n0.5\n0.5\n3\n",
        "user,Time,mode\na,0,global\nb,0.5,global\nc,0.5,global\nd,3,global\n",
        "\ufeffdue\r\n0\r\n0.5\r\n0.5\r\n3\r\n",
    ],
)
def test_one_due_time_per_line_or_a_column_of_csv(trace, text):
    """All these say the same four arrivals."""
    assert read_trace(trace(text)) == [0.0, 0.5, 0.5, 3.0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0\nsoon\n", "day.csv, line 2: “soon” is no due time: write seconds"),
        ("0\n-1\n", "day.csv, line 2: “-1” is no due time"),
        ("0\nnan\n", "line 2: “nan” is no due time"),
        ("# x\n5\n\n3.5\n", "day.csv, line 4: 3.5 comes before 5 of the line above: sort the lines"),
        ("user,due\na,1\nb\n", "day.csv, line 3: “” is no due time"),
        ("", "day.csv holds no arrival"),
        ("due\n", "day.csv holds no arrival"),
        ("1763900000\n", "day.csv begins at 1.7639e+09 s, which is a date: write seconds from the start"),
    ],
)
def test_a_mistake_is_named_with_its_line(trace, text, says):
    """One sentence says where and what to do."""
    with pytest.raises(Trouble) as caught:
        read_trace(trace(text))
    assert says in str(caught.value)
    assert caught.value.remedy


def test_a_missing_or_binary_file_is_named(tmp_path):
    """What cannot be read says why."""
    with pytest.raises(Trouble, match=r"missing.csv cannot be read \(No such file"):
        read_trace(tmp_path / "missing.csv")
    (tmp_path / "b").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(Trouble, match="it is no text"):
        read_trace(tmp_path / "b")


def test_a_trace_is_a_schedule(trace):
    """Who arrives, and when, is what the file says; other phases may stand around it."""
    path = trace("0\n0.5\n0.5\n3\n")
    due = schedule(f"trace:{path},constant:1/s*2", users=None, rate=1.0, duration=None, seed=1)
    assert [arrival.due for arrival in due.arrivals] == [0.0, 0.5, 0.5, 3.0, 3.0, 4.0]


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=40))
def test_what_is_written_is_read(tmp_path_factory, dues):
    """Any ascending times come back as they were."""
    path = tmp_path_factory.mktemp("trace") / "t"
    path.write_text("\n".join(map(repr, sorted(dues))))
    assert read_trace(path) == sorted(dues)
