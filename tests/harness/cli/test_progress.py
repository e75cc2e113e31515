"""Progress: lines that stay, and few of them where nobody watches."""

import io

import pytest

from harness.cli import progress
from harness.cli.progress import Progress


def test_a_short_step_says_its_last_word_alone(capsys: pytest.CaptureFixture):
    """Away from a terminal there is one line for a step, when it has ended."""
    with Progress() as shown, shown.stage("work") as stage:
        stage.say("half")
        stage.say("all of it")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("work: all of it (")


def test_a_long_step_speaks_now_and_then(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch):
    """Once the interval is over, the next word is said."""
    monkeypatch.setattr(progress, "_PLAIN_INTERVAL", 0.0)
    with Progress() as shown, shown.stage("work", "starting") as stage:
        stage.say("half")
        stage.result("done")
    assert [line.partition(" (")[0] for line in capsys.readouterr().err.splitlines()] == [
        "work: starting", "work: half", "work: done",
    ]  # fmt: skip


def test_a_step_that_breaks_says_nothing(capsys: pytest.CaptureFixture):
    """The trouble's own line is enough."""
    with pytest.raises(ZeroDivisionError), Progress() as shown, shown.stage("work"):
        raise ZeroDivisionError
    assert capsys.readouterr().err == ""


def test_details_are_for_whoever_asked(capsys: pytest.CaptureFixture):
    """`-v` shows them."""
    for verbose in (0, 1):
        with Progress(verbose) as shown:
            shown.detail("fine print")
    assert capsys.readouterr().err == "fine print\n"


def test_on_a_terminal_the_line_is_live(monkeypatch: pytest.MonkeyPatch):
    """There a step moves, and its last word stays like elsewhere."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with Progress() as shown, shown.stage("work") as stage:
        assert shown.rich is not None
        stage.say("half [of] it")
    assert "work: half [of] it (" in terminal.getvalue()
