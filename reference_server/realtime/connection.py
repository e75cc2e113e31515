"""One Realtime socket as a state machine: frames in, frames and effects out; no I/O (PROTOCOL 1.3 to 1.7)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from reference_server.realtime.filters import FilterError
from reference_server.realtime.frames import Malformed, Push, Version, decode, encode
from reference_server.realtime.identity import Denied, Identity, Now, Verify, expired, identify
from reference_server.realtime.subscriptions import Binding, binding_id, parse_binding

log = logging.getLogger(__name__)

TOPIC_PREFIX = "realtime:"
MAX_BINDINGS = 100


@dataclass(slots=True, eq=False)
class Channel:
    """A joined topic of one socket. `problem` is set instead of bindings where a filter could not be parsed."""

    socket: int
    version: Version
    topic: str
    join_ref: Any
    identity: Identity
    bindings: tuple[Binding, ...] = ()
    problem: str = ""
    ack: bool = False
    echo: bool = False
    open: bool = True

    @property
    def name(self) -> str:
        return self.topic.removeprefix(TOPIC_PREFIX)


@dataclass(frozen=True, slots=True)
class Send:
    """Write this frame."""

    frame: str


@dataclass(frozen=True, slots=True)
class Joined:
    """The channel speaks with this identity from now on: (re)make its database subscription, watch its expiry."""

    channel: Channel


@dataclass(frozen=True, slots=True)
class Left:
    """The channel is over: end its subscription and timers."""

    channel: Channel


@dataclass(frozen=True, slots=True)
class Broadcast:
    """Tell everybody else on the topic (and the sender himself, where he asked for it)."""

    channel: Channel
    payload: dict[str, Any]


Effect = Send | Joined | Left | Broadcast


@dataclass(slots=True, eq=False)
class Connection:
    """The channels of one socket, number `socket` in this process, that was opened with `apikey`."""

    socket: int
    version: Version
    apikey: str
    verify: Verify
    now: Now
    channels: dict[str, Channel] = field(default_factory=dict)
    _identity: Identity | None = None

    def receive(self, text: str | bytes) -> list[Effect]:
        """Takes a client's frame; one that cannot be read is logged and dropped."""
        try:
            push = decode(self.version, text)
        except Malformed as error:
            log.info("socket %d: dropped a frame: %s", self.socket, error)
            return []
        if push.topic == "phoenix":
            return [self._reply(push, "ok", {})] if push.event == "heartbeat" else []
        if push.event == "phx_join":
            return self._join(push)
        channel = self.channels.get(push.topic)
        if channel is None:
            # Leaving what was never joined is fine; anything else is not (PROTOCOL 1.6).
            status, response = ("ok", {}) if push.event == "phx_leave" else ("error", {"reason": "unmatched topic"})
            return [self._reply(push, status, response)]
        handle = _HANDLERS.get(push.event)
        if handle is None:
            log.info("socket %d: dropped an event %r on %r", self.socket, push.event, push.topic)
            return []
        return handle(self, channel, push)

    def subscribed(self, channel: Channel) -> list[Effect]:
        """The channel's database subscription is made."""
        return [self._system(channel, "postgres_changes", "ok", "Subscribed to PostgreSQL")] if channel.open else []

    def refused(self, channel: Channel, message: str) -> list[Effect]:
        """The channel's database subscription cannot be made; the channel stays."""
        return [self._system(channel, "postgres_changes", "error", message)] if channel.open else []

    def expire(self, channel: Channel) -> list[Effect]:
        """The channel's token has run out."""
        if not channel.open:
            return []
        return self._shut(channel, expired(channel.identity.claims, self.now).sentence)

    def close(self) -> list[Effect]:
        """The socket is gone."""
        channels = list(self.channels.values())
        return [self._forget(channel) for channel in channels]

    # ------------------------------------------------------------ join

    def _join(self, push: Push) -> list[Effect]:
        effects: list[Effect] = []
        former = self.channels.get(push.topic)
        if former is not None:  # a second join of a topic: the old instance goes first
            effects += [self._forget(former), self._closed(former)]
        try:
            channel = self._make_channel(push)
        except _JoinRefused as refusal:
            return [*effects, self._reply(push, "error", {"reason": str(refusal)})]
        self.channels[push.topic] = channel
        config = _map(push.payload.get("config"))
        listed = [{**params, "id": binding_id(params)} for params in _bindings(config)]
        effects.append(self._reply(push, "ok", {"postgres_changes": listed}))
        if _is_true(_map(config.get("presence")).get("enabled")):
            effects.append(self._send(channel, "presence_state", {}))
        effects.append(Joined(channel))
        return effects

    def _make_channel(self, push: Push) -> Channel:
        if not push.topic.startswith(TOPIC_PREFIX):
            raise _JoinRefused("unmatched topic")
        if push.topic == TOPIC_PREFIX:
            raise _JoinRefused("TopicNameRequired: You must provide a topic name")
        if not isinstance(push.payload, dict):
            raise _JoinRefused("Unknown Error on Channel")
        config = _map(push.payload.get("config"))
        try:
            identity = self._identify(push.payload.get("access_token"))
        except Denied as denied:
            raise _JoinRefused(str(denied)) from denied
        channel = Channel(self.socket, self.version, push.topic, push.join_ref or push.ref, identity)
        if _is_true(config.get("private")):
            # Private channels are not served: nobody has been given the right to read one.
            raise _JoinRefused(
                f"Unauthorized: You do not have permissions to read from this Channel topic: {channel.name}"
            )
        broadcast = _map(config.get("broadcast"))
        channel.ack, channel.echo = _is_true(broadcast.get("ack")), _is_true(broadcast.get("self"))
        try:
            channel.bindings = tuple(parse_binding(params) for params in _bindings(config))
        except FilterError as error:
            channel.problem = str(error)
        return channel

    def _identify(self, token: Any) -> Identity:
        if not isinstance(token, str) or not token or token.startswith("sb_"):
            token = self.apikey
        known = self._identity
        if known is None or known.token != token or known.claims.expires_at <= self.now():
            known = self._identity = identify(token, self.verify, self.now)
        return known

    # ------------------------------------------------------------ pushes to a joined channel

    def _leave(self, channel: Channel, push: Push) -> list[Effect]:
        return [self._forget(channel), self._reply(push, "ok", {}), self._closed(channel)]

    def _access_token(self, channel: Channel, push: Push) -> list[Effect]:
        token = _map(push.payload).get("access_token")
        if not isinstance(token, str) or token.startswith("sb_") or token == channel.identity.token:
            return []
        try:
            channel.identity = self._identify(token)
        except Denied as denied:
            return self._shut(channel, denied.sentence)
        return [Joined(channel)]

    def _broadcast(self, channel: Channel, push: Push) -> list[Effect]:
        effects: list[Effect] = [Broadcast(channel, _map(push.payload))]
        if channel.ack:
            effects.append(self._reply(push, "ok", {}))
        return effects

    # ------------------------------------------------------------ frames

    def _shut(self, channel: Channel, message: str) -> list[Effect]:
        return [self._forget(channel), self._system(channel, "system", "error", message), self._closed(channel)]

    def _forget(self, channel: Channel) -> Left:
        channel.open = False
        self.channels.pop(channel.topic, None)
        return Left(channel)

    def _reply(self, push: Push, status: str, response: dict[str, Any]) -> Send:
        payload = {"status": status, "response": response}
        join_ref = push.join_ref if push.event != "phx_join" else push.join_ref or push.ref
        return Send(encode(self.version, push.topic, "phx_reply", payload, ref=push.ref, join_ref=join_ref))

    def _closed(self, channel: Channel) -> Send:
        ref = channel.join_ref
        return Send(encode(self.version, channel.topic, "phx_close", {}, ref=ref, join_ref=ref))

    def _system(self, channel: Channel, extension: str, status: str, message: str) -> Send:
        payload = {"channel": channel.name, "extension": extension, "message": message, "status": status}
        return self._send(channel, "system", payload)

    def _send(self, channel: Channel, event: str, payload: dict[str, Any]) -> Send:
        return Send(encode(self.version, channel.topic, event, payload, join_ref=channel.join_ref))


_HANDLERS: dict[str, Callable[[Connection, Channel, Push], list[Effect]]] = {
    "phx_leave": Connection._leave,
    "access_token": Connection._access_token,
    "broadcast": Connection._broadcast,
}


class _JoinRefused(Exception):
    """A join that is answered with an error; its text is the reason that the client is told."""


def _bindings(config: dict[str, Any]) -> list[dict[str, Any]]:
    listed = config.get("postgres_changes")
    if listed is None:
        return []
    if not isinstance(listed, list) or not all(isinstance(params, dict) for params in listed):
        raise _JoinRefused("Unknown Error on Channel")
    if len(listed) > MAX_BINDINGS:
        raise _JoinRefused("ChannelRateLimitReached: Too many channels")
    return listed


def _map(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _is_true(value: Any) -> bool:
    return value is True or value == "true"  # the clients send booleans as strings at times
