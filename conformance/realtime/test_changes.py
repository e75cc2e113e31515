"""RT-19 to RT-24: what a `postgres_changes` event says of an INSERT, an UPDATE and a DELETE, and to whom."""

from __future__ import annotations

import re
from typing import Any

from conformance.outcome import Inconclusive
from conformance.realtime.room import room, said
from conformance.scenario import requires
from conformance.trial import Trial
from conformance.wire.realtime import BOTH, EVENT, RealtimeSocket, data_of, must, socket_of
from harness.protocol.phoenix import Frame

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_TIMESTAMPTZ = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00")
_TYPES = {"id": "uuid", "session_id": "uuid", "sender_id": "uuid", "content": "text", "created_at": "timestamptz"}


@requires("RT-19")
async def test_rt_19_an_insert(trial: Trial) -> None:
    """An INSERT has ids, schema, table, type, time, columns with types, the record and no errors, in both versions."""
    there = await room(trial)
    for vsn in BOTH:
        async with socket_of(trial, there.second, vsn) as socket:
            join = await socket.subscribed("room", [there.binding()])
            await there.write(f"in {vsn}")
            event = await _told(trial, socket, f"in {vsn}")
            data = data_of(event)
            record = data["record"]
            what = f"an INSERT told in {vsn}"
            must(event.payload.get("ids") == join.ids, trial, socket, sent=what, came=f"ids {event.payload.get('ids')}")
            must(event.ref is None and event.join_ref is None, trial, socket, sent=what, came=f"the refs of {event}")
            _describes(trial, socket, data, "messages", "INSERT")
            types = {one["name"]: one["type"] for one in data["columns"]}
            must(_TYPES.items() <= types.items(), trial, socket, sent=what, came=f"the columns {types}")
            must(
                set(record) == set(types), trial, socket, sent=what, came=f"columns {types} beside the record {record}"
            )
            wanted = {"session_id": there.session.id, "sender_id": there.first.user, "file_url": None}
            must(wanted.items() <= record.items(), trial, socket, sent=what, came=f"the record {record}")
            exact = _TIMESTAMPTZ.fullmatch(str(record["created_at"]))
            must(exact, trial, socket, sent=what, came=f"created_at {record['created_at']}")
            must("old_record" not in data, trial, socket, sent=what, came="an old_record")


@requires("RT-20")
async def test_rt_20_an_update(trial: Trial) -> None:
    """An UPDATE has the new record, and an old_record that holds the primary key."""
    there = await room(trial)
    async with socket_of(trial, there.second) as socket:
        binding = {
            "event": "UPDATE",
            "schema": "public",
            "table": "chat_sessions",
            "filter": f"id=eq.{there.session.id}",
        }
        await socket.subscribed("room", [binding])
        await there.first.end(there.session.id)
        event = await socket.change(lambda data: data.get("type") == "UPDATE")
        must(event, trial, socket, sent="the end of a session", came=f"no UPDATE within {EVENT:.0f} s")
        data = data_of(event) if event is not None else {}
        _describes(trial, socket, data, "chat_sessions", "UPDATE")
        record, old = data.get("record", {}), data.get("old_record", {})
        ended = record.get("id") == there.session.id and record.get("status") == "ended"
        must(ended, trial, socket, sent="the end of a session", came=f"the record {record}")
        must(old.get("id") == there.session.id, trial, socket, sent="an UPDATE", came=f"the old_record {old}")


@requires("RT-21")
async def test_rt_21_a_delete(trial: Trial) -> None:
    """A DELETE has no record; of a table with row-level security its old_record is the primary key alone."""
    person = await trial.enter()
    async with trial.queue(), socket_of(trial, person) as socket:  # a socket that waits for its turn would fall idle
        place = {"schema": "public", "table": "waiting_queue"}
        mine = {**place, "event": "INSERT", "filter": f"user_id=eq.{person.user}"}
        await socket.subscribed("queue", [mine, {**place, "event": "DELETE"}])
        await person.join()
        made = await socket.change(lambda data: data.get("type") == "INSERT")
        await person.leave()
        if made is None:
            raise Inconclusive("the queue entry of a user who joined was not told to him")
        row = data_of(made)["record"]["id"]
        gone = await socket.change(
            lambda data: data.get("type") == "DELETE" and data.get("old_record", {}).get("id") == row
        )
        must(gone, trial, socket, sent="a leave of the queue", came=f"no DELETE of the entry within {EVENT:.0f} s")
        data = data_of(gone) if gone is not None else {}
        _describes(trial, socket, data, "waiting_queue", "DELETE")
        must("record" not in data, trial, socket, sent="a DELETE", came="a record")
        must(
            data["old_record"] == {"id": row},
            trial,
            socket,
            sent="a DELETE",
            came=f"the old_record {data['old_record']}",
        )


@requires("RT-22")
async def test_rt_22_one_frame_for_a_change(trial: Trial) -> None:
    """A change that several bindings of a channel match comes once, with the ids of all of them."""
    there = await room(trial)
    async with socket_of(trial, there.second) as socket:
        join = await socket.subscribed("room", [there.binding(), there.binding("*"), there.binding("UPDATE")])
        await there.write("once")
        await there.write("the end")
        event = await _told(trial, socket, "once")
        await _told(trial, socket, "the end")
        wanted = set(join.ids[:2])
        ids = event.payload["ids"]
        must(
            set(ids) == wanted, trial, socket, sent=f"a change that the bindings {wanted} match", came=f"the ids {ids}"
        )
        times = sum(said("once")(data_of(one)) for one in socket.frames)
        must(times == 1, trial, socket, sent="a change that two bindings match", came=f"{times} frames")


@requires("RT-23")
async def test_rt_23_every_device_is_told(trial: Trial) -> None:
    """Two devices of one user, in two versions, are both told of a change."""
    there = await room(trial)
    async with socket_of(trial, there.second, BOTH[0]) as phone, socket_of(trial, there.second, BOTH[1]) as laptop:
        for device in (phone, laptop):
            await device.subscribed("room", [there.binding()])
        await there.write("to both")
        for device in (phone, laptop):
            await _told(trial, device, "to both")


@requires("RT-24")
async def test_rt_24_names_of_events(trial: Trial) -> None:
    """The event of a binding may be written in any case, and `*` is all of them."""
    there = await room(trial)
    async with socket_of(trial, there.second) as socket:
        events = ("insert", "InSeRt", "*", "update", "DELETE")
        join = await socket.subscribed("room", [there.binding(event) for event in events])
        await there.write("an insert")
        ids = (await _told(trial, socket, "an insert")).payload["ids"]
        wanted = set(join.ids[:3])
        must(
            set(ids) == wanted,
            trial,
            socket,
            sent=f"bindings for {events}, and an INSERT",
            came=f"ids {ids}, not {wanted}",
        )


async def _told(trial: Trial, socket: RealtimeSocket, content: str) -> Frame:
    """The event of the message with this content; a breach where it does not come."""
    event = await socket.change(said(content))
    must(
        event,
        trial,
        socket,
        sent=f"a message {content!r} to a session",
        came=f"its member was not told within {EVENT:.0f} s",
    )
    assert event is not None
    return event


def _describes(trial: Trial, socket: RealtimeSocket, data: dict[str, Any], table: str, kind: str) -> None:
    """The parts that every change has."""
    head = {"schema": "public", "table": table, "type": kind, "errors": None}
    what = f"{kind} in {table}"
    must(
        head.items() <= data.items(),
        trial,
        socket,
        sent=what,
        came=f"the head { ({key: data.get(key) for key in head}) }",
    )
    moment = str(data.get("commit_timestamp"))
    must(_MOMENT.fullmatch(moment), trial, socket, sent=what, came=f"the commit_timestamp {moment}")
    columns = data.get("columns")
    shaped = isinstance(columns, list) and all(set(one) == {"name", "type"} for one in columns)
    must(columns and shaped, trial, socket, sent=what, came=f"the columns {columns}")
