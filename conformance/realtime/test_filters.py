"""RT-25 to RT-29: filters of a binding, those that are served and those that are refused."""

from __future__ import annotations

from conformance.realtime.room import room, said
from conformance.scenario import requires
from conformance.trial import Trial
from conformance.wire.realtime import EVENT, Binding, must, socket_of

FRUIT = ("apple", "banana", "cherry")
_UNABLE = "Unable to subscribe to changes with given parameters."
EXCEPTION = f"{_UNABLE} An exception happened so please check your connect parameters: "
NOT_PUBLISHED = f"{_UNABLE} Please check Realtime is enabled for the given connect parameters: "


@requires("RT-25")
async def test_rt_25_equal_unequal_and_in(trial: Trial) -> None:
    """`eq`, `neq` and `in` pass exactly the rows that they name."""
    await _pass(trial, {"eq.banana": "banana", "neq.banana": "apple cherry", "in.(apple,cherry)": "apple cherry"})


@requires("RT-26")
async def test_rt_26_less_and_greater(trial: Trial) -> None:
    """`lt`, `lte`, `gt` and `gte` pass exactly the rows on their side, the bound itself where they include it."""
    await _pass(
        trial,
        {"lt.banana": "apple", "lte.banana": "apple banana", "gt.banana": "cherry", "gte.banana": "banana cherry"},
    )


@requires("RT-27")
async def test_rt_27_a_filter_that_cannot_be_read(trial: Trial) -> None:
    """A filter without a column, and one with an unknown operator, are refused in the words of the wire."""
    for text, shown in (("undefined", '["undefined"]'), ("content=foo.hey", '["foo", "hey"]')):
        await _is_refused(trial, {"filter": text}, f"Error parsing `filter` params: {shown}")


@requires("RT-28")
async def test_rt_28_a_filter_that_cannot_be_served(trial: Trial) -> None:
    """An unknown column, and a value that is none of its column's type, are refused in PostgreSQL's words."""
    for text, why in (
        ("nope=eq.1", "invalid column for filter nope"),
        ("id=eq.undefined", 'invalid input syntax for type uuid: "undefined"'),
    ):
        await _is_refused(trial, {"filter": text}, EXCEPTION, why)


@requires("RT-29")
async def test_rt_29_a_table_that_is_not_published(trial: Trial) -> None:
    """A table that is not there, and a schema that is not, are refused; the message names what was asked for."""
    for place in ({"table": "no_such_table"}, {"schema": "no_such_schema"}):
        await _is_refused(trial, place, NOT_PUBLISHED, *place.values())


async def _pass(trial: Trial, filters: dict[str, str]) -> None:
    """Each filter on `content` passes the messages that it names; a binding without a filter sees all of them."""
    there = await room(trial)
    async with socket_of(trial, there.second) as socket:
        asked: list[Binding] = [{**there.binding(), "filter": f"content={text}"} for text in filters]
        join = await socket.subscribed("room", [there.binding(), *asked])
        for fruit in FRUIT:
            await there.write(fruit)
        for fruit in FRUIT:
            event = await socket.change(said(fruit))
            must(event, trial, socket, sent=f"a message {fruit}", came=f"it was not told within {EVENT:.0f} s")
            passed = {
                ref for ref, allowed in zip(join.ids[1:], filters.values(), strict=True) if fruit in allowed.split()
            }
            ids = set(event.payload["ids"]) - {join.ids[0]} if event is not None else set()
            names = dict(zip(join.ids[1:], filters, strict=True))
            must(
                ids == passed, trial, socket,
                sent=f"a message with content {fruit}",
                came=f"the filters {[names.get(one) for one in ids]} passed it, not {[names[one] for one in passed]}",
            )  # fmt: skip


async def _is_refused(trial: Trial, binding: Binding, *parts: str) -> None:
    """The join is accepted; then a `system` message refuses the subscription, in these words."""
    person = await trial.enter()
    async with socket_of(trial, person) as socket:
        join = await socket.join("wrong", [{"event": "INSERT", "schema": "public", "table": "messages", **binding}])
        must(join.ok, trial, socket, sent=f"a join with the binding {binding}", came=f"the refusal {join.reason}")
        said = await socket.system("wrong")
        payload = said.payload if said is not None else {}
        message = str(payload.get("message", ""))
        fits = (
            payload.get("status") == "error" and message.startswith(parts[0]) and all(part in message for part in parts)
        )
        must(fits, trial, socket, sent=f"the binding {binding}", came=f"the system message {message or said!r}")
