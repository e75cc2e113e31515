"""REST-01 to REST-16: the filters of a read, each operator by what it selects."""

from __future__ import annotations

from conformance.outcome import NotOffered
from conformance.rest.cast import the_cast
from conformance.rest.reading import encoded, read, selects
from conformance.scenario import requires
from conformance.trial import Trial


@requires("REST-01")
async def test_rest_01_the_poll(trial: Trial) -> None:
    """The poll of a member brings his active session and no other; that of somebody who is in none brings no row."""
    if not trial.target.capabilities.poll:
        raise NotOffered("the target offers no poll")
    cast = await the_cast(trial)
    for caller, wanted in ((cast.member, [cast.session]), (cast.partner, [cast.session]), (cast.stranger, [])):
        query = f"select=id,user1_id,user2_id&or=(user1_id.eq.{caller.user},user2_id.eq.{caller.user})"
        reply = await trial.http.rest(
            "GET", f"chat_sessions?{encoded(query)}&status=eq.active&limit=1", caller, accept_profile="public"
        )
        rows = reply.expect(200).rows
        reply.must([row.get("id") for row in rows] == wanted, f"{reply.described} instead of the sessions {wanted}")
        reply.must(all(set(row) == {"id", "user1_id", "user2_id"} for row in rows), f"other columns: {reply.described}")


@requires("REST-02")
async def test_rest_02_equal_and_not_equal(trial: Trial) -> None:
    """eq and neq, with values that hold commas, parentheses and percent signs."""
    await selects(trial, {
        "content=eq.alpha": [0], "content=eq.Alpha": [], "content=eq.gamma, (delta)": [2],
        "content=eq.a 100% *star*": [3], "content=neq.alpha": [1, 2, 3], "is_flagged=eq.true": [2],
    })  # fmt: skip


@requires("REST-03")
async def test_rest_03_greater_and_less(trial: Trial) -> None:
    """gt, gte, lt and lte on times to the microsecond."""
    await selects(trial, {
        "created_at=gt.{1}": [2, 3], "created_at=gte.{1}": [1, 2, 3],
        "created_at=lt.{1}": [0], "created_at=lte.{1}": [0, 1],
    })  # fmt: skip


@requires("REST-04")
async def test_rest_04_patterns(trial: Trial) -> None:
    """like and ilike: `*` stands for any text, as `%` does."""
    await selects(trial, {
        "content=like.*eta": [1], "content=like.b*": [], "content=ilike.b*": [1],
        "content=like.%elta%": [2], "content=like._eta": [1],
    })  # fmt: skip


@requires("REST-05")
async def test_rest_05_regular_expressions(trial: Trial) -> None:
    """match and imatch take POSIX expressions."""
    await selects(trial, {"content=match.^[ab]": [0, 3], "content=imatch.^[ab]": [0, 1, 3], "content=match.^$": []})


@requires("REST-06")
async def test_rest_06_one_of_a_list(trial: Trial) -> None:
    """in takes a list, whose quoted values may hold commas and parentheses."""
    await selects(trial, {
        "content=in.(alpha,Beta)": [0, 1], 'content=in.("gamma, (delta)",alpha)': [0, 2],
        "content=in.(nobody)": [], "id=in.(#0,#3)": [0, 3],
    })  # fmt: skip


@requires("REST-07")
async def test_rest_07_null_and_truth(trial: Trial) -> None:
    """is tests for null, true and false."""
    await selects(trial, {
        "file_name=is.null": [1, 3], "file_name=not.is.null": [0, 2],
        "is_flagged=is.true": [2], "is_flagged=is.false": [0, 1, 3],
    })  # fmt: skip


@requires("REST-08")
async def test_rest_08_distinct(trial: Trial) -> None:
    """isdistinct treats null as a value, which neq does not."""
    await selects(trial, {"file_name=isdistinct.a.txt": [1, 2, 3], "file_name=neq.a.txt": [2]})


@requires("REST-09")
async def test_rest_09_words(trial: Trial) -> None:
    """fts, plfts, phfts and wfts find words by their stems."""
    await selects(trial, {
        "content=fts(english).gammas": [2], "content=plfts(english).delta gamma": [2],
        "content=phfts(english).gamma delta": [2], "content=phfts(english).delta gamma": [],
        "content=wfts(english).alpha or beta": [0, 1],
    })  # fmt: skip


@requires("REST-10")
async def test_rest_10_negation(trial: Trial) -> None:
    """not. turns every operator round."""
    await selects(trial, {
        "content=not.eq.alpha": [1, 2, 3], "content=not.like.*a*": [], "content=not.ilike.*eta": [0, 2, 3],
        "content=not.in.(alpha,Beta)": [2, 3], "is_flagged=not.is.true": [0, 1, 3],
    })  # fmt: skip


@requires("REST-11")
async def test_rest_11_any_and_all(trial: Trial) -> None:
    """eq(any), like(any) and like(all) compare with each of several values."""
    await selects(trial, {
        "content=eq(any).{alpha,Beta}": [0, 1], "content=like(any).{a*,*eta}": [0, 1, 3],
        "content=like(all).{a*,*a}": [0],
    })  # fmt: skip


@requires("REST-12")
async def test_rest_12_groups(trial: Trial) -> None:
    """or, and, and groups within groups; several filters of one query all hold."""
    await selects(trial, {
        "or=(content.eq.alpha,content.eq.Beta)": [0, 1],
        "and=(content.like.a*,file_name.is.null)": [3],
        "or=(and(content.like.a*,file_name.not.is.null),is_flagged.is.true)": [0, 2],
        'or=(content.eq."gamma, (delta)",content.eq.alpha)': [0, 2],
        "content=like.a*&file_name=is.null": [3],
    })  # fmt: skip


@requires("REST-13")
async def test_rest_13_negated_groups(trial: Trial) -> None:
    """not.or, not.and, and a negated group within another."""
    await selects(trial, {
        "not.or=(content.eq.alpha,content.eq.Beta)": [2, 3],
        "not.and=(content.like.a*,file_name.is.null)": [0, 1, 2],
        "or=(content.eq.Beta,not.and(file_name.is.null,is_flagged.is.false))": [0, 1, 2],
    })  # fmt: skip


@requires("REST-14")
async def test_rest_14_unreadable_filter(trial: Trial) -> None:
    """What is no filter is refused with PGRST100, and never passed over: the answer would be somebody else's rows."""
    for query in ("content=alpha", "content=foo.alpha", "or=(content.eq.alpha", "or=content.eq.alpha", "limit=ten"):
        (await read(trial, query)).expect(400, code="PGRST100")


@requires("REST-15")
async def test_rest_15_unknown_column(trial: Trial) -> None:
    """A column that is not there is 400 with 42703, in a filter, a selection and an order."""
    for query in ("nope=eq.1", "or=(nope.eq.1,content.eq.alpha)", "order=nope.asc"):
        (await read(trial, query)).expect(400, code="42703")
    (await read(trial, "limit=1", select="nope")).expect(400, code="42703")


@requires("REST-16")
async def test_rest_16_values_are_values(trial: Trial) -> None:
    """What would be SQL is a text to compare with: it finds nothing, breaks nothing and shows nobody else's rows."""
    injections = ("' or '1'='1", "alpha'; select pg_sleep(9); --", "x') or (1=1", "\\'; drop table messages; --")
    await selects(trial, {f"content=eq.{text}": [] for text in injections})
    cast = await the_cast(trial)
    for name in ("id=eq.1)or(1", 'content"=eq.1;--'):
        reply = await trial.http.rest("GET", f"messages?select=id&{encoded(name)}", cast.member)
        reply.must(400 <= reply.status < 500, f"{reply.described} instead of a refusal")
