"""A closed loop over HTTP that leaves the machine to others: a few system calls for a request, and no event loop.

Where server, database and joiners share two cores, what the joiners need of the second one is missing to the database;
and a joiner who is woken by each answer would put the database off its core each time. So they give way to it.
"""

from __future__ import annotations

import os
import selectors
import socket
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

DEADLINE = 30.0
"""Seconds without any answer after which the loop gives up."""
_PIECE = 65_536


def closed_loop(port: int, requests: Iterable[bytes], connections: int) -> None:
    """Sends requests over so many connections, on each the next one as soon as the last is answered with 200.

    Raises:
        AssertionError: another answer.
        TimeoutError: no answer.
        OSError: no connection.
    """
    todo = iter(requests)
    parts: dict[int, bytes] = {}
    with giving_way(), selectors.DefaultSelector() as selector, ExitStack() as stack:
        for _, request in zip(range(connections), todo, strict=False):
            one = stack.enter_context(socket.create_connection(("127.0.0.1", port), DEADLINE))
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            one.sendall(request)
            selector.register(one.fileno(), selectors.EVENT_READ, one)
        while selector.get_map():
            ready = selector.select(DEADLINE)
            if not ready:
                raise TimeoutError(f"no answer for {DEADLINE:g} s")
            for key, _ in ready:
                piece = key.data.recv(_PIECE)
                answer = parts.pop(key.fd, b"") + piece
                if piece and not is_whole(answer):
                    parts[key.fd] = answer
                    continue
                assert piece and answer.startswith(b"HTTP/1.1 200"), answer
                request = next(todo, b"")
                if request:
                    key.data.sendall(request)
                else:
                    selector.unregister(key.fd)


@contextmanager
def giving_way() -> Iterator[None]:
    """Nobody is put off his core because this thread is woken (SCHED_BATCH, where there is that): it takes its turn."""
    if not hasattr(os, "SCHED_BATCH"):
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)


def is_whole(answer: bytes) -> bool:
    """Whether an answer has come to its end."""
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return False
    at = answer.find(b"content-length: ", 0, end)
    if at < 0:
        at = answer[:end].lower().index(b"content-length: ")
    return len(answer) - end - 4 >= int(answer[at + 16 : answer.index(b"\r\n", at)])
