"""REST-RLS-01 to 16: {queue, sessions, messages, connections} x {select, insert, update, delete}, four callers each."""

from __future__ import annotations

from conformance.rest.cast import Cast, message, the_cast
from conformance.rest.policies import Cell, Who, unchanged, walk
from conformance.rest.rows_of_ours import entry_of, friendship, own_entry, pair_filter
from conformance.scenario import requires
from conformance.trial import Trial
from harness.client.dialect import Account

Callers = tuple[tuple[Who, Account | None], ...]


def outsiders(cast: Cast) -> Callers:
    """Everybody who has no part in the active session; the former member once had, with one of the two."""
    return (("anonymous", None), ("stranger", cast.stranger), ("former member", cast.former))


# ---------------------------------------------------------------- the queue
@requires("REST-RLS-01")
async def test_rest_rls_01_queue_select(trial: Trial) -> None:
    """Only its owner sees an entry; he who once had one and left sees none."""
    cast = await the_cast(trial)
    async with own_entry(trial) as owner:
        await _queue(trial, owner)
        path = f"waiting_queue?select=*&user_id=eq.{owner.user}"
        cells = [Cell(who, caller, "GET", path) for who, caller in outsiders(cast)]
        cells += [Cell(who, caller, "GET", "waiting_queue?select=*", what="all") for who, caller in outsiders(cast)]
        await walk(trial, [*cells, Cell("member", owner, "GET", path, allowed=True)])


@requires("REST-RLS-02")
async def test_rest_rls_02_queue_insert(trial: Trial) -> None:
    """Nobody puts somebody else into the queue; a user may write his own entry."""
    cast = await the_cast(trial)
    async with own_entry(trial) as owner:
        row = {"user_id": owner.user, "match_mode": "global"}
        cells = [Cell(who, caller, "POST", "waiting_queue?select=*", body=row) for who, caller in outsiders(cast)]
        await walk(trial, [*cells, Cell("member", owner, "POST", "waiting_queue?select=*", allowed=True, body=row)])


@requires("REST-RLS-03")
async def test_rest_rls_03_queue_update(trial: Trial) -> None:
    """Nobody changes the entry of somebody else, nor gives his own to another user."""
    cast = await the_cast(trial)
    async with own_entry(trial) as owner:
        await _queue(trial, owner)
        path, change = f"waiting_queue?user_id=eq.{owner.user}&select=*", {"match_mode": "buddies_first"}
        cells = [Cell(who, caller, "PATCH", path, body=change) for who, caller in outsiders(cast)]
        given = {"user_id": cast.stranger.user}
        cells.append(Cell("member", owner, "PATCH", path, body=given, what="giving it away"))
        await walk(trial, [*cells, Cell("member", owner, "PATCH", path, allowed=True, body=change)])


@requires("REST-RLS-04")
async def test_rest_rls_04_queue_delete(trial: Trial) -> None:
    """Nobody takes somebody else out of the queue; a user takes himself out."""
    cast = await the_cast(trial)
    async with own_entry(trial) as owner:
        await _queue(trial, owner)
        path = f"waiting_queue?user_id=eq.{owner.user}&select=*"
        cells = [Cell(who, caller, "DELETE", path) for who, caller in outsiders(cast)]
        await walk(trial, cells)
        await unchanged(trial, owner, path, {"user_id": owner.user})
        await walk(trial, [Cell("member", owner, "DELETE", path, allowed=True)])


async def _queue(trial: Trial, owner: Account) -> None:
    row = {"user_id": owner.user, "match_mode": "global"}
    reply = await trial.http.rest("POST", "waiting_queue", owner, body=row)
    reply.must(reply.status == 201 and await entry_of(trial, owner), f"{reply.described}, and no entry of his own")


# ---------------------------------------------------------------- sessions
@requires("REST-RLS-05")
async def test_rest_rls_05_sessions_select(trial: Trial) -> None:
    """Only the two members see a session, asked for by its id or among all."""
    cast = await the_cast(trial)
    path = f"chat_sessions?select=*&id=eq.{cast.session}"
    every = (
        f"chat_sessions?select=*&or=(user1_id.eq.{cast.member.user},user2_id.eq.{cast.member.user})&status=eq.active"
    )
    cells = [Cell(who, caller, "GET", way) for who, caller in outsiders(cast) for way in (path, every)]
    members = [Cell("member", caller, "GET", path, allowed=True) for caller in (cast.member, cast.partner)]
    await walk(trial, [*cells, *members])


@requires("REST-RLS-06")
async def test_rest_rls_06_sessions_insert(trial: Trial) -> None:
    """Sessions are made by the matchmaking alone: nobody writes one, for himself neither."""
    cast = await the_cast(trial)
    everybody: Callers = (*outsiders(cast), ("member", cast.member))
    cells = []
    for who, caller in everybody:
        mine = caller.user if caller is not None else cast.former.user
        row = {"user1_id": mine, "user2_id": cast.partner.user, "status": "active"}
        cells.append(Cell(who, caller, "POST", "chat_sessions?select=*", body=row))
    await walk(trial, cells)


@requires("REST-RLS-07")
async def test_rest_rls_07_sessions_update(trial: Trial) -> None:
    """Nobody else ends a session or gets into it; its members may end it."""
    cast = await the_cast(trial)
    ends = {"status": "ended", "ended_at": "2026-01-01T00:00:00Z"}
    first, second = await trial.crowd(2)
    async with trial.queue():
        path = f"chat_sessions?id=eq.{(await trial.pair(first, second)).id}&select=*"
        cells = [Cell(who, caller, "PATCH", path, body=ends, what="ending it") for who, caller in outsiders(cast)]
        for who, caller in outsiders(cast):
            enters = {"user2_id": caller.user if caller is not None else cast.stranger.user}
            cells.append(Cell(who, caller, "PATCH", path, body=enters, what="taking a seat"))
        await walk(trial, cells)
        await unchanged(trial, first.account, path, {"status": "active"})
        await walk(trial, [Cell("member", second.account, "PATCH", path, allowed=True, body=ends)])


@requires("REST-RLS-08")
async def test_rest_rls_08_sessions_delete(trial: Trial) -> None:
    """Nobody deletes a session: what happened in it can be reported afterwards."""
    cast = await the_cast(trial)
    path = f"chat_sessions?id=eq.{cast.over}&select=*"
    everybody: Callers = (
        ("anonymous", None),
        ("stranger", cast.stranger),
        ("member", cast.partner),
        ("former member", cast.former),
    )
    await walk(trial, [Cell(who, caller, "DELETE", path) for who, caller in everybody])
    await unchanged(trial, cast.former, path, {"id": cast.over})


# ---------------------------------------------------------------- messages
@requires("REST-RLS-09")
async def test_rest_rls_09_messages_select(trial: Trial) -> None:
    """Only the two members read the messages of a session: offers and addresses are in them."""
    cast = await the_cast(trial)
    path = f"messages?select=*&session_id=eq.{cast.session}"
    one = f"messages?select=content&id=eq.{cast.messages[0]['id']}"
    cells = [Cell(who, caller, "GET", way) for who, caller in outsiders(cast) for way in (path, one)]
    members = [Cell("member", caller, "GET", path, allowed=True) for caller in (cast.member, cast.partner)]
    await walk(trial, [*cells, *members])


@requires("REST-RLS-10")
async def test_rest_rls_10_messages_insert(trial: Trial) -> None:
    """Only a member writes into a session, and in his own name: a signal comes from whom it says."""
    cast = await the_cast(trial)
    path, cells = "messages?select=*", []
    for who, caller in outsiders(cast):
        mine = caller.user if caller is not None else cast.stranger.user
        cells.append(Cell(who, caller, "POST", path, body=message(cast.session, mine, "intruder")))
        forged = message(cast.session, cast.member.user, "forged")
        cells.append(Cell(who, caller, "POST", path, body=forged, what="as a member"))
    partners = message(cast.session, cast.partner.user, "forged")
    cells.append(Cell("member", cast.member, "POST", path, body=partners, what="as his partner"))
    row = message(cast.session, cast.member.user, "rightful")
    await walk(trial, [*cells, Cell("member", cast.member, "POST", path, allowed=True, body=row)])


@requires("REST-RLS-11")
async def test_rest_rls_11_messages_update(trial: Trial) -> None:
    """Nobody changes a message of somebody else, the partner neither."""
    cast = await the_cast(trial)
    path, change = f"messages?id=eq.{cast.messages[0]['id']}&select=*", {"content": "changed"}
    cells = [Cell(who, caller, "PATCH", path, body=change) for who, caller in outsiders(cast)]
    await walk(trial, [*cells, Cell("member", cast.partner, "PATCH", path, body=change, what="the partner")])
    await unchanged(trial, cast.member, path, {"content": cast.messages[0]["content"]})


@requires("REST-RLS-12")
async def test_rest_rls_12_messages_delete(trial: Trial) -> None:
    """Nobody deletes a message of somebody else, the partner neither."""
    cast = await the_cast(trial)
    path = f"messages?id=eq.{cast.messages[0]['id']}&select=*"
    cells = [Cell(who, caller, "DELETE", path) for who, caller in outsiders(cast)]
    await walk(trial, [*cells, Cell("member", cast.partner, "DELETE", path, what="the partner")])
    await unchanged(trial, cast.member, path, {"content": cast.messages[0]["content"]})


# ---------------------------------------------------------------- connections
@requires("REST-RLS-13")
async def test_rest_rls_13_connections_select(trial: Trial) -> None:
    """Only the two of them see a friendship."""
    cast = await the_cast(trial)
    async with friendship(trial, cast.member, cast.partner) as one:
        path = f"study_connections?id=eq.{one}&select=*"
        cells = [Cell(who, caller, "GET", path) for who, caller in outsiders(cast)]
        pair = f"study_connections?{pair_filter(cast.member, cast.partner)}&select=*"
        cells += [Cell(who, caller, "GET", pair, what="by the pair") for who, caller in outsiders(cast)]
        members = [Cell("member", caller, "GET", path, allowed=True) for caller in (cast.member, cast.partner)]
        await walk(trial, [*cells, *members])


@requires("REST-RLS-14")
async def test_rest_rls_14_connections_insert(trial: Trial) -> None:
    """A friendship is asked for in one's own name, and nobody says yes for the other."""
    cast = await the_cast(trial)
    asker, answerer = await trial.shared("asker"), await trial.shared("answerer")
    path = "study_connections?select=*"
    row = {"requester_id": asker.user, "receiver_id": answerer.user, "status": "pending"}
    cells = [Cell(who, caller, "POST", path, body=row) for who, caller in outsiders(cast)]
    accepted = {**row, "status": "accepted"}
    cells.append(Cell("member", asker, "POST", path, body=accepted, what="accepting it himself"))
    cells.append(Cell("member", answerer, "POST", path, body=row, what="in the other's name"))
    try:
        await walk(trial, [*cells, Cell("member", asker, "POST", path, allowed=True, body=row)])
    finally:
        await trial.http.rest("DELETE", f"study_connections?{pair_filter(asker, answerer)}", asker)


@requires("REST-RLS-15")
async def test_rest_rls_15_connections_update(trial: Trial) -> None:
    """Only who was asked may accept, and what he accepts is what he was asked: with whom stays as it is."""
    cast = await the_cast(trial)
    yes = {"status": "accepted"}
    with_another = {**yes, "requester_id": cast.stranger.user}
    asker = await trial.shared("asker")
    async with friendship(trial, asker, cast.partner) as one:
        path = f"study_connections?id=eq.{one}&select=*"
        cells = [Cell(who, caller, "PATCH", path, body=yes) for who, caller in outsiders(cast)]
        cells.append(Cell("member", asker, "PATCH", path, body=yes, what="who asked"))
        forged = "who was asked, as a friendship with somebody who did not ask"
        cells.append(Cell("member", cast.partner, "PATCH", path, body=with_another, what=forged))
        await walk(trial, cells)
        await unchanged(trial, asker, path, {"status": "pending"})
        await walk(trial, [Cell("member", cast.partner, "PATCH", path, allowed=True, body=yes, what="who was asked")])


@requires("REST-RLS-16")
async def test_rest_rls_16_connections_delete(trial: Trial) -> None:
    """Only the two of them end a friendship."""
    cast = await the_cast(trial)
    other = await trial.shared("asker")
    async with friendship(trial, other, cast.member) as one:
        path = f"study_connections?id=eq.{one}&select=*"
        cells = [Cell(who, caller, "DELETE", path) for who, caller in outsiders(cast)]
        cells.append(Cell("stranger", cast.partner, "DELETE", path, what="who is in a session with one of them"))
        await walk(trial, cells)
        await unchanged(trial, other, path, {"status": "pending"})
        await walk(trial, [Cell("member", cast.member, "DELETE", path, allowed=True)])
