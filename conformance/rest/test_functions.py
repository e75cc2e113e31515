"""REST-44 to REST-48: functions of the database, called over REST."""

from __future__ import annotations

from conformance.rest.cast import the_cast
from conformance.rest.rows_of_ours import entry_of, own_entry
from conformance.scenario import requires
from conformance.trial import Trial


@requires("REST-44")
async def test_rest_44_a_function_with_rows(trial: Trial) -> None:
    """find_match, called by a user who is alone, brings an array with the documented columns."""
    async with own_entry(trial) as user:
        body = {"p_user_id": user.user, "p_match_mode": "global"}
        reply = await trial.http.rest("POST", "rpc/find_match", user, body=body, content_profile="public")
        rows = reply.expect(200).rows
        wanted = {"match_found": False, "session_id": None, "partner_id": None}
        reply.must(len(rows) == 1 and wanted.items() <= rows[0].items(), f"{reply.described} instead of no match")


@requires("REST-45")
async def test_rest_45_a_function_with_a_scalar(trial: Trial) -> None:
    """skip_partner, on a session that is over, brings a bare boolean."""
    cast = await the_cast(trial)
    body = {"p_user_id": cast.former.user, "p_session_id": cast.over}
    reply = (await trial.http.rest("POST", "rpc/skip_partner", cast.former, body=body)).expect(200)
    reply.must(isinstance(reply.json, bool), f"{reply.described} instead of true or false")


@requires("REST-46")
async def test_rest_46_a_function_for_oneself(trial: Trial) -> None:
    """Nobody looks for a match, or skips a partner, in the name of somebody else."""
    stranger = await trial.shared("stranger")
    async with own_entry(trial) as user:
        for caller in (stranger, None):
            body = {"p_user_id": user.user, "p_match_mode": "global"}
            reply = await trial.http.rest("POST", "rpc/find_match", caller, body=body)
            found = await entry_of(trial, user)
            reply.must(not found, f"{reply.described}, and somebody who had not asked stands in the queue")
    first, second = await trial.crowd(2)
    async with trial.queue():
        session = await trial.pair(first, second)
        skip = {"p_user_id": first.user, "p_session_id": session.id}
        reply = await trial.http.rest("POST", "rpc/skip_partner", stranger, body=skip)
        seen = await trial.observe([first], 0.0)
        reply.must(first.user in seen, f"{reply.described}, and the session of two others is over")


@requires("REST-47")
async def test_rest_47_unknown_function(trial: Trial) -> None:
    """A function that is not there, or not with these arguments, is 404 with PGRST202."""
    caller = await trial.shared("stranger")
    for path, body in (("rpc/no_such_function", {}), ("rpc/find_match", {"p_nobody": caller.user})):
        reply = await trial.http.rest("POST", path, caller, body=body)
        text = str(reply.expect(404, code="PGRST202").fields.get("message"))
        reply.must("Could not find the function public." in text, f"the message {text!r}")


@requires("REST-48")
async def test_rest_48_get_changes_nothing(trial: Trial) -> None:
    """A function that writes cannot be called by GET: a link or an image must not put anybody into the queue."""
    async with own_entry(trial) as user:
        path = f"rpc/find_match?p_user_id={user.user}&p_match_mode=global"
        reply = await trial.http.rest("GET", path, user)
        found = await entry_of(trial, user)
        reply.must(not found, f"{reply.described}, and an entry stands in the queue")
        reply.expect(405, code="25006")
