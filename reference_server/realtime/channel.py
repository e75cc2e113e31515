"""A joined topic of one socket, and what its client may do there."""

from __future__ import annotations

from asyncio import TimerHandle
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reference_server.realtime.frames import Version
from reference_server.realtime.identity import Identity
from reference_server.realtime.subscriptions import Binding

TOPIC_PREFIX = "realtime:"


@dataclass(frozen=True, slots=True)
class Rights:
    """What row-level security on `realtime.messages` allows in a private channel; all of it in a public one."""

    read_broadcast: bool = True
    read_presence: bool = True
    write_broadcast: bool = True
    write_presence: bool = True

    @property
    def may_read(self) -> bool:
        return self.read_broadcast or self.read_presence

    def loses_reading(self, former: Rights) -> bool:
        """Whether something could be read under `former` and cannot be any more."""
        return former.read_broadcast > self.read_broadcast or former.read_presence > self.read_presence


EVERYTHING = Rights()


def room_of(name: str, private: bool) -> str:
    """Where broadcasts and presence of a topic meet: a private and a public channel of one name do not."""
    return ("private/" if private else "public/") + name


@dataclass(slots=True, eq=False)
class Channel:
    """A joined topic of one socket. `problem` is set instead of bindings where these could not be read.

    `listed` are its bindings as its join's reply names them, until that is sent; `expiry` is its token's timer.
    `open` until it is left; `joined` once the join was answered (a private one waits for its authorisation).
    """

    socket: int
    version: Version
    topic: str
    join_ref: Any
    identity: Identity
    bindings: tuple[Binding, ...] = ()
    problem: str = ""
    private: bool = False
    ack: bool = False
    echo: bool = False
    presence: bool = False
    presence_key: str = ""
    tracked: dict[str, Any] | None = None
    rights: Rights = EVERYTHING
    open: bool = True
    joined: bool = True
    listed: Sequence[dict[str, Any]] = ()
    expiry: TimerHandle | None = None
    track_calls: int = 0
    track_window_ends: float = 0.0

    @property
    def name(self) -> str:
        return self.topic.removeprefix(TOPIC_PREFIX)

    @property
    def room(self) -> str:
        return room_of(self.name, self.private)
