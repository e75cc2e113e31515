"""Work that makes many objects and drops none is spared the search for garbage, which would look at all of them."""

from __future__ import annotations

import gc
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_GARBAGE = 20_000
"""Containers more than were freed, before the youngest generation is searched for cycles."""


def search_less_for_garbage() -> None:
    """For a process that generates load: what lives by now is not searched again, what comes is searched seldom.

    Users leave few cycles, and thousands who wait are many objects: with the defaults of the interpreter the search
    takes a fifth of the generator's time, and holds everybody up for some tenths of a second at once.
    """
    gc.freeze()
    gc.set_threshold(_GARBAGE, 50, 1000)


def without_collection(work: Callable[P, T]) -> Callable[P, T]:
    """The function, during which the interpreter collects no cycles: they wait until it is over."""

    @wraps(work)
    def undisturbed(*args: P.args, **kwargs: P.kwargs) -> T:
        if not gc.isenabled():
            return work(*args, **kwargs)
        gc.disable()
        try:
            return work(*args, **kwargs)
        finally:
            gc.enable()

    return undisturbed
