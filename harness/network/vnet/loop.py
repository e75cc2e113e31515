"""An asyncio event loop whose sockets are virtual for code on a virtual host, and whose seconds need not pass."""

from __future__ import annotations

import asyncio
import ssl
from asyncio import sslproto
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from harness.network.vnet.clock import Clock, JumpingSelector, Pace
from harness.network.vnet.datagram import DatagramSocket
from harness.network.vnet.host import here
from harness.network.vnet.stream import Listener, StreamSocket

T = TypeVar("T")


class VirtualLoop(asyncio.SelectorEventLoop):
    """Code inside `Host.entered()` gets virtual sockets; all other code gets real ones, as on any loop.

    Whoever waits for something real (a socket, another process) while the pace is virtual does it inside
    `clock.real_time()`; otherwise all other timers come due meanwhile. Executors are waited for in real time.
    """

    def __init__(self, pace: Pace = Pace.VIRTUAL) -> None:
        self.clock = Clock(pace)
        self.trusted: ssl.SSLContext | None = None
        """What virtual hosts trust when they connect with `ssl=True`; None for what the machine trusts."""
        super().__init__(JumpingSelector(self.clock))

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self.clock.time()

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]
        """Runs a function in a thread. On a virtual host it runs at once: names are looked up that way."""
        if here() is not None:
            return self._at_once(func, *args)
        future = super().run_in_executor(executor, func, *args)
        self.clock.hold()
        future.add_done_callback(lambda _: self.clock.release())
        return future

    async def create_datagram_endpoint(
        self, protocol_factory: Callable[[], Any], local_addr: Any = None, remote_addr: Any = None, **options: Any
    ) -> tuple[Any, Any]:
        """Opens a UDP socket on the host that the code is on."""
        host = here()
        if host is None:
            return await super().create_datagram_endpoint(protocol_factory, local_addr, remote_addr, **options)
        protocol = protocol_factory()
        transport = DatagramSocket(host, protocol, local_addr, remote_addr)
        protocol.connection_made(transport)
        return transport, protocol

    async def create_connection(
        self, protocol_factory: Callable[[], Any], host: Any = None, port: Any = None, **options: Any
    ) -> tuple[Any, Any]:
        """Opens a TCP connection from the host that the code is on, with TLS where `ssl` asks for it."""
        source = here()
        if source is None:
            return await super().create_connection(protocol_factory, host, port, **options)
        local = options.get("local_addr") or ("", 0)
        connection = StreamSocket(source, local, (host, port))
        await connection.connect()
        protocol = protocol_factory()
        if not options.get("ssl"):
            connection.serve(protocol)
            return connection, protocol
        return await self._secured(connection, protocol, options), protocol

    def listen(
        self, factory: Callable[[], Any], local: tuple[str, int], context: ssl.SSLContext | None = None
    ) -> Listener:
        """Takes TCP connections on the virtual host that the code is on, with TLS where a context is given."""
        host = here()
        if host is None:
            raise RuntimeError("listen is for code on a virtual host")
        if context is None:
            return Listener(host, local, factory)

        def secured() -> sslproto.SSLProtocol:
            return sslproto.SSLProtocol(self, factory(), context, None, server_side=True)  # type: ignore[arg-type]

        return Listener(host, local, secured)

    async def _secured(self, connection: StreamSocket, protocol: Any, options: dict[str, Any]) -> Any:
        """Lays TLS over a connection; the certificate must be for the address that was connected to."""
        wanted = options["ssl"]
        context = wanted if isinstance(wanted, ssl.SSLContext) else self.trusted or ssl.create_default_context()
        name = options.get("server_hostname") or connection.get_extra_info("peername")[0]
        try:
            transport = await self.start_tls(connection, protocol, context, server_hostname=name)
        except BaseException:
            connection.abort()
            raise
        protocol.connection_made(transport)
        return transport

    def _at_once(self, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001  whatever the function raises is its caller's, as from a thread
            future.set_exception(error)
        return future


def run(main: Callable[[VirtualLoop], Coroutine[Any, Any, T]], pace: Pace = Pace.VIRTUAL) -> T:
    """Runs `main(loop)` to its end on a virtual loop of its own."""
    loops: list[VirtualLoop] = []

    def made() -> VirtualLoop:
        loops.append(VirtualLoop(pace))
        return loops[0]

    with asyncio.Runner(loop_factory=made) as runner:
        runner.get_loop()
        return runner.run(main(loops[0]))
