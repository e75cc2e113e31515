"""`--require`: thresholds from the command line and from the target file, read before anything is started."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from harness.errors import Trouble
from harness.results.thresholds import parse_all
from harness.target import Target

_CONDITION = re.compile(r"[^-].*(<|>|==|!=)", re.DOTALL)


def required(options: Sequence[str], target: Target | None = None) -> tuple[str, ...]:
    """The thresholds that the options ask for, one text each; those of a target file are read as well.

    Raises:
        Trouble: one of them cannot be read.
    """
    try:
        _read(target.thresholds.require if target is not None else ())
    except Trouble as trouble:
        raise Trouble(f"the target file's thresholds: {trouble.what}", trouble.remedy, trouble.excerpt) from None
    return _read(options)


def _read(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(threshold.text for text in texts for threshold in parse_all(text))


def spread(arguments: Sequence[str]) -> list[str]:
    """The arguments with `--require A B` written as `--require A --require B`, as the command line wants it.

    What follows the first value belongs to the option as long as it holds a comparison.
    """
    return list(_spread(arguments))


def _spread(arguments: Sequence[str]) -> Iterator[str]:
    taking = value = False
    for argument in arguments:
        if taking and not value and _CONDITION.match(argument):
            yield "--require"
        elif not value:
            taking = argument == "--require" or argument.startswith("--require=")
        value = argument == "--require"
        yield argument
