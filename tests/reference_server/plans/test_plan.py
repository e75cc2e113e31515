"""The table of plans."""

from __future__ import annotations

from dataclasses import fields
from itertools import pairwise

from reference_server.plans.plan import PLANS, SOURCES, Plan


def test_every_figure_has_a_source() -> None:
    """A ceiling without a source is a guess."""
    assert set(SOURCES) == {field.name for field in fields(Plan)} - {"name"}


def test_a_dearer_plan_allows_no_less() -> None:
    """Each figure of a plan is at least that of the cheaper one."""
    order = [PLANS[name] for name in ("free", "pro", "team")]
    for cheaper, dearer in pairwise(order):
        for name in SOURCES:
            assert getattr(cheaper, name) <= getattr(dearer, name), name


def test_the_documented_ceilings() -> None:
    """The figures that the design document and the protocol name."""
    assert [PLANS[name].connections for name in ("none", "free", "pro", "team")] == [None, 200, 500, 10_000]
    assert [PLANS[name].messages_per_second for name in ("free", "pro", "team")] == [100, 500, 2500]
    assert {PLANS[name].database_connections for name in ("free", "pro", "team")} == {60}
    assert {plan.name for plan in PLANS.values()} == set(PLANS)
