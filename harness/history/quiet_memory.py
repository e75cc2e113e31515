"""Work that makes many objects and drops none is spared the search for garbage, which would look at all of them."""

from __future__ import annotations

import gc
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


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
