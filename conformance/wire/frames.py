"""Frames of RFC 6455 byte by byte, right ones and wrong ones; and the reader of what a target sends. No I/O."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum


class Opcode(IntEnum):
    """What a frame is (RFC 6455 section 5.2)."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


CONTROL = 8
"""Opcodes from here on are control frames (RFC 6455 section 5.5)."""
_TAIL = b"\x00\x00\xff\xff"
"""What a compressed message ends with, and is sent without (RFC 7692 section 7.2.1)."""


@dataclass(frozen=True, slots=True)
class RawFrame:
    """One frame as it came: its first byte taken apart, and its payload, unmasked."""

    opcode: int
    payload: bytes
    fin: bool = True
    rsv: int = 0
    masked: bool = False

    @property
    def close_code(self) -> int | None:
        """The code of a Close frame; None where it has none (RFC 6455 section 5.5.1)."""
        return int.from_bytes(self.payload[:2], "big") if len(self.payload) >= 2 else None

    @property
    def close_reason(self) -> str:
        """The reason of a Close frame."""
        return self.payload[2:].decode(errors="replace")


def frame(
    payload: bytes,
    opcode: int = Opcode.TEXT,
    *,
    fin: bool = True,
    rsv: int = 0,
    mask: bytes | None = b"\x37\xfa\x21\x3d",
    length: int | None = None,
) -> bytes:
    """A client's frame (RFC 6455 section 5.2).

    Args:
        payload: in the clear.
        opcode: 0 … 15.
        fin: whether it is the last of its message.
        rsv: the three reserved bits, 0 … 7 (4 is RSV1, which RFC 7692 gives a meaning).
        mask: the masking key; None leaves it unmasked, which no client may.
        length: what the frame says of its length, always in 64 bits; None says the truth, as short as it can.
    """
    first = bytes(((0x80 if fin else 0) | rsv << 4 | opcode,))
    size = _size(len(payload)) if length is None else b"\x7f" + length.to_bytes(8, "big")
    if mask is None:
        return first + size + payload
    return first + bytes((size[0] | 0x80,)) + size[1:] + mask + masked(payload, mask)


def _size(length: int) -> bytes:
    if length < 126:
        return bytes((length,))
    return b"\x7e" + length.to_bytes(2, "big") if length < 65_536 else b"\x7f" + length.to_bytes(8, "big")


def masked(payload: bytes, mask: bytes) -> bytes:
    """The payload under the mask, or, masked already, in the clear (RFC 6455 section 5.3)."""
    key = int.from_bytes((mask * (len(payload) // 4 + 1))[: len(payload)], "big")
    return (int.from_bytes(payload, "big") ^ key).to_bytes(len(payload), "big")


def close(code: int, reason: str = "") -> bytes:
    """A client's Close frame."""
    return frame(struct.pack("!H", code) + reason.encode(), Opcode.CLOSE)


def deflated(payload: bytes) -> bytes:
    """The payload of a compressed message, from an empty window (RFC 7692 section 7.2.1)."""
    engine = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (engine.compress(payload) + engine.flush(zlib.Z_SYNC_FLUSH)).removesuffix(_TAIL)


class Inflater:
    """Reads the compressed messages of a target, which may refer to earlier ones (RFC 7692 section 7.2.2)."""

    def __init__(self) -> None:
        self._engine = zlib.decompressobj(-15)

    def message(self, payload: bytes) -> bytes:
        """The message in the clear. Raises zlib.error for what is no such message."""
        return self._engine.decompress(payload + _TAIL)


class FrameReader:
    """Takes bytes as they come and gives whole frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[RawFrame]:
        """The frames that these bytes complete."""
        self._buffer += data
        while (found := self._next()) is not None:
            yield found

    def _next(self) -> RawFrame | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        at, size = 2, buffer[1] & 0x7F
        if size > 125:
            width = 2 if size == 126 else 8
            if len(buffer) < at + width:
                return None
            size, at = int.from_bytes(buffer[at : at + width], "big"), at + width
        key_size = 4 if buffer[1] & 0x80 else 0
        if len(buffer) < at + key_size + size:
            return None
        key, at = bytes(buffer[at : at + key_size]), at + key_size
        payload = bytes(buffer[at : at + size])
        made = RawFrame(
            opcode=buffer[0] & 0x0F,
            payload=masked(payload, key) if key else payload,
            fin=bool(buffer[0] & 0x80),
            rsv=buffer[0] >> 4 & 7,
            masked=bool(key),
        )
        del buffer[: at + size]
        return made
