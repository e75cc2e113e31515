"""Reads a join: from its payload to a channel, or to the reason why not; no I/O (PROTOCOL 1.4 and 1.7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid1

from reference_server.realtime.channel import TOPIC_PREFIX, Channel
from reference_server.realtime.filters import FilterError
from reference_server.realtime.frames import Push, Version
from reference_server.realtime.identity import Denied, Identity
from reference_server.realtime.subscriptions import binding_id, parse_binding

MAX_BINDINGS = 100
UNKNOWN = "Unknown Error on Channel"
_NODE = 0x0123456789AB  # version 1 ids carry an address: none of this machine's


class JoinRefused(Exception):
    """A join that is answered with an error; its text is the reason that the client is told.

    `unmatched` is a topic that is nobody's: answered at once, where every other refusal is held back.
    """

    def __init__(self, reason: str, *, unmatched: bool = False) -> None:
        super().__init__(reason)
        self.unmatched = unmatched


def check_topic(topic: str) -> None:
    """Raises JoinRefused for a topic that can be no channel."""
    if not topic.startswith(TOPIC_PREFIX):
        raise JoinRefused("unmatched topic", unmatched=True)
    if topic == TOPIC_PREFIX:
        raise JoinRefused("TopicNameRequired: You must provide a topic name")


def read_config(payload: Any, *, private_only: bool) -> dict[str, Any]:
    """The `config` of a join. Raises JoinRefused for no payload, or for a public channel where none is allowed."""
    if not isinstance(payload, dict):
        raise JoinRefused(UNKNOWN)
    config = as_map(payload.get("config"))
    if private_only and not is_true(config.get("private")):
        raise JoinRefused("PrivateOnly: This project only allows private channels")
    return config


def make_channel(
    socket: int, version: Version, push: Push, config: dict[str, Any], identify: Callable[[Any], Identity]
) -> Channel:
    """The channel that a join asks for. Raises JoinRefused."""
    params = _params(config)
    try:
        identity = identify(push.payload.get("access_token"))
    except Denied as denied:
        raise JoinRefused(str(denied)) from denied
    broadcast, presence = as_map(config.get("broadcast")), as_map(config.get("presence"))
    private = is_true(config.get("private"))
    if "replay" in broadcast and not private:
        raise JoinRefused("UnableToReplayMessages: Replay is not allowed for public channels")
    key = presence.get("key")
    channel = Channel(
        socket,
        version,
        push.topic,
        push.join_ref or push.ref,
        identity,
        private=private,
        ack=is_true(broadcast.get("ack")),
        echo=is_true(broadcast.get("self")),
        presence=is_true(presence.get("enabled")),
        presence_key=key if isinstance(key, str) and key else str(uuid1(node=_NODE)),
        listed=[{**each, "id": binding_id(each)} for each in params],
        joined=not private,
    )
    try:
        channel.bindings = tuple(parse_binding(each) for each in params)
    except FilterError as error:
        channel.problem = str(error)
    return channel


def _params(config: dict[str, Any]) -> list[dict[str, Any]]:
    listed = config.get("postgres_changes")
    if listed is None:
        return []
    if not isinstance(listed, list):
        raise JoinRefused(UNKNOWN)
    listed = [params for params in listed if params is not None]
    if not all(isinstance(params, dict) for params in listed):
        raise JoinRefused(UNKNOWN)
    if len(listed) > MAX_BINDINGS:
        raise JoinRefused("ChannelRateLimitReached: Too many channels")
    return listed


def as_map(value: Any) -> dict[str, Any]:
    """The value where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def is_true(value: Any) -> bool:
    """Whether the client says yes: it sends booleans as strings at times."""
    return value is True or value == "true"
