"""TCP connections of virtual hosts, as asyncio transports: handshake, bytes in order, half-close, reset."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from typing import Any

from harness.network.vnet.host import Host
from harness.network.vnet.packet import Address, Flag, Packet, Segment

SYN_PATIENCE = 127.0
"""Seconds that a connection attempt may take: Linux's six repetitions of the SYN."""

AnyProtocol = asyncio.BaseProtocol


class StreamSocket(asyncio.Transport):
    """One end of a TCP connection. Segments may come in any order; the protocol sees them in that of sending."""

    _start_tls_compatible = True  # asyncio asks for it before it lays TLS over a transport

    def __init__(self, host: Host, local: Address, remote: Address) -> None:
        super().__init__()
        self._host = host
        self._remote = remote
        self._local = host.bind("tcp", local, self, remote)
        self._protocol: AnyProtocol = asyncio.Protocol()
        self._context = contextvars.copy_context()
        self._answered: asyncio.Future[bool] = host.world.loop.create_future()
        self._sent = 0
        self._taken = 0
        self._early: dict[int, Segment] = {}
        self._paused = False
        self._closing = False
        self._gone = False

    # ------------------------------------------------------------ opening

    async def connect(self) -> None:
        """Opens the connection.

        Raises:
            ConnectionRefusedError: nobody listens there.
            TimeoutError: nothing answered.
        """
        self._send(Flag.SYN)
        try:
            async with asyncio.timeout(SYN_PATIENCE):
                accepted = await self._answered
        except BaseException:
            self._vanish()
            raise
        if not accepted:
            raise ConnectionRefusedError(f"{self._remote[0]}:{self._remote[1]} refuses connections")

    def accept(self) -> None:
        """Answers the other end's SYN."""
        self._taken = 1
        self._answer(accepted=True)
        self._send(Flag.ACCEPT)

    def serve(self, protocol: AnyProtocol) -> None:
        """Hands the connection to its protocol, in the context of its host."""
        self._protocol = protocol
        self._context.run(protocol.connection_made, self)

    # ------------------------------------------------------------ asyncio's transport

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """`sockname` and `peername`; there is no `socket`."""
        return {"sockname": self._local, "peername": self._remote}.get(name, default)

    def set_protocol(self, protocol: AnyProtocol) -> None:
        """Hands it to another protocol (TLS does)."""
        self._protocol = protocol

    def get_protocol(self) -> AnyProtocol:
        """Who has it."""
        return self._protocol

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Sends bytes; they are never held back."""
        if data and not self._closing:
            self._send(Flag.DATA, bytes(data))

    def get_write_buffer_size(self) -> int:
        """Nothing is ever buffered here."""
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """There is no buffer to limit."""

    def can_write_eof(self) -> bool:
        """The other direction may stay open."""
        return True

    def write_eof(self) -> None:
        """Ends this direction."""
        if not self._closing:
            self._send(Flag.FIN)

    def pause_reading(self) -> None:
        """Keeps what comes until `resume_reading`."""
        self._paused = True

    def resume_reading(self) -> None:
        """Hands on what came meanwhile, and what will come."""
        self._paused = False
        self._host.world.loop.call_soon(self._hand_on, context=self._context)

    def is_reading(self) -> bool:
        """Whether what comes is handed on."""
        return not self._paused and not self._closing

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self._closing

    def close(self) -> None:
        """Ends the connection after what was written."""
        if not self._closing:
            self._send(Flag.FIN)
            self._lose(None)

    def abort(self) -> None:
        """Ends the connection at once; the other end is reset."""
        if not self._closing:
            self._send(Flag.RESET)
            self._lose(None)

    shut = abort

    def _force_close(self, error: Exception | None) -> None:
        """asyncio's TLS ends a connection so when its handshake fails."""
        if not self._closing:
            self._send(Flag.RESET)
            self._lose(error)

    # ------------------------------------------------------------ inside

    def take(self, packet: Packet) -> None:
        """Takes a segment of the other end."""
        segment = packet.payload
        if not isinstance(segment, Segment):
            return
        if segment.flag is Flag.RESET:
            self._reset()
        elif segment.number >= self._taken:
            self._early[segment.number] = segment
            self._context.copy().run(self._hand_on)

    def _hand_on(self) -> None:
        """Hands on what is next in order."""
        while not self._paused and (segment := self._early.pop(self._taken, None)) is not None:
            self._taken += 1
            if segment.flag is Flag.ACCEPT:
                self._answer(accepted=True)
            elif segment.flag is Flag.FIN:
                self._hear_end()
            elif not self._closing:
                _feed(self._protocol, segment.data)

    def _hear_end(self) -> None:
        """The other end has finished; ours goes on only where its protocol asks for it."""
        stays = (
            isinstance(self._protocol, asyncio.Protocol | asyncio.BufferedProtocol) and self._protocol.eof_received()
        )
        if not stays:
            self.close()

    def _reset(self) -> None:
        if not self._answered.done():
            self._answer(accepted=False)
            self._vanish()
        elif not self._closing:
            self._lose(ConnectionResetError("the other end reset the connection"))

    def _answer(self, *, accepted: bool) -> None:
        if not self._answered.done():
            self._answered.set_result(accepted)

    def _send(self, flag: Flag, data: bytes = b"") -> None:
        segment = Segment(flag, self._sent, data)
        self._sent += 1
        self._host.send(Packet("tcp", self._local, self._remote, segment))

    def _lose(self, error: Exception | None) -> None:
        self._vanish()
        self._host.world.loop.call_soon(self._protocol.connection_lost, error, context=self._context)

    def _vanish(self) -> None:
        self._closing = True
        self._host.unbind("tcp", self._local, self._remote)


class Listener:
    """A port that takes connections; each gets a protocol of its own."""

    def __init__(self, host: Host, local: Address, factory: Callable[[], AnyProtocol]) -> None:
        self._host = host
        self._factory = factory
        self._context = contextvars.copy_context()
        self.address = host.bind("tcp", local, self)

    def take(self, packet: Packet) -> None:
        """Takes a SYN: one more connection. Anything else is late, and goes unheard."""
        if isinstance(packet.payload, Segment) and packet.payload.flag is Flag.SYN:
            self._context.copy().run(self._accept, packet)

    def close(self) -> None:
        """Takes no more connections; those that stand go on."""
        self._host.unbind("tcp", self.address)

    shut = close

    def _accept(self, packet: Packet) -> None:
        connection = StreamSocket(self._host, packet.destination, packet.source)
        connection.accept()
        connection.serve(self._factory())


def _feed(protocol: AnyProtocol, data: bytes) -> None:
    """Hands bytes to a protocol of either kind."""
    if isinstance(protocol, asyncio.Protocol):
        protocol.data_received(data)
        return
    if not isinstance(protocol, asyncio.BufferedProtocol):
        return
    rest = memoryview(data)
    while rest:
        buffer = memoryview(protocol.get_buffer(len(rest)))
        count = min(len(rest), len(buffer))
        buffer[:count] = rest[:count]
        protocol.buffer_updated(count)
        rest = rest[count:]
