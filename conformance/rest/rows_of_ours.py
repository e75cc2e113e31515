"""Rows that a test makes for itself and takes away again: a queue entry of one's own, a friendship of two."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from conformance.trial import Trial
from conformance.wire.http import Reply
from harness.client.dialect import Account

OBJECT = "application/vnd.pgrst.object+json"
ROWS = "return=representation"


@asynccontextmanager
async def own_entry(trial: Trial) -> AsyncIterator[Account]:
    """A user who may write his own queue entry: nobody else is in the queue meanwhile, and he is out of it after."""
    account = await trial.shared("queuer")
    async with trial.queue():
        try:
            yield account
        finally:
            await trial.http.rest("DELETE", f"waiting_queue?user_id=eq.{account.user}", account)


async def entry_of(trial: Trial, account: Account) -> list[dict[str, Any]]:
    """The queue entries that a user sees of himself."""
    reply = await trial.http.rest("GET", f"waiting_queue?select=*&user_id=eq.{account.user}", account)
    return reply.expect(200).rows


@asynccontextmanager
async def friendship(trial: Trial, asks: Account, answers: Account) -> AsyncIterator[str]:
    """A pending row of `study_connections` between two users; gone when the block ends. Gives its id."""
    pair = pair_filter(asks, answers)
    await trial.http.rest("DELETE", f"study_connections?{pair}", asks)
    reply = await ask(trial, asks, answers)
    try:
        yield str(reply.expect(201).rows[0]["id"])
    finally:
        await trial.http.rest("DELETE", f"study_connections?{pair}", asks)


async def ask(trial: Trial, asks: Account, answers: Account, caller: Account | None = None, **more: Any) -> Reply:
    """The request for a friendship, in the name of `caller` (of who asks by default)."""
    row = {"requester_id": asks.user, "receiver_id": answers.user, "status": "pending", **more}
    return await trial.http.rest("POST", "study_connections?select=*", caller or asks, body=row, prefer=ROWS)


def pair_filter(first: Account, second: Account) -> str:
    """The nested group with which the app finds the friendship of two users, whoever asked (PROTOCOL 2.1)."""
    one = f"and(requester_id.eq.{first.user},receiver_id.eq.{second.user})"
    other = f"and(requester_id.eq.{second.user},receiver_id.eq.{first.user})"
    return f"or=({one},{other})"
