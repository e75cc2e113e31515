"""Joins at full speed: every one counted, and an answer that is none said."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import Trouble
from harness.lab.deployment import deployment
from harness.lab.joiners import join_rate
from harness.lab.mutants import built_in_folder
from harness.lab.postgres import Cluster


async def test_every_join_of_the_hardened_engine_ends_in_a_correct_match(cluster: Cluster, tmp_path: Path) -> None:
    """An even number of users joins, and each is in one session of two."""
    settings: dict[str, object] = {"mutant": built_in_folder() / "_noop.py"}
    async with deployment("hardened", cluster, tmp_path / "server.log", settings=settings) as there:
        rate = await join_rate(there.target, 120)
    assert (rate.joins, rate.correct_matches, rate.at_once, rate.mode) == (120, 60, 32, "buddies_first")
    assert rate.correct_matches_per_s == pytest.approx(rate.joins_per_s / 2, rel=0.01)
    assert rate.of_noop == pytest.approx(rate.joins_per_s / rate.noop_per_s)


async def test_a_refusal_ends_it_in_the_servers_words(cluster: Cluster, tmp_path: Path) -> None:
    """Without the route that does nothing the joiners say what they were answered."""
    async with deployment("hardened", cluster, tmp_path / "server.log") as there:
        with pytest.raises(Trouble, match="404"):
            await join_rate(there.target, 2)
