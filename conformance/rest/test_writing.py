"""REST-31 to REST-43: what is written, what comes back of it, and what two rows of one key do."""

from __future__ import annotations

import json

from conformance.rest.cast import message, the_cast
from conformance.rest.rows_of_ours import OBJECT, ROWS, ask, entry_of, friendship, own_entry
from conformance.scenario import requires
from conformance.trial import Trial

TEXTS = (
    "नमस्ते 🙏 — “quoted” 'single' \"double\"", "back\\slash \\n \\u0041", "line\nbreak\ttab\r\n", "null", "{}", " ",
    json.dumps({"type": "offer", "offer": {"type": "offer", "sdp": "v=0\r\n" + "a=candidate:1 1 udp 1\r\n" * 1_000}}),
)  # fmt: skip


@requires("REST-31")
async def test_rest_31_insert(trial: Trial) -> None:
    """An insert without a preference, or with return=minimal, is 201 without a body, and the row is there."""
    cast = await the_cast(trial)
    for text, prefer in (("quiet", None), ("minimal", "return=minimal")):
        row = message(cast.session, cast.member.user, text)
        reply = (await trial.http.rest("POST", "messages", cast.member, body=row, prefer=prefer)).expect(201)
        reply.must(not reply.raw, f"a body came with it: {reply.described}")
        query = f"messages?select=content&session_id=eq.{cast.session}&content=eq.{text}"
        found = (await trial.http.rest("GET", query, cast.partner)).expect(200)
        found.must(len(found.rows) == 1, f"the partner sees {found.described} instead of one message")


@requires("REST-32")
async def test_rest_32_insert_with_its_row(trial: Trial) -> None:
    """return=representation brings the row as it stands, with what the database filled in."""
    cast = await the_cast(trial)
    row = message(cast.session, cast.member.user, "shown")
    reply = await trial.http.rest("POST", "messages?select=*", cast.member, body=row, prefer=ROWS)
    rows = reply.expect(201).rows
    reply.must(len(rows) == 1 and row.items() <= rows[0].items(), f"another row: {reply.described}")
    reply.must(rows[0].get("id") and rows[0].get("created_at"), f"no id or no time: {reply.described}")
    short = await trial.http.rest("POST", "messages?select=id", cast.member, body=row, prefer=ROWS)
    short.must([set(one) for one in short.expect(201).rows] == [{"id"}], f"other columns: {short.described}")


@requires("REST-33")
async def test_rest_33_insert_of_many(trial: Trial) -> None:
    """An array is inserted as a whole, in its order; what `columns` does not name is not written."""
    cast = await the_cast(trial)
    rows = [message(cast.session, cast.member.user, f"many {n}", file_name="ignored") for n in range(3)]
    columns = "%22session_id%22,%22sender_id%22,%22type%22,%22content%22"
    path = f"messages?columns={columns}&select=content,file_name"
    reply = await trial.http.rest("POST", path, cast.member, body=rows, prefer=ROWS)
    wanted = [{"content": f"many {n}", "file_name": None} for n in range(3)]
    reply.must(reply.expect(201).rows == wanted, f"{reply.described} instead of {wanted}")
    bad = [message(cast.session, cast.member.user, "half"), message(cast.session, cast.partner.user, "half")]
    (await trial.http.rest("POST", "messages", cast.member, body=bad)).expect(403, code="42501")
    query = f"messages?select=id&session_id=eq.{cast.session}&content=eq.half"
    left = await trial.http.rest("GET", query, cast.member)
    left.must(left.expect(200).rows == [], "one row of a refused array was written")


@requires("REST-34")
async def test_rest_34_insert_of_one_object(trial: Trial) -> None:
    """With Accept: application/vnd.pgrst.object+json the new row comes as an object."""
    cast = await the_cast(trial)
    row = message(cast.session, cast.member.user, "single")
    reply = await trial.http.rest("POST", "messages?select=*", cast.member, body=row, prefer=ROWS, accept=OBJECT)
    reply.must(reply.expect(201).fields.get("content") == "single", f"another object: {reply.described}")


@requires("REST-35")
async def test_rest_35_update(trial: Trial) -> None:
    """PATCH changes what its filters select: 204, or 200 with the changed rows; nothing selected is no error."""
    cast = await the_cast(trial)
    async with friendship(trial, cast.member, cast.stranger) as one:
        path, answer = f"study_connections?id=eq.{one}", {"status": "accepted"}
        quiet = (await trial.http.rest("PATCH", path, cast.stranger, body=answer)).expect(204)
        quiet.must(not quiet.raw, f"a body came with it: {quiet.described}")
        shown = await trial.http.rest("PATCH", f"{path}&select=status", cast.stranger, body=answer, prefer=ROWS)
        shown.must(shown.expect(200).rows == [answer], f"{shown.described} instead of the changed row")
        none = await trial.http.rest("PATCH", f"{path}&status=eq.rejected", cast.stranger, body=answer, prefer=ROWS)
        none.must(none.expect(200).rows == [], f"{none.described} instead of no row")


@requires("REST-36")
async def test_rest_36_delete(trial: Trial) -> None:
    """DELETE removes what its filters select: 204, or 200 with the removed rows, also with a JSON body."""
    cast = await the_cast(trial)
    async with friendship(trial, cast.partner, cast.stranger) as one:
        path = f"study_connections?id=eq.{one}"
        shown = await trial.http.rest("DELETE", f"{path}&select=id", cast.partner, prefer=ROWS, body={})
        shown.must(shown.expect(200).rows == [{"id": one}], f"{shown.described} instead of the removed row")
        gone = (await trial.http.rest("DELETE", path, cast.partner)).expect(204)
        gone.must(not gone.raw, f"a body came with it: {gone.described}")


@requires("REST-37")
async def test_rest_37_merge_duplicates(trial: Trial) -> None:
    """An upsert on user_id writes a first row, then changes it: one row in the end."""
    async with own_entry(trial) as user:
        for mode in ("global", "buddies_first"):
            row = {"user_id": user.user, "match_mode": mode}
            reply = await trial.http.rest(
                "POST", "waiting_queue?on_conflict=user_id", user, body=row, prefer="resolution=merge-duplicates"
            )
            reply.expect(200, 201)
            found = await entry_of(trial, user)
            reply.must([one["match_mode"] for one in found] == [mode], f"the entries {found} after it")


@requires("REST-38")
async def test_rest_38_duplicates(trial: Trial) -> None:
    """A second row of one key is 409 with 23505, and changes nothing."""
    cast = await the_cast(trial)
    async with friendship(trial, cast.former, cast.stranger):
        (await ask(trial, cast.former, cast.stranger)).expect(409, code="23505")
        (await ask(trial, cast.stranger, cast.former)).expect(409, code="23505")


@requires("REST-39")
async def test_rest_39_ignore_duplicates(trial: Trial) -> None:
    """With resolution=ignore-duplicates the row that stands stays as it is."""
    async with own_entry(trial) as user:
        for mode, prefer in (("global", None), ("buddies_first", "resolution=ignore-duplicates")):
            row = {"user_id": user.user, "match_mode": mode}
            path = "waiting_queue?on_conflict=user_id"
            reply = (await trial.http.rest("POST", path, user, body=row, prefer=prefer)).expect(200, 201)
        found = await entry_of(trial, user)
        reply.must([one["match_mode"] for one in found] == ["global"], f"the entries {found} after it")


@requires("REST-40")
async def test_rest_40_preference_applied(trial: Trial) -> None:
    """Preference-Applied names the preference that was honoured."""
    cast = await the_cast(trial)
    row = message(cast.session, cast.member.user, "preferred")
    reply = (await trial.http.rest("POST", "messages?select=id", cast.member, body=row, prefer=ROWS)).expect(201)
    said = reply.headers.get("preference-applied", "")
    reply.must(ROWS in said, f"Preference-Applied {said or 'missing'}")


@requires("REST-41")
async def test_rest_41_texts_come_back(trial: Trial) -> None:
    """Whatever a signal holds comes back to the partner to the letter: scripts, quotes, breaks, 20 KB of SDP."""
    cast = await the_cast(trial)
    for text in TEXTS:
        row = message(cast.session, cast.member.user, text)
        reply = await trial.http.rest("POST", "messages?select=id", cast.member, body=row, prefer=ROWS)
        path = f"messages?select=content&id=eq.{reply.expect(201).rows[0]['id']}"
        back = await trial.http.rest("GET", path, cast.partner)
        came = [one["content"] for one in back.expect(200).rows]
        back.must(came == [text], f"{len(str(came))} other characters than the {len(text)} that were sent")


@requires("REST-42")
async def test_rest_42_a_null_character(trial: Trial) -> None:
    """U+0000, which PostgreSQL cannot keep, is the client's error and no crash."""
    cast = await the_cast(trial)
    row = message(cast.session, cast.member.user, "a\0b")
    reply = await trial.http.rest("POST", "messages", cast.member, body=row)
    reply.must(400 <= reply.status < 500, f"{reply.described} instead of a refusal")


@requires("REST-43")
async def test_rest_43_contained_json(trial: Trial) -> None:
    """cs and cd look into a jsonb column."""
    async with own_entry(trial) as user:
        row = {"user_id": user.user, "match_mode": "global", "preferences": {"topic": "yoga", "level": 2}}
        (await trial.http.rest("POST", "waiting_queue", user, body=row)).expect(201)
        scope = f"waiting_queue?select=match_mode&user_id=eq.{user.user}&preferences="
        for query, count in (
            ("cs.%7B%22topic%22:%22yoga%22%7D", 1), ("cs.%7B%22topic%22:%22tax%22%7D", 0),
            ("cd.%7B%22topic%22:%22yoga%22,%22level%22:2,%22x%22:1%7D", 1), ("cd.%7B%22topic%22:%22yoga%22%7D", 0),
        ):  # fmt: skip
            reply = (await trial.http.rest("GET", scope + query, user)).expect(200)
            reply.must(len(reply.rows) == count, f"{len(reply.rows)} rows instead of {count}")
