"""HTTP of the SDK: one request, and one place where its failures are sorted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
from msgspec import Struct

from harness.client.connections import Connections, NotHttp, Response
from harness.client.dialect import CallBroke, CallRefused
from harness.client.lean import LeanHttp, Malformed, RawAnswer
from harness.protocol.retry import retry_after


class Answer(Struct, frozen=True, gc=False):
    """A successful answer: its status and its JSON body, None where it has none."""

    status: int
    body: Any


class NotJson(Exception):
    """An answer that should have been JSON is something else."""


Http = Connections | LeanHttp
"""What requests go through: a full client, or one for loads of little requests."""


async def call(session: Http, method: str, url: str, headers: dict[str, str], body: Any = None) -> Answer:
    """Sends one request, with `body` as JSON.

    Raises:
        CallRefused: the answer's status is not 2xx.
        CallBroke: no answer, or a 2xx that is not JSON.
    """
    data = None
    if body is not None:
        data = orjson.dumps(body)
        headers = {**headers, "Content-Type": "application/json"}
    try:
        answer = await session.request(method, url, headers, data)
    except (OSError, NotHttp, Malformed, ValueError) as error:
        raise CallBroke(_describe(error), error) from error
    if not 200 <= answer.status < 300:
        asked_to_wait = retry_after(answer.header("retry-after"), datetime.now(UTC))
        raise CallRefused(answer.status, _detail(answer.body), asked_to_wait)
    return Answer(answer.status, _parse(answer))


def _parse(answer: Response | RawAnswer) -> Any:
    if not answer.body:
        return None
    try:
        return orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        content_type = (answer.header("content-type") or "untyped").partition(";")[0]
        cause = NotJson(f"the answer is {content_type}, not JSON")
        raise CallBroke(str(cause), cause) from None


def _detail(raw: bytes) -> str:
    """The one text of an error body that says most, in any of the shapes that targets use; empty where none."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return "(not JSON)" if raw else ""
    if not isinstance(body, dict):
        return ""
    texts = (body.get(key) for key in ("message", "msg", "error_description", "error"))
    code = next((body[key] for key in ("error_code", "code") if isinstance(body.get(key), str)), "")
    text = next((text for text in texts if isinstance(text, str) and text), "")
    return f"{code} {text}".strip()


def _describe(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "timed out"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
