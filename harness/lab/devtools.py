"""A browser's pages by its own protocol (Chrome DevTools Protocol) over one WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from itertools import count
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from harness.errors import Trouble
from harness.peer.chromium import SCRIPT, TELL, PageRefused

_ANSWER_WITHIN = 30.0


class DevTools:
    """The protocol's commands and events; `run` reads them until the browser is gone."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._pages: dict[str, DevToolsPage] = {}

    async def run(self) -> None:
        """Hands answers and events to those who wait for them; returns when the connection is closed."""
        try:
            async for text in self._socket:
                self._take(orjson.loads(text))
        except ConnectionClosed:
            pass
        finally:
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(Trouble("the browser is gone", "look into its log"))

    async def command(self, method: str, session: str = "", **params: Any) -> Any:
        """Sends a command, and returns its result.

        Raises:
            Trouble: the browser refuses, does not answer, or is gone.
        """
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            await self._socket.send(orjson.dumps(message).decode())
            async with asyncio.timeout(_ANSWER_WITHIN):
                answer = await self._waiting[number]
        except (ConnectionClosed, TimeoutError) as error:
            raise Trouble(f"the browser does not answer {method} ({type(error).__name__})", "try again") from None
        finally:
            del self._waiting[number]
        if "error" in answer:
            raise Trouble(f"the browser refuses {method}: {answer['error'].get('message')}", "report this")
        return answer["result"]

    async def page(self) -> DevToolsPage:
        """A new page with our script. Raises Trouble as `command` does."""
        target = (await self.command("Target.createTarget", url="about:blank"))["targetId"]
        session = (await self.command("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
        page = self._pages[session] = DevToolsPage(self, target, session)
        await self.command("Runtime.enable", session)
        await self.command("Runtime.addBinding", session, name=TELL)
        await page.evaluate(SCRIPT + ";0")
        return page

    def _take(self, message: Mapping[str, Any]) -> None:
        if (future := self._waiting.get(message.get("id", 0))) is not None:
            if not future.done():
                future.set_result(message)
        elif (page := self._pages.get(message.get("sessionId", ""))) is not None:
            page.take(str(message.get("method")), message.get("params", {}))


class DevToolsPage:
    """One page: for `harness.peer.chromium`, or to look at what somebody else made."""

    def __init__(self, tools: DevTools, target: str, session: str) -> None:
        self.told: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
        self.asked: list[str] = []
        """The URLs that the page asked for since it was opened, its own among them."""
        self._loaded = asyncio.Event()
        self._tools = tools
        self._target = target
        self._session = session

    def take(self, method: str, params: Mapping[str, Any]) -> None:
        """An event of the protocol."""
        if method == "Runtime.bindingCalled" and params["name"] == TELL:
            self.told.put_nowait(orjson.loads(params["payload"]))
        elif method == "Network.requestWillBeSent":
            self.asked.append(params["request"]["url"])
        elif method == "Page.loadEventFired":
            self._loaded.set()

    async def open(self, url: str) -> None:
        """Opens a URL in this page, and waits until it is loaded; our own script is gone then.

        Raises:
            Trouble: it cannot be opened, or is not loaded in time.
        """
        await self.command("Page.enable")
        await self.command("Network.enable")
        self.asked.clear()
        self._loaded.clear()
        failed = (await self.command("Page.navigate", url=url)).get("errorText")
        if failed:
            raise Trouble(f"the browser cannot open {url} ({failed})", "check the address")
        try:
            async with asyncio.timeout(_ANSWER_WITHIN):
                await self._loaded.wait()
        except TimeoutError:
            raise Trouble(f"the browser does not load {url}", "look into its log") from None

    async def command(self, method: str, **params: Any) -> Any:
        """A command of the protocol to this page; its result. Raises Trouble as `DevTools.command` does."""
        return await self._tools.command(method, self._session, **params)

    async def event(self) -> Mapping[str, Any]:
        """The next event that the page told."""
        return await self.told.get()

    async def call(self, name: str, *arguments: Any) -> Any:
        """Calls a function of `window.gurukul` and waits for what it returns. Raises PageRefused when it throws."""
        given = ", ".join(orjson.dumps(argument).decode() for argument in arguments)
        return await self.evaluate(f"gurukul.{name}({given})")

    async def evaluate(self, expression: str) -> Any:
        """Runs a script and waits for its promise. Raises PageRefused when it throws."""
        answer = await self.command("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if (thrown := answer.get("exceptionDetails")) is not None:
            said = thrown.get("exception", {}).get("description") or thrown.get("text", "")
            raise PageRefused(said.partition("\n")[0])
        return answer["result"].get("value")

    async def close(self) -> None:
        """Closes the page."""
        await self._tools.command("Target.closeTarget", targetId=self._target)
