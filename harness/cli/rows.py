"""What only the database tells of a swarm, added to its history: when each session was made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.cli.progress import Progress
from harness.errors import Trouble
from harness.history.journal import Journal
from harness.history.op import Op, Outcome, Via
from harness.results.store import RunFolder
from harness.target import Target

if TYPE_CHECKING:
    from harness.load.swarm import SwarmPlan


async def add_rows(plan: SwarmPlan, target: Target, folder: RunFolder, progress: Progress, joined_from: float) -> None:
    """Adds an op `born` for each session made since, where users looked for their match only afterwards.

    Where the database cannot be reached any more there is nothing to add, and the progress says so.

    Args:
        plan: of the swarm that is over.
        target: one that gives its database; of another nothing is added.
        folder: where the swarm left its history.
        progress: hears of trouble.
        joined_from: seconds of the monotonic clock; older sessions are not this swarm's.
    """
    from harness.lab.sessions import sessions_made
    from harness.load.joins import SCENARIO

    if plan.scenario != SCENARIO or not target.capabilities.database_url:
        return
    try:
        made = [session for session in await sessions_made(target) if session.at >= joined_from]
    except Trouble as trouble:
        progress.note(f"{target.name}: when sessions were made is not known: {trouble.what}")
        return
    process = f"{target.name}.swarm.rows"
    with Journal(folder.path / f"history.{target.name}.swarm.rows.ndjson") as journal:
        for n, one in enumerate(made, 1):
            value = {"session": one.value()}
            journal.append(Op(n, one.at, one.at, process, "", "", "born", Outcome.OK, Via.DB, value, plan.seed))
