"""A look at a target before the work starts: is it there, is it this wire, does it take our key."""

from __future__ import annotations

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, InvalidStatus

from harness.client.dialect import CallBroke, CallRefused
from harness.client.http import Answer, Http, NotJson, call
from harness.errors import Trouble
from harness.target import Target

SOCKET_TIMEOUT = 10.0
_CHECK_URL = "check that it runs, and the URL in the target file"
_CHECK_KEY = "put the project's own anon key into the target file (anon_key)"


class Unwell(Trouble):
    """The target is there, and answers that it cannot serve now."""


async def probe(target: Target, http: Http, socket_url: str) -> None:
    """Asks REST, the matching API and (where the target offers push) Realtime one harmless question each.

    Raises:
        Unwell: REST answers with a fault of its own (5xx).
        Trouble: one of them is out of reach, is something else, or refuses the anon key.
    """
    await _rest(target, http)
    await _matching(target, http)
    if target.capabilities.push:
        await _realtime(target, socket_url)


async def _rest(target: Target, http: Http) -> None:
    url = f"{target.supabase_url}/rest/v1/chat_sessions?select=id&limit=1"
    headers = {"apikey": target.anon_key, "Authorization": f"Bearer {target.anon_key}", "accept-profile": "public"}
    try:
        answer: Answer | CallRefused = await call(http, "GET", url, headers)
    except CallRefused as refusal:
        answer = refusal
    except CallBroke as broke:
        raise _broken(target, target.supabase_url, broke) from broke
    if isinstance(answer, Answer):
        if not isinstance(answer.body, list):
            raise Trouble(f"{target.supabase_url} is no Supabase project", _CHECK_URL)
        return
    if answer.status == 401 and "42501" not in answer.detail:
        raise Trouble(f"the target {target.name} refuses the anon key ({answer.detail or '401'})", _CHECK_KEY)
    if answer.status == 404:
        raise Trouble(f"{target.supabase_url} has no table chat_sessions ({answer})", _CHECK_URL)
    if answer.status >= 500:
        raise Unwell(f"the target {target.name} is not well ({answer})", "look at its log, and try again")


async def _matching(target: Target, http: Http) -> None:
    """A join without a user: it must be refused as unauthorised, and so it changes nothing."""
    url = f"{target.api_url}/matching/join"
    try:
        await call(http, "POST", url, {}, {})
    except CallBroke as broke:
        raise _broken(target, target.api_url, broke) from broke
    except CallRefused as refusal:
        if refusal.status in {401, 403, 429}:
            return
        raise Trouble(f"{url} does not answer as the matching API does ({refusal})", _CHECK_URL) from refusal
    raise Trouble(f"{url} lets in a caller without a token", "this is no matching API to test: check the URL")


async def _realtime(target: Target, url: str) -> None:
    try:
        async with connect(
            url, compression=None, proxy=None, open_timeout=SOCKET_TIMEOUT, ping_interval=None, close_timeout=2
        ):
            return
    except InvalidStatus as error:
        status = error.response.status_code
        if status in {401, 403}:
            raise Trouble(f"the Realtime of {target.name} refuses the anon key ({status})", _CHECK_KEY) from error
        raise Trouble(f"{target.realtime_url} answers {status} instead of a WebSocket", _CHECK_URL) from error
    except (OSError, InvalidHandshake, TimeoutError) as error:
        reason = str(error) or type(error).__name__
        raise Trouble(f"{target.realtime_url} cannot be reached ({reason})", _CHECK_URL) from error


def _broken(target: Target, url: str, broke: CallBroke) -> Trouble:
    if isinstance(broke.cause, NotJson):
        return Trouble(f"{url} is not what the target file says: {broke.detail}", _CHECK_URL)
    return Trouble(f"the target {target.name} cannot be reached at {url} ({broke.detail})", _CHECK_URL)
