"""What a generator tells its starter."""

from __future__ import annotations

import os

import pytest

from harness.errors import Trouble
from harness.load.telling import Tally, Teller, read_told


@pytest.fixture
def pipe():
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as lines:
        yield lines, writer


def test_a_tally_arrives_as_it_was_sent(pipe):
    """Every figure comes through, with the number of the worker."""
    lines, writer = pipe
    tally = Tally(offered=10, started=7, dropped=1, matched=6, unmatched=1, finished=5, latest=0.25)
    Teller(writer, 3).tally(tally)
    os.close(writer)
    told = read_told(lines.readline())
    assert (told.worker, told.tally, told.trouble) == (3, tally, None)


def test_trouble_arrives_with_its_remedy(pipe):
    """The starter can raise what the generator ran into, even when it is long."""
    lines, writer = pipe
    Teller(writer).trouble(Trouble("x" * 5000, "look elsewhere"))
    os.close(writer)
    trouble = read_told(lines.readline()).trouble
    assert trouble.what == "x" * 1000
    assert trouble.remedy == "look elsewhere"


def test_nobody_needs_to_listen():
    """Without a pipe, or with a listener that has gone, telling does nothing."""
    Teller(None).tally(Tally())
    reader, writer = os.pipe()
    os.close(reader)
    teller = Teller(writer)
    teller.tally(Tally())
    teller.tally(Tally())
    os.close(writer)


@pytest.mark.parametrize(
    "line", [b"", b"{", b"7", b"{}", b'{"worker": "x", "tally": {}}', b'{"worker":0,"tally":{"odd":1}}']
)
def test_torn_and_foreign_lines_are_nothing(line):
    """A line that was cut off, or is no telling of ours, is passed over."""
    assert read_told(line) is None
