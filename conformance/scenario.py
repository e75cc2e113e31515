"""How a test says which requirement it checks, and how the suite finds it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from conformance.requirements import CATALOGUE
from conformance.trial import Trial

if TYPE_CHECKING:
    from conformance.suite import Suite

Scenario = Callable[[Trial], Awaitable[None]]


def requires(requirement: str) -> Callable[[Scenario], Callable[[Suite], None]]:
    """Makes a coroutine `test(trial)` the test of one requirement of the catalogue.

    The suite plays the coroutines of all chosen requirements side by side; the function that pytest calls only asks
    what became of its own.
    """
    if requirement not in CATALOGUE:
        raise KeyError(f"{requirement} is not in the catalogue")

    def decorate(scenario: Scenario) -> Callable[[Suite], None]:
        def test(suite: Suite) -> None:
            suite.answer(requirement)

        test.__name__ = getattr(scenario, "__name__", requirement)
        test.__doc__ = scenario.__doc__
        test.__module__ = scenario.__module__
        test.requirement = requirement  # type: ignore[attr-defined]
        test.scenario = scenario  # type: ignore[attr-defined]
        return test

    return decorate
