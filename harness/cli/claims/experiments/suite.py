"""The conformance suite, run once on each engine on those requirements that claims refer to."""

from __future__ import annotations

from collections.abc import Sequence

from harness.cli.claims.claim import Experiment, Place
from harness.cli.suite import run_suite
from harness.cli.targets import Opened, write_target
from harness.lab.crash import crashable
from harness.results.run import RequirementResult

Requirements = dict[str, RequirementResult]


def suite_of(ids: Sequence[str]) -> Experiment[Requirements]:
    """The experiment that tests these requirements."""

    async def suite(place: Place) -> Requirements:
        async with place.deployed("conform", time="scaled") as deployed, crashable(deployed) as there:
            opened = Opened(there.target, write_target(there.target, place.folder))
            run = await run_suite(opened, place.folder, place.progress, k=" or ".join(ids))
        return {result.id: result for result in run.requirements if result.id in ids}

    return Experiment("conformance suite", suite)
