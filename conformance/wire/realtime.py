"""A Realtime socket of the suite: Phoenix frames over a raw socket, with everything that came kept in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from conformance.outcome import Breach, Inconclusive, broken
from conformance.trial import Trial
from conformance.wire.frames import Opcode, RawFrame
from conformance.wire.socket import Note, RawSocket
from harness.client.dialect import Account
from harness.client.participant import Participant
from harness.history.op import Op, Via
from harness.protocol.malformed import Malformed
from harness.protocol.phoenix import Frame, Vsn, decode, encode, heartbeat

ANSWER = 12.0
"""Seconds that an answer may take; the answer to a refused join is held back for 5 (PROTOCOL 1.7)."""
EVENT = 12.0
"""Seconds after which an event that must come is given up: the shape is under test, not the speed (MM-L1 is)."""
BOTH: tuple[Vsn, Vsn] = ("1.0.0", "2.0.0")

Binding = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Join:
    """A join that was answered: its topic, its ref, and the reply."""

    topic: str
    ref: str
    reply: Frame

    @property
    def ok(self) -> bool:
        """Whether it was accepted."""
        return isinstance(self.reply.payload, dict) and self.reply.payload.get("status") == "ok"

    @property
    def response(self) -> dict[str, Any]:
        """What the reply says."""
        response = self.reply.payload.get("response") if isinstance(self.reply.payload, dict) else None
        return response if isinstance(response, dict) else {}

    @property
    def reason(self) -> str:
        """Why it was refused."""
        return str(self.response.get("reason", ""))

    @property
    def ids(self) -> list[Any]:
        """The ids of its bindings, in their order."""
        listed = self.response.get("postgres_changes")
        return [one.get("id") for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


class RealtimeSocket(RawSocket):
    """A socket that speaks one version of the frames. `token` stands in its joins; empty leaves it out."""

    def __init__(self, url: str, note: Note, *, vsn: Vsn, token: str = "", **options: Any) -> None:
        super().__init__(url, note, **options)
        self.vsn: Vsn = vsn
        self.token = token
        self.frames: list[Frame] = []
        """Every text message that could be read, in order."""
        self.unreadable: list[str] = []
        self._last_ref = 0

    async def push(self, topic: str, event: str, payload: Any, join_ref: str | None = None) -> str:
        """Sends one frame; returns its ref. Raises SocketLost."""
        ref = self.next_ref()
        await self.text(encode(Frame(topic, event, payload, ref, join_ref), self.vsn))
        return ref

    async def beat(self, ref: str | None = None) -> str:
        """Sends a heartbeat; returns its ref. Raises SocketLost."""
        ref = ref or self.next_ref()
        await self.text(encode(heartbeat(ref), self.vsn))
        return ref

    async def alive(self, patience: float = ANSWER) -> bool:
        """Whether a heartbeat is answered. Raises SocketLost."""
        return await self.reply(await self.beat(), patience) is not None

    async def join(self, topic: str, bindings: Sequence[Binding] = (), **config: Any) -> Join:
        """Joins `realtime:<topic>`; `config` adds to, or replaces, what supabase-js sends (PROTOCOL 1.4).

        Raises:
            Inconclusive: there was no answer.
        """
        ref = await self.ask_to_join(topic, bindings, **config)
        reply = await self.reply(ref)
        if reply is None:
            raise Inconclusive(f"the join of {topic[:60]} was not answered within {ANSWER:.0f} s ({self.end})")
        return Join(f"realtime:{topic}", ref, reply)

    async def ask_to_join(self, topic: str, bindings: Sequence[Binding] = (), **config: Any) -> str:
        """Sends a join and waits for nothing; returns its ref. Raises SocketLost."""
        usual = {
            "broadcast": {"ack": False, "self": False},
            "presence": {"key": "", "enabled": False},
            "postgres_changes": list(bindings),
            "private": False,
        }
        payload: dict[str, Any] = {"config": {**usual, **config}}
        if self.token:
            payload["access_token"] = self.token
        ref = self.next_ref()
        await self.text(encode(Frame(f"realtime:{topic}", "phx_join", payload, ref, ref), self.vsn))
        return ref

    async def subscribed(self, topic: str, bindings: Sequence[Binding], **config: Any) -> Join:
        """Joins, and waits until the database subscription stands.

        Raises:
            Inconclusive: it was refused, or nothing was said of it.
        """
        join = await self.join(topic, bindings, **config)
        said = await self.system(topic) if join.ok else None
        if said is None or said.payload.get("status") != "ok":
            raise Inconclusive(f"no database subscription came about on {topic}: {join.reason or said}")
        return join

    async def system(self, topic: str, patience: float = EVENT) -> Frame | None:
        """The first `system` message of a channel that is about its database subscription."""
        return await self.heard(
            lambda one: (
                one.event == "system"
                and one.topic == f"realtime:{topic}"
                and _get(one, "extension") == "postgres_changes"
            ),
            patience,
        )

    async def reply(self, ref: str | None, patience: float = ANSWER) -> Frame | None:
        """The reply to the push with this ref."""
        return await self.heard(lambda one: one.event == "phx_reply" and one.ref == ref, patience)

    async def change(self, condition: Callable[[dict[str, Any]], Any], patience: float = EVENT) -> Frame | None:
        """The first `postgres_changes` whose `data` meets the condition."""
        return await self.heard(lambda one: one.event == "postgres_changes" and condition(data_of(one)), patience)

    async def heard(self, condition: Callable[[Frame], Any], patience: float = EVENT) -> Frame | None:
        """The first frame that meets the condition, come already or coming in time."""
        await self.until(lambda: any(map(condition, self.frames)), patience)
        return next(filter(condition, self.frames), None)

    def next_ref(self) -> str:
        """A ref that was not used yet."""
        self._last_ref += 1
        return str(self._last_ref)

    def _message(self, one: RawFrame) -> None:
        super()._message(one)
        if one.opcode != Opcode.TEXT:
            return
        try:
            self.frames.append(decode(one.payload, self.vsn))
        except Malformed as error:
            self.unreadable.append(f"{error}: {one.payload[:80]!r}")


def data_of(one: Frame) -> dict[str, Any]:
    """The `data` of a `postgres_changes` frame; empty where it has none."""
    data = one.payload.get("data") if isinstance(one.payload, dict) else None
    return data if isinstance(data, dict) else {}


def _get(one: Frame, key: str) -> Any:
    return one.payload.get(key) if isinstance(one.payload, dict) else None


# ---------------------------------------------------------------- sockets of a trial


def note_of(trial: Trial, user: str = "", device: str = "wire") -> Note:
    """Keeps evidence as ops of the trial's history."""

    def note(kind: str, **value: Any) -> Op:
        return trial.recorder().saw(user, device, kind, Via.WS, **value)

    return note


def address(trial: Trial, **query: str | None) -> str:
    """The address of the target's Realtime; `query` adds to, or (None) takes away from, key and version."""
    asked = {"apikey": trial.target.anon_key, "vsn": "2.0.0", **query}
    return f"{trial.target.realtime_url}?{urlencode({key: value for key, value in asked.items() if value is not None})}"


def socket_of(
    trial: Trial, person: Participant | Account | None = None, vsn: Vsn = "2.0.0", **options: Any
) -> RealtimeSocket:
    """A socket of this user (None: of nobody, with the anon key alone), to be opened by `async with`."""
    account = person.account if isinstance(person, Participant) else person or Account("", "")
    note = note_of(trial, account.user)
    return RealtimeSocket(address(trial, vsn=vsn), note, vsn=vsn, token=account.access_token, **options)


def raw_of(trial: Trial, url: str = "", **options: Any) -> RawSocket:
    """A socket of nobody, for what comes before frames are spoken."""
    return RawSocket(url or address(trial), note_of(trial), **options)


def breach(trial: Trial, *sockets: RawSocket, sent: str, came: str, also: Sequence[Op] = ()) -> Breach:
    """The trial's requirement is broken, as these sockets (and ops) show."""
    ops = [*also, *(op for socket in sockets for op in socket.evidence)]
    users = tuple(dict.fromkeys(op.user for op in ops if op.user))
    return broken(trial.requirement.id, sent=sent, came=came, users=users, witness=ops)


def must(holds: object, trial: Trial, *sockets: RawSocket, sent: str, came: str) -> None:
    """Holds the requirement against what came. Raises Breach, with what the sockets said last as its witness."""
    if not holds:
        raise breach(trial, *sockets, sent=sent, came=came)
    trial.vouch()
