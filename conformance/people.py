"""Users whom several tests share: signed in once, by a name, and taken out of everything at the end."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from harness.client.dialect import Account, CallBroke, CallRefused, NotAdmitted
from harness.errors import Trouble

if TYPE_CHECKING:
    from conformance.stage import Stage

CLEARING = 15.0
"""Seconds that taking the shared users out of the queue and their sessions may take."""
_SESSIONS = 5
"""Sessions of one user that are ended at most; a sound target has one."""


class People:
    """The shared users of a stage."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._known: dict[str, asyncio.Task[Account]] = {}

    async def get(self, name: str) -> Account:
        """The user of this name; the first to ask signs him in, and the others wait for it.

        Raises:
            Trouble: the target's settings or the target file cannot give us a user.
            NotAdmitted: this sign-in failed (every test that needs this user hears the same).
        """
        if name not in self._known:
            self._known[name] = asyncio.create_task(self._sign_in())
        return await asyncio.shield(self._known[name])

    async def scout(self) -> None:
        """Lets one user in before the tests start: where nobody gets in, every test would say so in its own way.

        Raises:
            Trouble: he does not get in.
        """
        try:
            await self.get("stranger")
        except NotAdmitted as refusal:
            raise Trouble(
                f"no user gets into the target ({refusal})", "look at its sign-up settings and limits"
            ) from None

    async def close(self) -> None:
        """Takes everybody out of the queue and his sessions."""
        for task in self._known.values():
            task.cancel()
        came = await asyncio.gather(*self._known.values(), return_exceptions=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(CLEARING):
                await asyncio.gather(*(self._retire(one) for one in came if isinstance(one, Account)))

    async def _sign_in(self) -> Account:
        async with self._stage.door:
            return await self._stage.transport.dialect.sign_in(None)

    async def _retire(self, account: Account) -> None:
        dialect = self._stage.transport.dialect
        with suppress(CallRefused, CallBroke):
            await dialect.leave(account)
            for _ in range(_SESSIONS):
                session = await dialect.active_session(account)
                if session is None:
                    return
                await dialect.end(account, session.id)
