"""Who takes part: clients of the unmodified library, their accounts, their channels, and what comes by these."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
from report import Unmet, equal, shown
from supabase import AsyncClient, AsyncClientOptions, create_async_client

PASSWORD = "correct horse battery staple"


class Inbox:
    """Keeps what came, in order, and hands it to whoever waits for it."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.came: list[Any] = []
        self._changed = asyncio.Event()

    def put(self, message: Any = None, *_more: Any) -> None:
        """The callback that fills it."""
        self.came.append(message)
        self._changed.set()

    async def first(self, fits: Callable[[Any], object] = lambda _: True, patience: float = 10.0) -> Any:
        """The first entry, also of the past, that fits; Unmet with what came instead after `patience` seconds."""
        end = time.monotonic() + patience
        while True:
            for message in self.came:
                if fits(message):
                    return message
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), end - time.monotonic())
            except TimeoutError:
                came = shown(self.came)[:600]
                raise Unmet(f"expected {self.what} within {patience} s, got nothing (came: {came})") from None


async def until(what: str, ask: Callable[[], Awaitable[Any]], patience: float = 10.0, pause: float = 0.1) -> Any:
    """Asks again and again until the answer is true."""
    end = time.monotonic() + patience
    while True:
        answer = await ask()
        if answer:
            return answer
        if time.monotonic() > end:
            raise Unmet(f"expected {what} within {patience} s, got {shown(answer)}")
        await asyncio.sleep(pause)


@dataclass
class Person:
    """Somebody who has signed in."""

    client: AsyncClient
    user: str
    token: str


@dataclass
class Subscription:
    """A channel that has been subscribed, with the states and system messages that it told."""

    channel: Any
    states: Inbox
    system: Inbox


@dataclass
class Stage:
    """What the checks need of a running server."""

    supabase_url: str
    api_url: str
    anon_key: str
    engine: str
    clients: list[AsyncClient] = field(default_factory=list)

    async def client(self, key: str | None = None) -> AsyncClient:
        """A client as an application makes it."""
        options = AsyncClientOptions(auto_refresh_token=False, persist_session=True)
        made = await create_async_client(self.supabase_url, key or self.anon_key, options)
        self.clients.append(made)
        return made

    async def person(self) -> Person:
        """A client that has signed in as somebody new."""
        client = await self.client()
        answer = await client.auth.sign_in_anonymously()
        await settled(client)
        return Person(client, answer.user.id, answer.session.access_token)

    async def api(self, method: str, path: str, token: str | None = None, body: Any = None) -> httpx.Response:
        """Calls the application's own API."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with httpx.AsyncClient(timeout=20) as http:
            return await http.request(method, self.api_url + path, headers=headers, json=body)

    async def close(self) -> None:
        """Closes the sockets of every client that was made."""
        for client in self.clients:
            await client.realtime.close()


async def settled(client: AsyncClient) -> None:
    """Waits until the client's own tasks have handed a new token to its socket."""
    await asyncio.gather(*client._background_tasks)


async def subscribe(channel: Any) -> Subscription:
    """Subscribes a channel, whatever comes of it."""
    states, system = Inbox(f"a state of {channel.topic}"), Inbox(f"a system message of {channel.topic}")
    channel.on_system(system.put)
    await channel.subscribe(lambda state, error: states.put((state.value, str(error) if error else None)))
    return Subscription(channel, states, system)


async def joined(channel: Any, changes: bool = False) -> Subscription:
    """Subscribes a channel and waits until it is SUBSCRIBED; with `changes`, until the database subscription stands."""
    subscription = await subscribe(channel)
    equal("state", (await subscription.states.first())[0], "SUBSCRIBED")
    if changes:
        await subscription.system.first(lambda m: m.extension == "postgres_changes" and m.status == "ok")
    return subscription


def aside() -> str:
    """Some letters that nobody else has."""
    return uuid4().hex[:8]
