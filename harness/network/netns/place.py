"""One host of the kernel network, lent to one peer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self

from harness.network.netns.internet import End, Internet
from harness.network.netns.sockets import Host, on


class KernelPlace:
    """A host behind its NATs, for one peer. `close` gives it back, to be lent again: close the peer's sockets first."""

    def __init__(
        self, internet: Internet, end: End, host: Host, servers: Sequence[Mapping[str, str]], left: Callable[[], None]
    ) -> None:
        self._internet, self._end, self._host, self._left = internet, end, host, left
        self._closed = self._cut = False
        self.name = "netns"
        self.ice_servers = servers

    @property
    def address(self) -> str:
        """The host's own address, behind its NATs."""
        return self._host.address

    def attached(self) -> AbstractContextManager[None]:
        """Whoever opens sockets inside this block (and in tasks started there) opens them on this host."""
        return on(self._host)

    def cut(self) -> None:
        """From now on all packets of this host are lost, both ways. Raises KeeperRefused when the lab is closed."""
        self._internet.cut(self._end)
        self._cut = True

    def heal(self) -> None:
        """Undoes `cut`."""
        self._internet.heal(self._end)
        self._cut = False

    def close(self) -> None:
        """Gives the host back. May be called twice."""
        if self._closed:
            return
        self._closed = True
        if self._cut:
            self.heal()
        self._left()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
