"""The one place that decides whether a call took effect: ok, fail or info."""

from __future__ import annotations

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
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ConnectionRefusedError):
            return FAIL
        cause = cause.__cause__ or cause.__context__
    return INFO
