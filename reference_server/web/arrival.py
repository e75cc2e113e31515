"""HTTP/1.1 with an end to how long a request may take to arrive: uvicorn waits for the rest of one for ever."""

from __future__ import annotations

import asyncio

from reference_server.web.protocol import BoundedHttp

_LINGER = 1.0
"""Seconds for which a connection is read on behind a refusal, so that a reset does not overtake it (RFC 9112 9.6)."""
_BODY = b'{"message":"The request did not arrive in time"}'
_TOO_LATE = (
    b"HTTP/1.1 408 Request Timeout\r\nContent-Type: application/json\r\n"
    b"Access-Control-Allow-Origin: *\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(_BODY), _BODY)
)


class TimelyHttp(BoundedHttp):
    """Closes a connection whose request, head and body, does not arrive whole within `patience`.

    A request that comes in one piece costs nothing: the clock runs only for what is still missing.
    """

    patience = 30.0
    """Seconds from the first byte of a request to its last; and from the connection to its first byte."""
    _begun = False
    _headed = False
    _lingering = False
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Waits for the first request, but not for ever."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more will come."""
        self._wait_no_longer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Reads on, and waits for the rest where there must be one; what comes behind a refusal is nobody's."""
        if self._lingering:
            return
        super().data_received(data)
        if self._begun and self._deadline is None and not self.transport.is_closing():
            self._wait()

    def on_message_begin(self) -> None:
        """The first byte of a request came."""
        self._begun, self._headed = True, False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its head is whole."""
        self._headed = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Its last byte came."""
        self._begun = False
        self._wait_no_longer()
        super().on_message_complete()

    def _wait(self) -> None:
        self._deadline = self.loop.call_later(self.patience, self._too_late)

    def _wait_no_longer(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        """408 (RFC 9110 section 15.5.9) where somebody began to ask and no answer is under way, then the end."""
        self._deadline = None
        if self.transport.is_closing():
            return
        if self._begun and self._silent():
            self._refuse()
        else:
            self.transport.close()

    def _refuse(self) -> None:
        """Says so and ends our side; the connection is closed when the other side ends too, or a moment later."""
        self.transport.write(_TOO_LATE)
        self._lingering = True
        self.transport.write_eof()
        self._deadline = self.loop.call_later(_LINGER, self.transport.close)

    def _silent(self) -> bool:
        """Whether nothing has been written since the last answer was whole."""
        if self._headed:
            return not self.cycle.response_started and not self.pipeline
        return bool(getattr(self.cycle, "response_complete", True))  # before the first head there is no cycle


def timely_http(patience: float) -> type[TimelyHttp]:
    """The protocol with this patience, in seconds."""
    return type("TimelyHttp", (TimelyHttp,), {"patience": patience})
