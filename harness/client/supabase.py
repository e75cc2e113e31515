"""The dialect of the document: Supabase Auth, REST and Realtime, and the application's own matching routes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import quote

from harness.client.auth import Accounts
from harness.client.dialect import (
    Account,
    CallBroke,
    Identity,
    JoinAnswer,
    Link,
    LinkObserver,
    Listener,
    Watch,
)  # fmt: skip
from harness.client.http import Answer, Http, call
from harness.client.reachability import probe
from harness.client.realtime import Socket, Subscription
from harness.protocol.changes import Change, MessageSeen, SessionSeen, match_of, message_of, session_of, status_of
from harness.protocol.channel import Binding, Changed, Channel, Closed, Happening, Joined, Ready, Refused
from harness.protocol.malformed import Malformed
from harness.protocol.phoenix import Vsn
from harness.protocol.postgrest import (
    RestCall,
    accept_friendship,
    active_session_of,
    ask_friendship,
    end_session,
    messages_of,
    send_message,
    session_by_id,
    skip_partner,
)  # fmt: skip
from harness.target import Target

HEARTBEAT = 25.0
"""Seconds between heartbeats of the official clients (PROTOCOL 1.3)."""

T = TypeVar("T")


class SupabaseDialect:
    """All users of one target in this process, over shared HTTP connections."""

    def __init__(self, target: Target, http: Http, vsn: Vsn = "1.0.0") -> None:
        self._target = target
        self._http = http
        self._vsn: Vsn = vsn
        self._accounts = Accounts(target, http)

    async def probe(self) -> None:
        """Looks whether the target is there and lets us in (see `harness.client.reachability`)."""
        await probe(self._target, self._http, self._socket_url())

    async def sign_in(self, identity: Identity | None) -> Account:
        """Makes or signs in a user, by the target's identities or by the one given."""
        return await self._accounts.sign_in(identity)

    async def refresh(self, account: Account) -> None:
        """Renews the token at Auth, or mints a new one."""
        await self._accounts.refresh_if_stale(account)

    async def join(self, account: Account, mode: str) -> JoinAnswer:
        """`POST /api/matching/join`; a hardened target may name the match at once (PROTOCOL 4)."""
        answer = await self._matching(account, "join", {"matchMode": mode})
        return JoinAnswer(answer.status, _read(lambda: match_of(answer.body, account.user)))

    async def leave(self, account: Account) -> int:
        """`POST /api/matching/leave`."""
        return (await self._matching(account, "leave", {})).status

    async def status(self, account: Account) -> str:
        """`GET /api/matching/status`, which a hardened target offers; the documented one answers 404."""
        body = (await self._matching(account, "status", None)).body
        return _read(lambda: status_of(body))

    async def active_session(self, account: Account) -> SessionSeen | None:
        """The document's poll: the first active session that names the user."""
        return _first(await self._rest(account, active_session_of(account.user)), session_of)

    async def session(self, account: Account, session_id: str) -> SessionSeen | None:
        """One row of `chat_sessions`; row-level security hides those of others."""
        return _first(await self._rest(account, session_by_id(session_id)), session_of)

    async def end(self, account: Account, session_id: str) -> int:
        """Sets the session's status to ended, as the document's client does."""
        return (await self._rest(account, end_session(session_id, datetime.now(UTC).isoformat()))).status

    async def skip(self, account: Account, session_id: str) -> bool:
        """`rpc/skip_partner`, which answers a bare boolean."""
        answer = await self._rest(account, skip_partner(account.user, session_id))
        return answer.body is True

    async def ask_friendship(self, account: Account, other: str) -> int:
        """Inserts a pending row into `study_connections`."""
        return (await self._rest(account, ask_friendship(account.user, other))).status

    async def accept_friendship(self, account: Account, asker: str) -> bool:
        """Sets that row to accepted, which the one who was asked may do alone."""
        return bool(_rows(await self._rest(account, accept_friendship(asker, account.user))))

    async def send(self, account: Account, session_id: str, content: str) -> int:
        """Inserts a row into `messages`."""
        return (await self._rest(account, send_message(session_id, account.user, content))).status

    async def messages(self, account: Account, session_id: str) -> list[MessageSeen]:
        """The rows of `messages` of a session, oldest first."""
        rows = _rows(await self._rest(account, messages_of(session_id)))
        return _read(lambda: [message_of(row) for row in rows])

    def link(self, account: Account, observer: LinkObserver) -> Link:
        """A Realtime socket for this user."""
        beat = min(HEARTBEAT, self._target.budgets.queue_ttl / 3)
        return SupabaseLink(
            Socket(self._socket_url(), vsn=self._vsn, token=lambda: account.access_token, beat=beat, observer=observer),
            account,
        )

    def _socket_url(self) -> str:
        return f"{self._target.realtime_url}?apikey={quote(self._target.anon_key)}&vsn={self._vsn}"

    async def _matching(self, account: Account, verb: str, body: dict[str, Any] | None) -> Answer:
        """A call of the application's own API; a GET where there is nothing to say."""
        await self._accounts.refresh_if_stale(account)
        headers = {"Authorization": f"Bearer {account.access_token}"}
        method = "GET" if body is None else "POST"
        return await call(self._http, method, f"{self._target.api_url}/matching/{verb}", headers, body)

    async def _rest(self, account: Account, request: RestCall) -> Answer:
        await self._accounts.refresh_if_stale(account)
        headers = {
            "apikey": self._target.anon_key,
            "Authorization": f"Bearer {account.access_token}",
            request.profile_header: "public",
            **({"prefer": request.prefer} if request.prefer else {}),
        }
        url = f"{self._target.supabase_url}/rest/v1/{request.path}"
        return await call(self._http, request.method, url, headers, request.body)


class SupabaseLink:
    """A user's Realtime socket, in the words of the seam."""

    def __init__(self, socket: Socket, account: Account) -> None:
        self._socket = socket
        self._account = account

    async def open(self) -> None:
        """Connects the socket."""
        await self._socket.open()

    async def watch_matches(self, listener: Listener) -> Watch:
        """Channel `matchmaking:<user>` with one INSERT binding for each column that may name the user."""
        user = self._account.user
        bindings = tuple(
            Binding("INSERT", "chat_sessions", f"{column}=eq.{user}") for column in ("user1_id", "user2_id")
        )
        return await self._watch(Channel(f"matchmaking:{user}", bindings), listener)

    async def watch_session(self, session_id: str, listener: Listener) -> Watch:
        """Channel `session:<id>`: new messages of the session, and changes of its row."""
        bindings = (
            Binding("INSERT", "messages", f"session_id=eq.{session_id}"),
            Binding("UPDATE", "chat_sessions", f"id=eq.{session_id}"),
        )
        return await self._watch(Channel(f"session:{session_id}", bindings), listener)

    def cut(self) -> None:
        """Loses the connection."""
        self._socket.cut()

    def freeze(self) -> None:
        """Turns into a half-open peer."""
        self._socket.freeze()

    async def close(self) -> None:
        """Closes the socket."""
        await self._socket.close()

    async def _watch(self, channel: Channel, listener: Listener) -> Watch:
        subscription = Subscription(channel, _hearer(listener), listener.asked, listener.lost)
        await self._socket.subscribe(subscription)
        return ChannelWatch(self._socket, subscription)


class ChannelWatch:
    """A channel that is joined, or being joined."""

    def __init__(self, socket: Socket, subscription: Subscription) -> None:
        self._socket = socket
        self._subscription = subscription

    async def stop(self) -> None:
        """Leaves the channel."""
        await self._socket.leave(self._subscription)


def _hearer(listener: Listener) -> Callable[[Happening], None]:
    def hear(happening: Happening) -> None:
        match happening:
            case Joined():
                listener.replied()
            case Ready():
                listener.ready()
            case Refused(reason=reason):
                listener.refused(reason)
            case Closed():
                listener.refused("closed by the target")
            case Changed(change=change):
                _tell(listener, change)

    return hear


def _tell(listener: Listener, change: Change) -> None:
    if change.table == "messages" and change.event == "INSERT":
        listener.message(message_of(change.record))
    elif change.table == "chat_sessions" and change.event != "DELETE":
        listener.session(change.event, session_of(change.record))


def _rows(answer: Answer) -> list[Any]:
    if not isinstance(answer.body, list):
        cause = Malformed("the answer must be an array of rows")
        raise CallBroke(str(cause), cause)
    return answer.body


def _first(answer: Answer, read: Callable[[Any], T]) -> T | None:
    rows = _rows(answer)
    return _read(lambda: read(rows[0])) if rows else None


def _read(read: Callable[[], T]) -> T:
    """Reads an answer; one of another shape is a broken call, for nobody can tell what happened."""
    try:
        return read()
    except Malformed as error:
        raise CallBroke(str(error), error) from None
