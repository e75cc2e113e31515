"""HTTP requests as a test wants them: no cookies, no retries, a 429 waited out, and every exchange kept as evidence."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiohttp
import orjson
from yarl import URL

from conformance.outcome import Breach, Inconclusive, broken
from harness.checkers.telling import short
from harness.client.dialect import Account
from harness.history.op import Op, Via
from harness.protocol.retry import retry_after

if TYPE_CHECKING:
    from conformance.trial import Trial

Caller = Account | str | None
"""Who asks: a signed-in user, whoever holds this token, or nobody (the anon key)."""

LIMIT_PATIENCE = 90.0
"""Seconds for which a call that is answered 429 is repeated: a little over the minute that limits count in."""
SHOWN = 400
"""Characters of a body that are kept as evidence."""
_SECRET = {"authorization", "apikey", "cookie", "set-cookie"}
_TOKEN = re.compile(r"eyJ[\w-]{4,}\.[\w-]+\.[\w-]*")
_FIELD = re.compile(r'("(?:refresh_token|access_token|password)"\s*:\s*")[^"]*')
_QUERY_KEY = re.compile(r"(apikey=)[^&\s]+")
_KEPT_HEADERS = {
    "content-type", "content-range", "content-location", "location", "preference-applied", "retry-after",
    "www-authenticate", "proxy-status", "x-sb-error-code", "x-supabase-api-version",
}  # fmt: skip
_GATEWAY = {502, 503, 504, 520, 521, 522, 523, 524}


def new_session(timeout: float) -> aiohttp.ClientSession:
    """Connections of the wire tests: no cookies (they would mix users), no bound, `timeout` seconds for a request.

    An idle connection is dropped before common servers do so, which is after 5 s.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=4.0),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=timeout),
    )


class NoAnswer(Inconclusive):
    """A request was not answered by the target's own service: too late, cut off, or by something before it."""


class _Nothing:
    """Stands for no body, for None is a body (`null`)."""


NOTHING = _Nothing()


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. Header names are in lower case; `op` is the exchange in the history; `sent` says what was asked."""

    status: int
    headers: Mapping[str, str]
    raw: bytes
    op: Op
    sent: str
    trial: Trial

    @property
    def json(self) -> Any:
        """The body as JSON; None where it is none."""
        try:
            return orjson.loads(self.raw)
        except orjson.JSONDecodeError:
            return None

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The body as rows. Raises Breach where it is no array of objects."""
        body = self.json
        good = isinstance(body, list) and all(isinstance(row, dict) for row in body)
        self.must(good, f"{self.described} instead of an array of rows")
        return list(body)

    @property
    def fields(self) -> dict[str, Any]:
        """The body as one object. Raises Breach where it is none."""
        body = self.json
        self.must(isinstance(body, dict), f"{self.described} instead of an object")
        return dict(body)

    @property
    def described(self) -> str:
        """Status and body, for a person."""
        return f"{self.status} {redacted(self.raw.decode(errors='replace'))}".strip()

    def must(self, holds: object, came: str) -> None:
        """Holds the requirement against what came. Raises Breach, with the exchange as its witness."""
        if not holds:
            raise self.breach(came)
        self.trial.vouch()

    def breach(self, came: str, also: Iterable[Op] = ()) -> Breach:
        """What came is not what is required."""
        user = (self.op.user,) if self.op.user else ()
        return broken(self.trial.requirement.id, sent=self.sent, came=came, users=user, witness=[*also, self.op])

    def expect(self, *statuses: int, code: str | Iterable[str] = ()) -> Reply:
        """The reply itself where it has one of these statuses and, where given, one of these error codes.

        Raises:
            Breach: it has not.
        """
        wanted = " or ".join(map(str, statuses))
        self.must(self.status in statuses, f"{self.described} instead of {wanted}")
        codes = [code] if isinstance(code, str) else list(code)
        if codes:
            self.must(self.code in codes, f"{self.described} without the code {' or '.join(codes)}")
        return self

    @property
    def code(self) -> str:
        """The error code of the body, in either shape that Supabase's services use; empty where there is none."""
        body = self.json
        if not isinstance(body, dict):
            return ""
        return next((body[key] for key in ("error_code", "code", "error") if isinstance(body.get(key), str)), "")


class Http:
    """The requests of one trial."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial

    async def rest(
        self, method: str, path: str, caller: Caller = None, *, body: Any = NOTHING, **headers: str | None
    ) -> Reply:
        """A request below `/rest/v1/`; a header's name is written with underscores (`prefer`, `content_profile`)."""
        url = f"{self._trial.target.supabase_url}/rest/v1/{path}"
        return await self.send(method, url, caller, body=body, headers=self._keyed(caller, headers))

    async def auth(
        self, method: str, path: str, caller: Caller = None, *, body: Any = NOTHING, **headers: str | None
    ) -> Reply:
        """A request below `/auth/v1/`, in the API version of 2024-01-01 unless another one (or None) is given."""
        headers = {"x_supabase_api_version": "2024-01-01", **headers}
        url = f"{self._trial.target.supabase_url}/auth/v1/{path}"
        return await self.send(method, url, caller, body=body, headers=self._keyed(caller, headers))

    async def matching(
        self, verb: str, caller: Caller = None, *, body: Any = NOTHING, wait_out: bool = True, **headers: str | None
    ) -> Reply:
        """`POST /api/matching/<verb>`; without a caller there is no token at all."""
        bearer = None if caller is None else f"Bearer {_token(caller)}"
        given = _headers({"authorization": bearer, **headers})
        url = f"{self._trial.target.api_url}/matching/{verb}"
        return await self.send("POST", url, caller, body=body, headers=given, wait_out=wait_out)

    async def send(
        self,
        method: str,
        url: str,
        caller: Caller = None,
        *,
        headers: Mapping[str, str],
        body: Any = NOTHING,
        wait_out: bool = True,
        pages: bool = False,
    ) -> Reply:
        """Sends one request; `body` is JSON, or bytes that are sent as they are.

        Args:
            method: of HTTP.
            url: with its query, encoded.
            caller: in whose name it stands in the history; the headers alone say who asks.
            headers: all that are sent beside the usual ones of HTTP.
            body: NOTHING sends none.
            wait_out: False returns a 429 at once.
            pages: True also returns the HTML page of a gateway, which otherwise says nothing about the target.

        Raises:
            NoAnswer: none came, or a web page, or a gateway's error.
        """
        deadline = asyncio.get_running_loop().time() + LIMIT_PATIENCE
        while True:
            reply = await self._once(method, url, caller, dict(headers), body)
            if reply.status != 429 or not wait_out:
                break
            asked = retry_after(reply.headers.get("retry-after"), datetime.now(UTC))
            wait = 1.0 if asked is None else max(asked, 0.05)
            if asyncio.get_running_loop().time() + wait > deadline:
                raise NoAnswer(f"{reply.sent}: still answered 429 after {LIMIT_PATIENCE:.0f} s")
            async with self._trial.waiting():
                await asyncio.sleep(wait)
        if not pages and _is_foreign(reply):
            raise NoAnswer(f"{reply.sent}: answered {_foreign(reply)}")
        return reply

    async def _once(self, method: str, url: str, caller: Caller, headers: dict[str, str], body: Any) -> Reply:
        trial = self._trial
        trial.stage.pulse.check()
        data = body if isinstance(body, bytes) else None if body is NOTHING else orjson.dumps(body)
        if data is not None:
            headers = {"content-type": "application/json", **headers}
        sent = _sentence(method, url, caller, data)
        call = trial.recorder().begin(
            _user(caller), "d1", "request", Via.HTTP, method=method, url=redacted(_path(url)),
            headers=_shown(headers), body=_text(data),
        )  # fmt: skip
        try:
            async with trial.stage.http.request(
                method, URL(url, encoded=True), headers=headers, data=data, allow_redirects=False
            ) as response:
                raw = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            call.broke(error)
            trial.stage.pulse.missed()
            raise NoAnswer(f"{sent}: no answer ({_why(error)})") from error
        trial.stage.pulse.felt()
        found = {name.lower(): value for name, value in response.headers.items()}
        kept = {name: value for name, value in found.items() if name in _KEPT_HEADERS}
        op = call.answered(response.status, reply={"headers": kept, "body": _text(raw)})
        return Reply(response.status, found, raw, op, sent, trial)

    def _keyed(self, caller: Caller, headers: Mapping[str, str | None]) -> dict[str, str]:
        """The key of the project, the caller's token, and what was given; None leaves a header out."""
        key = self._trial.target.anon_key
        bearer = key if caller is None else _token(caller)
        return _headers({"apikey": key, "authorization": f"Bearer {bearer}", **headers})


class Pulse:
    """Whether the target still answers: after too many requests in a row without an answer nobody asks again."""

    LIMIT = 12

    def __init__(self) -> None:
        self._silent = 0

    def felt(self) -> None:
        """An answer came."""
        self._silent = 0

    def missed(self) -> None:
        """A request stayed without one."""
        self._silent += 1

    def check(self) -> None:
        """Raises NoAnswer where the target seems to be gone."""
        if self._silent >= self.LIMIT:
            raise NoAnswer(f"the target has not answered the last {self._silent} requests of the suite")


def redacted(text: str) -> str:
    """The text without tokens, passwords and keys, cut where it is long."""
    clean = _QUERY_KEY.sub(r"\1(redacted)", _FIELD.sub(r"\1(redacted)", _TOKEN.sub("(token)", text[:20_000])))
    return clean if len(clean) <= SHOWN else f"{clean[:SHOWN]}… ({len(text)} characters)"


def _headers(given: Mapping[str, str | None]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in given.items() if value is not None}


def _shown(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: "(redacted)" if name.lower() in _SECRET else redacted(value) for name, value in headers.items()}


def _token(caller: Account | str) -> str:
    return caller.access_token if isinstance(caller, Account) else caller


def _user(caller: Caller) -> str:
    return caller.user if isinstance(caller, Account) else ""


def _path(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def _text(data: bytes | None) -> str | None:
    return None if data is None else redacted(data[:20_000].decode(errors="replace"))


def _sentence(method: str, url: str, caller: Caller, data: bytes | None) -> str:
    who = {True: "nobody", False: "the holder of a token"}[caller is None]
    who = f"user {short(caller.user)}" if isinstance(caller, Account) else who
    body = f" {_text(data)}" if data else ""
    return f"{method} {redacted(_path(url))}{body} by {who}"


def _is_foreign(reply: Reply) -> bool:
    kind = reply.headers.get("content-type", "")
    return "text/html" in kind or reply.status in _GATEWAY or (reply.status >= 500 and reply.json is None)


def _foreign(reply: Reply) -> str:
    kind = reply.headers.get("content-type", "").partition(";")[0] or "no type"
    return f"{reply.status} with {kind}, which is no answer of the service itself"


def _why(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "timed out"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
