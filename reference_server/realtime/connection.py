"""One Realtime socket as a state machine: frames in, frames and effects out; no I/O (PROTOCOL 1.3 to 1.8)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from reference_server.realtime.channel import Channel, Rights
from reference_server.realtime.frames import (
    Malformed,
    Message,
    Payload,
    Push,
    UserBroadcast,
    Version,
    decode,
    encode,
)
from reference_server.realtime.identity import Denied, Identity, Now, Verify, expired, identify
from reference_server.realtime.joining import JoinRefused, as_map, check_topic, make_channel, read_config
from reference_server.realtime.presence import Metas
from reference_server.realtime.quotas import TOO_MANY_PRESENCES, JoinFlood, Quotas

log = logging.getLogger(__name__)

TRACK_CALLS, TRACK_WINDOW = 5, 30.0
"""Presence pushes that one channel may make, in so many seconds (PROTOCOL 1.6)."""
FLOODED = (1001, "too many joins per second")


@dataclass(frozen=True, slots=True)
class Send:
    """Write this frame."""

    frame: str | bytes


@dataclass(frozen=True, slots=True)
class SendLate:
    """Write this frame after the time that a refused join is held back."""

    frame: str | bytes


@dataclass(frozen=True, slots=True)
class Close:
    """Close the whole socket."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Authorize:
    """Ask what this private channel's identity may do there, and give the answer to `authorized`."""

    channel: Channel


@dataclass(frozen=True, slots=True)
class Joined:
    """The channel speaks with this identity from now on: (re)make its database subscription, watch its expiry."""

    channel: Channel


@dataclass(frozen=True, slots=True)
class Left:
    """The channel is over: end its subscription, presence and timers."""

    channel: Channel


@dataclass(frozen=True, slots=True)
class Broadcast:
    """Tell everybody else in the room (and the sender himself, where he asked for it)."""

    channel: Channel
    message: Message


@dataclass(frozen=True, slots=True)
class ShowPresence:
    """Tell the channel who is present."""

    channel: Channel


@dataclass(frozen=True, slots=True)
class Track:
    """The channel is present with this map; None: it is not present any more."""

    channel: Channel
    meta: dict[str, Any] | None


Effect = Send | SendLate | Close | Authorize | Joined | Left | Broadcast | ShowPresence | Track


@dataclass(slots=True, eq=False)
class Connection:
    """The channels of one socket, number `socket` in this process, that was opened with `apikey`.

    `now` is Unix time in seconds, `quotas` are shared by all sockets of the process.
    """

    socket: int
    version: Version
    apikey: str
    verify: Verify
    now: Now
    quotas: Quotas
    private_only: bool = False
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
        if channel is None or not (channel.joined or push.event == "phx_leave"):
            # Leaving what was never joined is fine; anything else is not (PROTOCOL 1.6).
            status, response = ("ok", {}) if push.event == "phx_leave" else ("error", {"reason": "unmatched topic"})
            return [self._reply(push, status, response)]
        handle = _HANDLERS.get(push.event)
        if handle is None:
            self.quotas.messages.add()
            log.info("socket %d: dropped an event %r on %r", self.socket, push.event, push.topic)
            return []
        return handle(self, channel, push)

    def authorized(self, channel: Channel, rights: Rights) -> list[Effect]:
        """What the channel's identity may do in its private room; it joins, stays, or goes."""
        if not channel.open:
            return []
        former, channel.rights = channel.rights, rights
        if channel.joined:
            if rights.may_read and not rights.loses_reading(former):
                return []
            lost = "no longer have permission" if rights.may_read or former.may_read else "do not have permissions"
            return self._shut(channel, f"You {lost} to read from this Channel topic: {channel.name}")
        if rights.may_read:
            channel.joined = True
            return self._welcome(channel)
        return self.refuse(
            channel, f"Unauthorized: You do not have permissions to read from this Channel topic: {channel.name}"
        )

    def refuse(self, channel: Channel, reason: str) -> list[Effect]:
        """The private channel cannot be joined, or cannot be kept."""
        if not channel.open:
            return []
        if channel.joined:
            return self._shut(channel, reason)
        ref = channel.join_ref
        payload = {"status": "error", "response": {"reason": reason}}
        reply = encode(self.version, channel.topic, "phx_reply", payload, ref=ref, join_ref=ref)
        return [self._forget(channel), SendLate(reply)]

    def subscribed(self, channel: Channel) -> list[Effect]:
        """The channel's database subscription is made."""
        return [self._system(channel, "postgres_changes", "ok", "Subscribed to PostgreSQL")] if channel.open else []

    def refused(self, channel: Channel, message: str) -> list[Effect]:
        """The channel's database subscription cannot be made; the channel stays."""
        return [self._system(channel, "postgres_changes", "error", message)] if channel.open else []

    def expire(self, channel: Channel) -> list[Effect]:
        """The channel's token has run out."""
        return self.shut(channel, expired(channel.identity.claims, self.now).sentence)

    def shut(self, channel: Channel, message: str) -> list[Effect]:
        """The server ends the channel, and says why."""
        return self._shut(channel, message) if channel.open else []

    def presence_state(self, channel: Channel, metas: Metas) -> str:
        """The frame that tells who is present."""
        return encode(self.version, channel.topic, "presence_state", metas, join_ref=channel.join_ref)

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
        except JoinRefused as refusal:
            reply = self._reply(push, "error", {"reason": str(refusal)})
            return [*effects, reply if refusal.unmatched else SendLate(reply.frame)]
        except JoinFlood as flood:
            return [*effects, self._reply(push, "error", {"reason": str(flood)}), Close(*FLOODED)]
        self.channels[push.topic] = channel
        return effects + ([Authorize(channel)] if channel.private else self._welcome(channel))

    def _make_channel(self, push: Push) -> Channel:
        check_topic(push.topic)
        config = read_config(push.payload, private_only=self.private_only)
        reason = self.quotas.admit(self.socket, len(self.channels))
        if reason is not None:
            raise JoinRefused(reason)
        return make_channel(self.socket, self.version, push, config, self._identify)

    def _welcome(self, channel: Channel) -> list[Effect]:
        self.quotas.joined(self.socket)
        ref = channel.join_ref
        payload = {"status": "ok", "response": {"postgres_changes": channel.listed}}
        reply = encode(self.version, channel.topic, "phx_reply", payload, ref=ref, join_ref=ref)
        channel.listed = ()
        effects: list[Effect] = [Send(reply)]
        if channel.presence and channel.rights.read_presence:
            effects.append(ShowPresence(channel))
        return [*effects, Joined(channel)]

    def _identify(self, token: Any) -> Identity:
        if not isinstance(token, str) or not token or token.startswith("sb_"):
            token = self.apikey
        known = self._identity
        if known is not None and known.token == token and known.claims.expires_at > self.now():
            return known
        self._identity = identify(token, self.verify, self.now)
        return self._identity

    # ------------------------------------------------------------ on a joined channel

    def _leave(self, channel: Channel, push: Push) -> list[Effect]:
        return [self._forget(channel), self._reply(push, "ok", {}), self._closed(channel)]

    def _access_token(self, channel: Channel, push: Push) -> list[Effect]:
        token = as_map(push.payload).get("access_token")
        if not isinstance(token, str) or token.startswith("sb_") or token == channel.identity.token:
            return []
        try:
            channel.identity = self._identify(token)
        except Denied as denied:
            return self._shut(channel, denied.sentence)
        return [*([Authorize(channel)] if channel.private else []), Joined(channel)]

    def _broadcast(self, channel: Channel, push: Push) -> list[Effect]:
        if not channel.rights.write_broadcast:
            return []
        payload = push.payload
        if isinstance(payload, UserBroadcast):
            message: Message = payload
            size = len(payload.payload)
        else:
            message = Payload(as_map(payload))
            size = len(orjson.dumps(message.body))
        self.quotas.messages.add()
        if not self.quotas.takes_broadcast(size):
            return [self._reply(push, "error", {"reason": "payload_size_exceeded"})] if channel.ack else []
        return [Broadcast(channel, message), *([self._reply(push, "ok", {})] if channel.ack else [])]

    def _presence(self, channel: Channel, push: Push) -> list[Effect]:
        payload = as_map(push.payload)
        event = payload.get("event")
        if not isinstance(event, str):
            return [self._reply(push, "ok", {})]
        if not self._may_track(channel):
            return self._shut(channel, "Client presence rate limit exceeded")
        if event.lower() == "track":
            return self._track(channel, push, payload.get("payload", {}))
        if event.lower() == "untrack":
            channel.tracked = None
            return [self._reply(push, "ok", {}), Track(channel, None)]
        return [self._reply(push, "error", {"reason": "unknown_presence_event"})]

    def _track(self, channel: Channel, push: Push, meta: Any) -> list[Effect]:
        if not channel.rights.write_presence:
            return [self._reply(push, "error", {"reason": "unauthorized"})]
        if not isinstance(meta, dict):
            return [self._reply(push, "error", {"reason": "Presence track payload must be a map"})]
        reply = self._reply(push, "ok", {})
        if meta == channel.tracked:
            return [reply]
        if not self.quotas.takes_broadcast(len(orjson.dumps(meta))):
            return self._shut(channel, "Track message size exceeded")
        if not self.quotas.take_presence():
            return self._shut(channel, TOO_MANY_PRESENCES)
        channel.tracked = meta
        effects: list[Effect] = [reply]
        if not channel.presence:  # this push is what enables it: those who are there already must be shown
            channel.presence = True
            if channel.rights.read_presence:
                effects.append(ShowPresence(channel))
        return [*effects, Track(channel, meta)]

    def _may_track(self, channel: Channel) -> bool:
        now = self.now()
        if now > channel.track_window_ends:
            channel.track_calls, channel.track_window_ends = 1, now + TRACK_WINDOW
            return True
        channel.track_calls += 1
        return channel.track_calls <= TRACK_CALLS

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
        return Send(encode(self.version, channel.topic, "system", payload, join_ref=channel.join_ref))


_HANDLERS: dict[str, Callable[[Connection, Channel, Push], list[Effect]]] = {
    "phx_leave": Connection._leave,
    "access_token": Connection._access_token,
    "broadcast": Connection._broadcast,
    "presence": Connection._presence,
}
