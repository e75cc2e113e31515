"""The one place that decides whether a call took effect: ok, fail or info."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from harness.history.op import FAIL, INFO, OK, Outcome


def outcome_of_status(status: int) -> Outcome:
    """The outcome of a call that was answered with this HTTP status.

    2xx took effect. 4xx is a refusal: it certainly did not, save 408 (the server gave up waiting, after an unknown
    part of the work). Everything else may have happened.
    """
    if 200 <= status < 300:
        return OK
    if 400 <= status < 500 and status != 408:
        return FAIL
    return INFO


def outcome_of_error(error: BaseException) -> Outcome:
    """The outcome of a call that ended in an exception.

    Only a refused connection proves that nothing was sent; a timeout or a reset may come after the effect.
    """
    return FAIL if any(isinstance(cause, ConnectionRefusedError) for cause in _causes(error)) else INFO


_OUR_OWN = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL}
"""What a machine says that has no file, port or memory left for another connection."""


def unreached(error: BaseException) -> bool:
    """Whether nobody was there, or the connection ended before the answer: no timeout, and no want of our own."""
    found = next((cause for cause in _causes(error) if isinstance(cause, OSError | EOFError)), None)
    return found is not None and not isinstance(found, TimeoutError) and getattr(found, "errno", 0) not in _OUR_OWN


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An exception, and what led to it."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
