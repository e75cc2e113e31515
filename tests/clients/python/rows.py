"""Rows over REST: insert, upsert, update, delete, select, filters, counts, functions, and the errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from postgrest.types import CountMethod, ReturnMethod
from report import Suite, equal, fails, includes, matches
from stage import Person, Stage

NAMES = ["Ada", "Alan", "Barbara", None]
A, B, C = "Ada", "Alan", "Barbara"
NOBODY = "00000000-0000-4000-8000-000000000000"

FILTERS: dict[str, tuple[Callable[[Any], Any], list[str | None]]] = {
    "eq": (lambda q: q.eq("display_name", A), [A]),
    "neq": (lambda q: q.neq("display_name", A), [B, C]),
    "gt": (lambda q: q.gt("display_name", A), [B, C]),
    "gte": (lambda q: q.gte("display_name", B), [B, C]),
    "lt": (lambda q: q.lt("display_name", B), [A]),
    "lte": (lambda q: q.lte("display_name", B), [A, B]),
    "like": (lambda q: q.like("display_name", "A%"), [A, B]),
    "ilike": (lambda q: q.ilike("display_name", "a%"), [A, B]),
    "is null": (lambda q: q.is_("display_name", "null"), [None]),
    "not is null": (lambda q: q.not_.is_("display_name", "null"), [A, B, C]),
    "in": (lambda q: q.in_("display_name", [A, C]), [A, C]),
    "not in": (lambda q: q.not_.in_("display_name", [A, C]), [B]),
    "or": (lambda q: q.or_(f"display_name.eq.{A},display_name.is.null"), [A, None]),
    "nested or": (lambda q: q.or_(f"and(display_name.gte.{B},display_name.lt.{C}),display_name.eq.{A}"), [A, B]),
    "match": (lambda q: q.match({"display_name": A}), [A]),
    "filter": (lambda q: q.filter("display_name", "match", "^A.a$"), [A]),
    "like_all_of": (lambda q: q.like_all_of("display_name", "A%,%n"), [B]),
    "ilike_any_of": (lambda q: q.ilike_any_of("display_name", "ad%,b%"), [A, C]),
    "plfts": (lambda q: q.plfts("display_name", "ada"), [A]),
}


async def rest(stage: Stage, suite: Suite) -> None:
    async def people():
        return [await stage.person() for _ in NAMES]

    crowd = await suite.must("people", people)
    await _writes(suite, crowd)
    await _reads(suite, crowd)
    await _errors(stage, suite, crowd[0])


def _profiles(person: Person) -> Any:
    return person.client.table("profiles")


async def _writes(suite: Suite, crowd: list[Person]) -> None:
    rows = [{"id": person.user, "display_name": name} for person, name in zip(crowd, NAMES, strict=True)]
    first = crowd[0]

    async def insert():
        answer = await _profiles(first).insert(rows[0]).execute()
        includes("row", answer.data[0], rows[0])
        matches("created_at", answer.data[0]["created_at"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00$")

    async def insert_minimal():
        answer = await _profiles(crowd[1]).insert(rows[1], returning=ReturnMethod.minimal).execute()
        equal("data", answer.data, [])

    async def insert_many():
        asked = [{"requester_id": first.user, "receiver_id": other.user} for other in crowd[1:3]]
        answer = await first.client.table("study_connections").insert(asked).execute()
        equal("statuses", [row["status"] for row in answer.data], ["pending", "pending"])

    async def upsert():
        for person, row in zip(crowd[2:], rows[2:], strict=True):
            answer = await _profiles(person).upsert(row).execute()
            includes("row", answer.data[0], row)
        answer = await _profiles(crowd[2]).upsert(rows[2] | {"display_name": "other"}, on_conflict="id").execute()
        equal("name", answer.data[0]["display_name"], "other")
        await _profiles(crowd[2]).upsert(rows[2], on_conflict="id").execute()

    async def update():
        answer = await _profiles(first).update({"display_name": "x"}).eq("id", first.user).execute()
        equal("names", [row["display_name"] for row in answer.data], ["x"])
        answer = (
            await _profiles(first)
            .update({"display_name": A}, returning=ReturnMethod.minimal)
            .eq("id", first.user)
            .execute()
        )
        equal("data", answer.data, [])

    async def delete():
        answer = await first.client.table("study_connections").delete().eq("receiver_id", crowd[1].user).execute()
        equal("rows", [row["receiver_id"] for row in answer.data], [crowd[1].user])

    await suite.check("insert(row) returns the row", insert)
    await suite.check("insert(row, returning minimal) returns nothing", insert_minimal)
    await suite.check("insert([rows])", insert_many)
    await suite.check("upsert inserts, and changes what is there", upsert)
    await suite.check("update().eq(), with and without the rows", update)
    await suite.check("delete().eq() returns the rows", delete)


async def _reads(suite: Suite, crowd: list[Person]) -> None:
    ids = [person.user for person in crowd]

    def ours(*columns: str, **options: Any) -> Any:
        return _profiles(crowd[0]).select(*(columns or ("display_name",)), **options).in_("id", ids)

    for name, (narrow, wanted) in FILTERS.items():

        async def narrowed(narrow: Callable[[Any], Any] = narrow, wanted: list[str | None] = wanted) -> None:
            answer = await narrow(ours()).order("display_name").execute()
            equal("names", [row["display_name"] for row in answer.data], wanted)

        await suite.check(f"filter {name}", narrowed)

    async def renamed():
        answer = await ours("who:id", "name:display_name").eq("id", ids[0]).execute()
        equal("rows", answer.data, [{"who": ids[0], "name": A}])

    async def ordered():
        answer = await ours().order("display_name", desc=True).execute()
        equal("names", [row["display_name"] for row in answer.data], [None, C, B, A])
        answer = await ours().order("display_name").range(1, 2).execute()
        equal("names", [row["display_name"] for row in answer.data], [B, C])
        answer = await ours().order("display_name").limit(1).execute()
        equal("names", [row["display_name"] for row in answer.data], [A])

    async def counted():
        answer = await ours(count=CountMethod.exact).limit(1).execute()
        equal("count and rows", (answer.count, len(answer.data)), (4, 1))
        answer = await ours(count=CountMethod.exact, head=True).execute()
        equal("count without rows", answer.count, 4)

    async def single():
        equal("data", (await ours().eq("id", ids[0]).single().execute()).data, {"display_name": A})
        error = await fails(ours().eq("id", NOBODY).single().execute(), code="PGRST116")
        matches("details", error.details, "0 rows")
        error = await fails(ours().single().execute(), code="PGRST116")
        matches("details", error.details, "4 rows")

    async def maybe_single():
        equal("data", (await ours().eq("id", ids[0]).maybe_single().execute()).data, {"display_name": A})
        equal("nobody", await ours().eq("id", NOBODY).maybe_single().execute(), None)

    await suite.check("select with renamed columns", renamed)
    await suite.check("order, range, limit", ordered)
    await suite.check("count: exact, with rows and with head", counted)
    await suite.check("single: an object, or PGRST116", single)
    await suite.check("maybe_single: an object, or None", maybe_single)


async def _errors(stage: Stage, suite: Suite, person: Person) -> None:
    table, client = (lambda: _profiles(person)), person.client
    policy = 'new row violates row-level security policy for table "profiles"'
    cases: dict[str, tuple[Callable[[], Any], dict[str, object]]] = {
        "an unknown table": (lambda: client.table("nothing").select("*"), {"code": "PGRST205"}),
        "an unknown column in a filter": (lambda: table().select("*").eq("nope", 1), {"code": "42703"}),
        "an unknown column in an insert": (lambda: table().insert({"nope": 1}), {"code": "PGRST204"}),
        "an unknown function": (lambda: client.rpc("find_nothing", {}), {"code": "PGRST202"}),
        "something that is no uuid": (lambda: table().select("*").eq("id", "undefined"), {"code": "22P02"}),
        "an unknown operator": (lambda: table().select("*").filter("id", "foo", "1"), {"code": "PGRST100"}),
        "a key that is there already": (lambda: table().insert({"id": person.user}), {"code": "23505"}),
        "a row in another one's name": (lambda: table().insert({"id": NOBODY}), {"code": "42501", "message": policy}),
    }
    for name, (ask, wanted) in cases.items():

        async def refused(ask: Callable[[], Any] = ask, wanted: dict[str, object] = wanted) -> None:
            await fails(ask().execute(), **wanted)

        await suite.check(f"{name}: {wanted['code']}", refused)

    async def wrong_key():
        await fails((await stage.client("wrong")).table("profiles").select("*").execute(), message="Invalid API key")

    await suite.check("a wrong project key is refused at the gateway", wrong_key)
