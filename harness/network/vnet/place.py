"""One peer's place in the in-process network: its host, and the NATs before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from harness.network.host_addresses import offered
from harness.network.vnet.box import NatBox
from harness.network.vnet.host import Host
from harness.network.vnet.realm import Line


class VirtualPlace:
    """A fresh host for one peer. As a context manager it is closed at the end."""

    def __init__(
        self,
        host: Host,
        boxes: Sequence[NatBox],
        ice_servers: Sequence[Mapping[str, str]],
        leave: Callable[[VirtualPlace], None],
    ) -> None:
        self.host = host
        self.boxes = boxes
        """The NATs of its own, innermost first."""
        self.ice_servers = ice_servers
        self._leave = leave
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def line(self) -> Line:
        """The line to the internet: its conditions may be changed, and it may be cut."""
        line = self.boxes[-1].line if self.boxes else self.host.line
        assert isinstance(line, Line)  # noqa: S101  the outermost node has one
        return line

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Sockets opened inside this block, and in tasks started there, are this host's."""
        with self.host.entered(), offered(self.host.addresses):
            yield

    def cut(self) -> None:
        """From now on nothing comes or goes, and nobody is told: a blackhole."""
        self.line.up.cut = self.line.down.cut = True

    def heal(self) -> None:
        """Packets come and go again."""
        self.line.up.cut = self.line.down.cut = False

    def close(self) -> None:
        """Gives the host and its NATs up, with all sockets that are still open. May be called twice."""
        if self._closed:
            return
        self._closed = True
        self.host.close()
        for box in self.boxes:
            box.close()
        self._leave(self)
