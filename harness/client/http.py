"""HTTP of the SDK: one request, and one place where its failures are sorted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from harness.client.connections import Connections, NotHttp
from harness.client.dialect import CallBroke, CallRefused
from harness.client.lean import LeanHttp, Malformed
from harness.protocol.retry import retry_after


@dataclass(frozen=True, slots=True)
class Answer:
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
        status, asked_to_wait, kind, raw = await _exchanged(session, method, url, headers, data)
    except (OSError, NotHttp, Malformed, ValueError) as error:
        raise CallBroke(_describe(error), error) from error
    if not 200 <= status < 300:
        raise CallRefused(status, _detail(raw), retry_after(asked_to_wait, datetime.now(UTC)))
    return Answer(status, _parse(raw, kind))


async def _exchanged(
    session: Http, method: str, url: str, headers: dict[str, str], data: bytes | None
) -> tuple[int, str | None, str, bytes]:
    """Status, Retry-After, type and body of the answer."""
    if isinstance(session, LeanHttp):
        answer = await session.request(method, url, headers, data)
        return answer.status, answer.headers.get("retry-after"), answer.headers.get("content-type", ""), answer.body
    response = await session.request(method, url, headers, data)
    kind = (response.header("content-type") or "").partition(";")[0]
    return response.status, response.header("retry-after"), kind, response.body


def _parse(raw: bytes, content_type: str) -> Any:
    if not raw:
        return None
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        cause = NotJson(f"the answer is {content_type or 'untyped'}, not JSON")
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
