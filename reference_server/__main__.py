"""`python -m reference_server`: reads the flags, says one line when it is ready, serves until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import orjson
import uvicorn
import uvloop
from pydantic import ValidationError

from reference_server.app import Parts, build_app, build_parts, running
from reference_server.db import Refused, Unavailable
from reference_server.settings import Settings
from reference_server.telemetry.logs import log_to_stderr
from reference_server.telemetry.sharing import sharing
from reference_server.web.arrival import timely_http
from reference_server.web.protocol import WebSockets
from reference_server.workers import Report, Workers

TROUBLE = 3
FRAME_LIMIT = 5_000_000
"""Bytes of one WebSocket message (PROTOCOL 1.1)."""

GARBAGE_THRESHOLD = 20_000
"""Containers more than were freed, before the youngest generation is searched for cycles."""
UNACKNOWLEDGED_MS = 20_000
"""After so long the kernel ends a connection whose peer acknowledges nothing (RFC 5482), not after a quarter hour."""


class _Flags(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Refused(message, "see --help")


def read_settings(arguments: Sequence[str]) -> Settings:
    """The settings from flags, else the environment, else the defaults. Raises Refused for one that cannot be."""
    parser = _Flags(prog="python -m reference_server", description="The reference server for Gurukul's matchmaking.")
    for name, field in Settings.model_fields.items():
        text = f"{field.description or name} (default {field.default!r})".replace("%", "%%")
        alone: dict[str, Any] = {"nargs": "?", "const": "true"} if field.annotation is bool else {}
        parser.add_argument("--" + name.replace("_", "-"), default=argparse.SUPPRESS, help=text, **alone)
    given = vars(parser.parse_args(arguments))
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "settings"
        flag = "--" + name.removeprefix("GURUKUL_").lower().replace("_", "-")
        raise Refused(f"{flag}: {first['msg']} (given: {first['input']!r})", "mend that value") from None


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to that address. Raises Refused where it is taken or not ours."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # accepted sockets inherit it: what nobody acknowledges is given up
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS)
        # Bound is not enough to own a port: only listening finds out that another socket holds it.
        listener.listen(4096)
    except (OSError, UnicodeError) as error:
        listener.close()
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise Refused(
            f"cannot listen at {host}:{port} ({reason})", "choose another --port, or 0 for a free one"
        ) from None
    return listener


def base_url(listener: socket.socket) -> str:
    """The address at which a client on this machine reaches the listener."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    """uvicorn, except that signals are ours and that being ready is announced."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._announce()


def _config(settings: Settings, app: object) -> uvicorn.Config:
    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        http=timely_http(settings.request_timeout),
        ws=WebSockets,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nothing here asks for the client's address
        ws_max_size=FRAME_LIMIT,
        ws_ping_interval=settings.ping_interval,
        ws_ping_timeout=settings.ping_timeout,
        ws_per_message_deflate=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=3,
    )


Announce = Callable[[dict[str, object]], None]


async def serve(settings: Settings, listener: socket.socket, announce: Announce, alive: int | None = None) -> None:
    """Serves until SIGTERM or SIGINT, or until the file `alive` ends; `announce` is told when and where it is ready.

    Told to stop, it sends new joins away, closes the sockets and finishes what has come; told twice, it hurries.

    Raises:
        Refused, Unavailable: it cannot start.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    server: _Server | None = None
    leaving: list[asyncio.Task[None]] = []

    def stop() -> None:
        if alive is not None:
            loop.remove_reader(alive)
        if server is None and task is not None:
            task.cancel()
        elif server is not None and leaving:
            server.force_exit = server.should_exit = True
        elif server is not None:
            leaving.append(loop.create_task(_leave(parts, server), name="leave"))

    for number in (signal.SIGTERM, signal.SIGINT) if alive is None else (signal.SIGTERM,):
        loop.add_signal_handler(number, stop)
    if alive is not None:
        loop.add_reader(alive, stop)
    parts = await build_parts(settings)
    async with running(parts):
        ready = _ready(parts.settings, parts, base_url(listener))
        server = _Server(_config(parts.settings, build_app(parts)), lambda: announce(ready))
        _search_less_for_garbage()
        await server.serve(sockets=[listener])
        await asyncio.gather(*leaving)


async def _leave(parts: Parts, server: uvicorn.Server) -> None:
    """The graceful end: no new joins, sockets closed with 1001 (RFC 6455 section 7.4.1), then the server's own end."""
    parts.stopping.set()
    try:
        await parts.realtime.close_sockets()
    finally:
        server.should_exit = True


def _ready(settings: Settings, parts: Parts, url: str) -> dict[str, object]:
    """What the ready line says."""
    return {
        "url": url,
        "api_url": f"{url}/api",
        "supabase_url": url,
        "anon_key": parts.anon_key,
        "engine": settings.engine,
        "pid": os.getpid(),
        "database_url": settings.database_url,
    }


def _print_ready(ready: dict[str, object]) -> None:
    print(orjson.dumps(ready).decode(), flush=True)  # noqa: T201 — the one line on stdout


def _work(settings: Settings, listener: socket.socket, report: Report, alive: int) -> int:
    """One of several workers: what it has to say goes to the parent."""
    try:
        uvloop.run(serve(settings, listener, lambda ready: report(orjson.dumps(ready)), alive))
    except asyncio.CancelledError:
        return 0
    except Refused as error:
        report(f"{error.what}\t{error.remedy}".encode())
        return TROUBLE
    except Unavailable as error:
        report(f"{error}\ttry again".encode())
        return TROUBLE
    return 0


def run(settings: Settings) -> bool:
    """Serves, in as many processes as the settings say; whether all went as it was told.

    Raises:
        Refused, Unavailable: it cannot start.
    """
    if settings.workers == 1:
        with listen(settings.host, settings.port) as listener:
            uvloop.run(serve(settings, listener, _print_ready))
        return True
    with sharing() as ended:
        with listen(settings.host, settings.port) as listener:
            workers = Workers(settings.workers, lambda report, alive: _work(settings, listener, report, alive), ended)
        return asyncio.run(workers.run(_print_ready))


def _search_less_for_garbage() -> None:
    """What lives from the start is not searched again; what comes is searched when there is enough of it to matter.

    Requests leave few cycles, and a server remembers many objects (claims of tokens, sockets): with the defaults of the
    interpreter the search takes a sixth of the time of a join.
    """
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD, 50, 1000)


def _allow_many_sockets() -> None:
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main(arguments: Sequence[str]) -> int:
    """Runs the server; the exit status: 0 stopped as told, 3 it could not start."""
    try:
        settings = read_settings(arguments)
        log_to_stderr(settings.log_level, settings.log_format, access_log=settings.access_log)
        _allow_many_sockets()
        if not run(settings):
            raise Refused("the workers have ended by themselves", "see what they said")
    except asyncio.CancelledError:
        return 0
    except (Refused, Unavailable) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 — for the person who started us
        return TROUBLE
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
