"""M02: whoever finds the lock taken goes away and waits for ever."""

from __future__ import annotations

from conformance.mutants._stepwise import step_by_step
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M02",
    "title": "a try-lock says busy and nobody retries",
    "why": "The document's find_match. The lock is held for 12 ms, as the document says (10 to 15 ms).",
    "names": ["MM-L2"],
    "racing": True,
}

TRY = """    if not pg_try_advisory_xact_lock(x'677572756b756c'::bigint) then
        return;
    end if;
    perform pg_sleep(0.012);"""


def mutate(server: Mutation) -> None:
    """The lock is tried, and a search that does not get it finds nobody."""
    step_by_step(
        server,
        ("    perform gurukul.lock_matching();", TRY),
    )
