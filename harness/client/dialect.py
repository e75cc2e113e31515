"""The seam between a user and the wire of his target: what every dialect must be able to do, and in which words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from harness.protocol.changes import MessageSeen, SessionSeen


@dataclass(frozen=True, slots=True)
class Credentials:
    """An e-mail address and its password."""

    email: str
    password: str


@dataclass(slots=True)
class Account:
    """A signed-in user. Several devices may share one: pass it as the identity of the next participant.

    `stale_at` is the monotonic time (seconds) from which the access token should be refreshed.
    """

    user: str
    access_token: str
    refresh_token: str = ""
    stale_at: float = float("inf")


Identity = Credentials | Account


class CallRefused(Exception):
    """A call was answered, but not with success; `retry_after` is in seconds, None where the target names none."""

    def __init__(self, status: int, detail: str, retry_after: float | None = None) -> None:
        super().__init__(status, detail)
        self.status = status
        self.detail = detail
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.status} {self.detail}".rstrip()


class CallBroke(Exception):
    """A call had no answer that can be read: refused, reset, timed out, or not of this wire.

    `cause` is the exception below (it decides whether anything can have happened).
    """

    def __init__(self, detail: str, cause: BaseException) -> None:
        super().__init__(detail)
        self.detail = detail
        self.cause = cause


class NotAdmitted(Exception):
    """A user could not sign in or open his socket. This is about one user of a run, not about the run."""


class NotReached(NotAdmitted):
    """Nobody answered, or the connection broke: it may go better another time."""


@dataclass(frozen=True, slots=True)
class JoinAnswer:
    """What an accepted join was answered: the HTTP status, and the session where the reply names one."""

    status: int
    session: SessionSeen | None = None


class Listener(Protocol):
    """Hears what becomes of one subscription, and what it brings. All are plain calls in the socket's task."""

    def asked(self) -> None:
        """A subscription was asked for, the first time or after the socket came back."""

    def replied(self) -> None:
        """The target accepted it. Events may still be lost."""

    def ready(self) -> None:
        """It stands: from now on nothing is lost."""

    def refused(self, reason: str) -> None:
        """The target refused it, or closed it."""

    def lost(self, reason: str) -> None:
        """The socket broke; it will be asked for again when the socket is back."""

    def session(self, event: str, session: SessionSeen) -> None:
        """A session was made (`INSERT`) or changed (`UPDATE`)."""

    def message(self, message: MessageSeen) -> None:
        """A message was written."""


class LinkObserver(Protocol):
    """Hears what happens to a user's socket as a whole. All are plain calls."""

    def beat_sent(self) -> object:
        """A heartbeat goes out; what is returned is handed back with the answer."""

    def beat_answered(self, beat: object) -> None:
        """The answer to that heartbeat came."""

    def link_lost(self, reason: str) -> None:
        """The socket broke, and not because we closed it."""

    def link_back(self) -> None:
        """The socket stands again."""


class Watch(Protocol):
    """A subscription that stands or is being made."""

    async def stop(self) -> None:
        """Ends it; nothing is heard afterwards. May be called twice."""


class Link(Protocol):
    """A user's socket: it keeps itself open, and rejoins what was subscribed when it had to reconnect."""

    async def open(self) -> None:
        """Opens it. Raises NotAdmitted."""

    async def watch_matches(self, listener: Listener) -> Watch:
        """Asks to be told of new sessions of the user; returns once the target answered (or refused)."""

    async def watch_session(self, session_id: str, listener: Listener) -> Watch:
        """Asks to be told of messages in a session and of its end; returns once the target answered (or refused)."""

    def cut(self) -> None:
        """Loses the connection at once and without a word, as when a network changes; then it reconnects by itself."""

    def freeze(self) -> None:
        """Stops reading and answering, and leaves the connection open: a half-open peer."""

    async def close(self) -> None:
        """Closes it for good. May be called twice."""


class Dialect(Protocol):
    """Speaks one wire for all users of one target in this process. Calls raise CallRefused or CallBroke."""

    async def probe(self) -> None:
        """Looks whether the target is there and lets us in. Raises Trouble with what is wrong and what to do."""

    async def sign_in(self, identity: Identity | None) -> Account:
        """Makes or signs in a user. Raises Trouble where the target's settings forbid it, NotAdmitted else."""

    async def refresh(self, account: Account) -> None:
        """Renews the account's token where it is about to expire; the calls below do so by themselves."""

    async def join(self, account: Account, mode: str) -> JoinAnswer:
        """Puts the user into the queue."""

    async def leave(self, account: Account) -> int:
        """Takes the user out of the queue; returns the HTTP status."""

    async def status(self, account: Account) -> str:
        """Where the user stands: `waiting`, `matched`, `expired` or `idle`; refused where the target does not tell."""

    async def active_session(self, account: Account) -> SessionSeen | None:
        """The poll: an active session of the user, or None."""

    async def session(self, account: Account, session_id: str) -> SessionSeen | None:
        """One session by its id, whatever its status; None where the user may not see it."""

    async def end(self, account: Account, session_id: str) -> int:
        """Ends a session; returns the HTTP status."""

    async def skip(self, account: Account, session_id: str) -> bool:
        """Leaves a partner for another one; whether that ended the session (it may have been over)."""

    async def ask_friendship(self, account: Account, other: str) -> int:
        """Asks another user to be a buddy; returns the HTTP status."""

    async def accept_friendship(self, account: Account, asker: str) -> bool:
        """Accepts that; whether anything was there to accept."""

    async def send(self, account: Account, session_id: str, content: str) -> int:
        """Writes a message into a session; returns the HTTP status."""

    async def messages(self, account: Account, session_id: str) -> list[MessageSeen]:
        """All messages of a session, oldest first."""

    def link(self, account: Account, observer: LinkObserver) -> Link:
        """A socket for this user, not yet open."""
