"""Reading the corpus of messages: what a query selects, in the order in which it was written."""

from __future__ import annotations

from urllib.parse import quote

from conformance.rest.cast import Cast, the_cast
from conformance.trial import Trial
from conformance.wire.http import Reply


def encoded(query: str) -> str:
    """A query with its values escaped as a browser escapes them; `&` and `=` stay."""
    return quote(query, safe="&=*,().:'\"!-_~")


async def read(trial: Trial, query: str, select: str = "*", **headers: str | None) -> Reply:
    """Reads the corpus with a further query, as the member."""
    cast = await the_cast(trial)
    scope = f"messages?select={encoded(select)}&session_id=eq.{cast.session}&file_url=eq.corpus"
    return await trial.http.rest("GET", f"{scope}&{encoded(query)}", cast.member, **headers)


async def selects(trial: Trial, cases: dict[str, list[int]], order: str = "created_at.asc") -> None:
    """Holds each query against the messages of the corpus (by their places) that it must select, in that order."""
    cast = await the_cast(trial)
    texts = [str(row["content"]) for row in cast.messages]
    for query, places in cases.items():
        filled = _filled(query, cast)
        reply = await read(trial, f"{filled}&order={order}" if order else filled)
        found = [row.get("content") for row in reply.expect(200).rows]
        wanted = [texts[place] for place in places]
        reply.must(found == wanted, f"the messages {found} instead of {wanted}")


def _filled(query: str, cast: Cast) -> str:
    """The query with `{n}` replaced by the time and `#n` by the id of message n."""
    for place, row in enumerate(cast.messages):
        query = query.replace(f"{{{place}}}", str(row["created_at"])).replace(f"#{place}", str(row["id"]))
    return query
