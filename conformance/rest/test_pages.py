"""REST-17 to REST-29: columns, order, pages and counts of a read, and the form of the answer."""

from __future__ import annotations

import re

from conformance.rest.cast import the_cast
from conformance.rest.reading import read, selects
from conformance.scenario import requires
from conformance.trial import Trial

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?\+00:00")


@requires("REST-17")
async def test_rest_17_chosen_columns(trial: Trial) -> None:
    """select names the columns that come, and no others."""
    rows = (reply := await read(trial, "limit=1", select="id,content")).expect(200).rows
    reply.must([set(row) for row in rows] == [{"id", "content"}], f"other columns: {reply.described}")


@requires("REST-18")
async def test_rest_18_renamed_columns(trial: Trial) -> None:
    """alias:column renames in the answer; filters go by the column."""
    rows = (reply := await read(trial, "content=eq.alpha", select="text:content,id")).expect(200).rows
    reply.must([row.get("text") for row in rows] == ["alpha"], f"no alias: {reply.described}")
    reply.must("content" not in rows[0], f"the old name as well: {reply.described}")


@requires("REST-19")
async def test_rest_19_cast_columns(trial: Trial) -> None:
    """column::text gives a boolean as a text."""
    rows = (reply := await read(trial, "content=eq.alpha", select="is_flagged::text")).expect(200).rows
    reply.must(rows == [{"is_flagged": "false"}], f"no text: {reply.described}")


@requires("REST-20")
async def test_rest_20_order(trial: Trial) -> None:
    """order sorts by one column and by several, up and down, with nulls where they are wanted."""
    for order, places in {
        "created_at.desc": [3, 2, 1, 0], "created_at": [0, 1, 2, 3], "is_flagged.desc,created_at.desc": [2, 3, 1, 0],
        "file_name.asc.nullsfirst,created_at.asc": [1, 3, 0, 2], "file_name.desc.nullslast,created_at": [2, 0, 1, 3],
    }.items():  # fmt: skip
        await selects(trial, {"type=eq.text": places}, order=order)


@requires("REST-21")
async def test_rest_21_limit_and_offset(trial: Trial) -> None:
    """limit and offset cut a page out; a page behind the end is empty."""
    await selects(trial, {
        "limit=2": [0, 1], "limit=2&offset=1": [1, 2], "offset=3": [3], "limit=5&offset=9": [], "limit=0": [],
    })  # fmt: skip


@requires("REST-22")
async def test_rest_22_range_header(trial: Trial) -> None:
    """The Range header cuts a page out as limit and offset do."""
    texts = [row["content"] for row in (await the_cast(trial)).messages]
    for given, wanted in (("0-1", texts[:2]), ("2-", texts[2:]), ("1-1", texts[1:2])):
        reply = await read(trial, "order=created_at", range=given, range_unit="items")
        found = [row["content"] for row in reply.expect(200, 206).rows]
        reply.must(found == wanted, f"Range {given} brought {found} instead of {wanted}")


@requires("REST-23")
async def test_rest_23_content_range(trial: Trial) -> None:
    """Content-Range says which rows came: `0-3/*`, and `*/*` for none."""
    for query, wanted in (("order=id", "0-3/*"), ("limit=2&offset=1", "1-2/*"), ("content=eq.nobody", "*/*")):
        reply = (await read(trial, query)).expect(200)
        came = reply.headers.get("content-range")
        reply.must(came == wanted, f"Content-Range {came} instead of {wanted} for {query}")


@requires("REST-24")
async def test_rest_24_count(trial: Trial) -> None:
    """count=exact counts what the filters select: 206 for a part of it, 200 for all."""
    for query, status, wanted in (
        ("limit=1", 206, "0-0/4"),
        ("limit=9", 200, "0-3/4"),
        ("is_flagged=is.true", 200, "0-0/1"),
    ):
        reply = (await read(trial, query, prefer="count=exact")).expect(status)
        came = reply.headers.get("content-range")
        reply.must(came == wanted, f"Content-Range {came} instead of {wanted} for {query}")


@requires("REST-25")
async def test_rest_25_impossible_range(trial: Trial) -> None:
    """A page that cannot be is 416 with PGRST103."""
    (await read(trial, "offset=50", prefer="count=exact")).expect(416, code="PGRST103")
    (await read(trial, "limit=-1")).expect(416, code="PGRST103")
    (await read(trial, "order=id", range="5-2", range_unit="items")).expect(416, code="PGRST103")


@requires("REST-26")
async def test_rest_26_head(trial: Trial) -> None:
    """HEAD brings the headers of GET and no body: how a client counts without reading."""
    cast = await the_cast(trial)
    path = f"messages?select=*&session_id=eq.{cast.session}&file_url=eq.corpus"
    reply = (await trial.http.rest("HEAD", path, cast.member, prefer="count=exact")).expect(200, 206)
    came = reply.headers.get("content-range")
    reply.must(came == "0-3/4", f"Content-Range {came} instead of 0-3/4")
    reply.must(not reply.raw, "a body came with it")


@requires("REST-27")
async def test_rest_27_json(trial: Trial) -> None:
    """Rows come as application/json in UTF-8, also where a browser sends Accept: */*."""
    for accept in ("application/json", "*/*", None):
        reply = (await read(trial, "limit=1", accept=accept)).expect(200)
        kind = reply.headers.get("content-type", "").replace(" ", "").lower()
        reply.must(kind == "application/json;charset=utf-8", f"Content-Type {kind or 'missing'}")


@requires("REST-28")
async def test_rest_28_times(trial: Trial) -> None:
    """A timestamptz is ISO 8601 in UTC with its offset, as every client parses it."""
    rows = (reply := await read(trial, "limit=1", select="created_at")).expect(200).rows
    reply.must(_TIME.fullmatch(str(rows[0]["created_at"])), f"the time {rows[0]['created_at']}")


@requires("REST-29")
async def test_rest_29_one_object(trial: Trial) -> None:
    """Accept: application/vnd.pgrst.object+json brings the object itself."""
    reply = await read(trial, "content=eq.alpha", accept="application/vnd.pgrst.object+json")
    reply.must(reply.expect(200).fields.get("content") == "alpha", f"another object: {reply.described}")
    kind = reply.headers.get("content-type", "")
    reply.must(kind.startswith("application/vnd.pgrst.object+json"), f"Content-Type {kind}")


@requires("REST-30")
async def test_rest_30_not_one_object(trial: Trial) -> None:
    """Where one object is wanted, none and several are both 406 with PGRST116, and `details` counts the rows."""
    for query, count in (("content=eq.nobody", "0 rows"), ("order=id", "4 rows")):
        reply = await read(trial, query, accept="application/vnd.pgrst.object+json")
        details = str(reply.expect(406, code="PGRST116").fields.get("details"))
        reply.must(count in details, f"details {details!r} without {count!r}")
