"""What all users of one process share: the HTTP connections to a target, and the dialect that it speaks."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from harness.client.connections import Connections
from harness.client.dialect import Dialect
from harness.client.http import Http
from harness.client.lean import LeanHttp
from harness.client.supabase import SupabaseDialect
from harness.protocol.phoenix import Vsn
from harness.target import Target

DIALECTS = {"supabase": SupabaseDialect}
"""Every dialect by its name in a target file."""


class Transport:
    """The connections to one target, as an async context manager.

    Args:
        target: the deployment.
        timeout: seconds that one HTTP call may take in all.
        lean: by the small client, for users without sockets who come by thousands a second.
        vsn: the frame version of the sockets; the deployed application's client speaks 1.0.0, newer ones 2.0.0.
    """

    def __init__(self, target: Target, *, timeout: float = 10.0, vsn: Vsn = "1.0.0", lean: bool = False) -> None:
        self.target = target
        self._lean = lean
        self._timeout = timeout
        self._vsn: Vsn = vsn
        self._http: Http | None = None
        self._dialect: Dialect | None = None

    @property
    def dialect(self) -> Dialect:
        """The wire of the target. Only inside the context."""
        if self._dialect is None:
            raise RuntimeError("a transport must be entered (async with) before it is used")
        return self._dialect

    async def __aenter__(self) -> Self:
        self._http = LeanHttp(self._timeout) if self._lean else Connections(self._timeout)
        self._dialect = DIALECTS[self.target.dialect](self.target, self._http, self._vsn)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._dialect = None
        if self._http is not None:
            await self._http.close()


async def probe(transport: Transport) -> None:
    """Looks whether the target is there, speaks our wire and takes the anon key.

    Raises:
        Trouble: with one line that says what is wrong and what to do.
    """
    await transport.dialect.probe()
