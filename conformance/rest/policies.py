"""Row-level security as a table: who tries what on which row, and whether it may come to pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from conformance.outcome import Breach, Inconclusive
from conformance.trial import Trial
from conformance.wire.http import NOTHING, Reply
from harness.client.dialect import Account

Who = Literal["anonymous", "stranger", "member", "former member"]
ROWS = "return=representation"


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: `who` (in the person of `caller`) sends `method` to `path`; `allowed` says whether it takes effect."""

    who: Who
    caller: Account | None
    method: Literal["GET", "POST", "PATCH", "DELETE"]
    path: str
    allowed: bool = False
    body: Any = NOTHING
    what: str = ""
    """Which of several attempts of this caller it is."""


async def walk(trial: Trial, cells: Sequence[Cell]) -> None:
    """Tries every cell, the forbidden ones first: what is allowed may end what they were tried on.

    Raises:
        Breach: naming the cell that broke.
    """
    for cell in sorted(cells, key=lambda cell: cell.allowed):
        prefer = None if cell.method == "GET" else ROWS
        reply = await trial.http.rest(cell.method, cell.path, cell.caller, body=cell.body, prefer=prefer)
        touched = _touched(reply, cell)
        if touched != cell.allowed:
            came = "took effect" if touched else "was refused or touched nothing"
            name = f"{cell.who}{f', {cell.what}' if cell.what else ''}"
            raise Breach(reply.breach(f"[{name}] {came}: {reply.described}").finding)
        trial.vouch()


def _touched(reply: Reply, cell: Cell) -> bool:
    """Whether rows came or were changed. A refusal is a 4xx; hidden rows are no rows."""
    if 400 <= reply.status < 500:
        return False
    if not 200 <= reply.status < 300:
        raise reply.breach(f"[{cell.who}] {reply.described}")
    return bool(reply.rows) if reply.raw else False


async def unchanged(trial: Trial, owner: Account, path: str, wanted: dict[str, Any]) -> None:
    """The owner still sees the row as it was, whatever the others' requests were answered.

    Raises:
        Breach: it is gone or changed.
    """
    reply = await trial.http.rest("GET", path, owner)
    rows = reply.expect(200).rows
    reply.must(len(rows) == 1 and wanted.items() <= rows[0].items(), f"after the others' attempts: {reply.described}")


def there(rows: Sequence[Any], what: str) -> None:
    """Without the row that the others must not see, the table would prove nothing. Raises Inconclusive."""
    if not rows:
        raise Inconclusive(f"there is no {what} to try this on")
