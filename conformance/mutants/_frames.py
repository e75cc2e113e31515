"""A reader of WebSocket frames (RFC 6455 section 5.2) that lets some of the rules go, as its caller chooses."""

from __future__ import annotations

import struct
from collections.abc import Callable, Generator
from typing import Any

from websockets.exceptions import PayloadTooBig, ProtocolError
from websockets.frames import Frame, Opcode
from websockets.utils import apply_mask

from reference_server.mutation import Mutation

_KNOWN = frozenset(code.value for code in Opcode)


def read_frames(server: Mutation, *, unmasked: bool = False, reserved: bool = False, control: bool = False) -> None:
    """Reads frames so: unmasked ones too; reserved bits and opcodes passed over; control frames of any shape."""

    def parse(
        kind: type[Frame],
        read_exact: Callable[[int], Generator[None, None, Any]],
        *,
        mask: bool,
        max_size: int | None = None,
        extensions: Any = None,
    ) -> Generator[None, None, Frame]:
        head, second = struct.unpack("!BB", (yield from read_exact(2)))
        masked = bool(second & 0x80)
        if masked != mask and not unmasked:
            raise ProtocolError("incorrect masking")
        length = yield from _length(read_exact, second & 0x7F)
        if max_size is not None and length > max_size:
            raise PayloadTooBig(length, max_size)
        key = (yield from read_exact(4)) if masked else b""
        data = yield from read_exact(length)
        code, bits = head & 0x0F, (False,) * 3 if reserved else tuple(bool(head & bit) for bit in (0x40, 0x20, 0x10))
        if code not in _KNOWN and not reserved:
            raise ProtocolError("invalid opcode")
        opcode = Opcode(code) if code in _KNOWN else Opcode.PONG
        fin = bool(head & 0x80) or (control and code >= 8)
        frame = kind(opcode, apply_mask(data, key) if masked else data, fin, *bits)
        for extension in reversed(extensions or ()):
            frame = extension.decode(frame, max_size=max_size)
        frame.check()
        return frame

    def check(frame: Frame) -> None:
        if frame.opcode.value < 8:
            strict(frame)

    strict = Frame.check
    server.wrap(Frame, "parse", lambda _original: classmethod(parse))
    if control:
        server.wrap(Frame, "check", lambda _original: check)


def _length(read_exact: Callable[[int], Generator[None, None, Any]], short: int) -> Generator[None, None, int]:
    if short < 126:
        return short
    size, form = (2, "!H") if short == 126 else (8, "!Q")
    return int(struct.unpack(form, (yield from read_exact(size)))[0])
