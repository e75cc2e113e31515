"""What an engine is: the interface that both matchmaking engines (and every mutant) offer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable
from uuid import UUID

from reference_server.jobs.schedule import Job


@dataclass(frozen=True, slots=True)
class Match:
    """A match as the joining user is told of it. The offerer is the member who must make the WebRTC offer."""

    session_id: UUID
    partner_id: UUID
    offerer_id: UUID


State = Literal["waiting", "matched", "expired", "idle"]


@dataclass(frozen=True, slots=True)
class Status:
    """Where a user stands: he waits, has a session (`match`), was dropped for want of signs of life, or none of it."""

    state: State
    match: Match | None = None


class NotQueued(Exception):
    """A join that the engine could not carry out: it took no effect, and the sentence says why."""


class NoSuchUser(NotQueued):
    """A join by a user who has been deleted; his token may still be good."""

    def __init__(self, user: UUID) -> None:
        super().__init__(f"there is no user {user}")


JoinResult = Literal["matched", "waiting", "rate_limited", "no_such_user", "failed", "stopping"]
"""What became of a join, in one word."""

Announce = Callable[[UUID, UUID, UUID], None]
"""Is told of each match that a join has made, once it is committed: session and members. Cheap, and never raises."""


def tell_nobody(_session: UUID, _one: UUID, _other: UUID) -> None:
    """The Announce of an engine that nobody listens to."""


class Observer(Protocol):
    """Is told what happens in an engine, for whoever measures it. Cheap, and never raises. Times in seconds."""

    def matched(self, waited: float) -> None:
        """A user was matched, so long after his join."""

    def batch(self, joins: int, seconds: float, lock_wait: float) -> None:
        """A batch of so many users has committed; it began so long ago, and waited so long for the lock."""

    def entered(self, user: UUID) -> None:
        """A user waits from now on: an engine that cannot say later how long tells this, and then `paired`."""

    def left(self, user: UUID) -> None:
        """Such a user does not wait any more."""

    def paired(self, *users: UUID) -> None:
        """Such users have been matched."""

    def find_match(self, seconds: float, *, busy: bool) -> None:
        """A call of `find_match` has ended; `busy`: another one held the lock."""


class Unobserved:
    """The Observer of an engine that nobody measures."""

    def matched(self, waited: float) -> None: ...
    def batch(self, joins: int, seconds: float, lock_wait: float) -> None: ...
    def entered(self, user: UUID) -> None: ...
    def left(self, user: UUID) -> None: ...
    def paired(self, *users: UUID) -> None: ...
    def find_match(self, seconds: float, *, busy: bool) -> None: ...


class Engine(Protocol):
    """Puts users into the queue and pairs them. All methods may be called at once, from many tasks."""

    name: str
    announce: Announce
    """Set by whoever wants to know; `tell_nobody` before."""
    observer: Observer
    """Set by whoever measures."""

    def jobs(self) -> Sequence[Job]:
        """What must be done from time to time, by one instance for all."""

    async def start(self) -> None:
        """Makes the engine ready; called once, after the schema is installed."""

    async def stop(self) -> None:
        """Finishes what is under way and ends the engine's tasks. May be called twice."""

    async def join(self, user: UUID, mode: str) -> Match | None:
        """Queues a user (`mode` is `buddies_first` or `global`).

        Returns the match where the engine tells the caller at once (hardened), None where he waits or must look
        for himself (documented, always). The user's own active session is ended first.

        Raises:
            NoSuchUser: the user has been deleted.
        """

    async def leave(self, user: UUID) -> None:
        """Removes the user's queue entry; no match may follow."""

    async def alive(self, user: UUID) -> None:
        """A sign of life came from this user: a poll, or a heartbeat of his socket. Must be cheap."""

    async def vanished(self, user: UUID) -> None:
        """The user's last socket has been gone for longer than the grace period."""


@runtime_checkable
class TellsStatus(Protocol):
    """An engine that tells a user where he stands (the documented one leaves him to find out)."""

    async def status(self, user: UUID) -> Status:
        """Where this user stands now. `expired` holds until he joins or leaves."""
