"""The record of a subscription: one `subscribe` op for each time it is asked for, with both of its times."""

from __future__ import annotations

from harness.client.attempt import UserRecorder
from harness.history.op import Via
from harness.history.recorder import Call
from harness.protocol.changes import MessageSeen, SessionSeen


class RecordedSubscription:
    """A listener that records `subscribe {topic, reply, ready}`; what it brings is for the subclass.

    `reply` is the seconds until the target accepted, `ready` until the database subscription stood. An op without
    `ready` tells that events may have been lost. The op ends when the later of the two is known.
    """

    def __init__(self, recorder: UserRecorder, topic: str) -> None:
        self._recorder = recorder
        self._topic = topic
        self._call: Call | None = None
        self._reply: float | None = None

    def asked(self) -> None:
        """A new attempt starts."""
        self._finish("asked for again")
        self._reply = None
        self._call = self._recorder.begin("subscribe", Via.WS, topic=self._topic)

    def replied(self) -> None:
        """Notes the time of the reply."""
        self._reply = self._elapsed()

    def ready(self) -> None:
        """Ends the op: from now on nothing may be lost."""
        if self._call is not None:
            self._call.ok(reply=self._reply, ready=self._elapsed())
            self._call = None

    def refused(self, reason: str) -> None:
        """Ends the op: the target does not serve this subscription."""
        if self._call is not None:
            self._call.fail(reply=self._reply, error=reason)
            self._call = None

    def lost(self, reason: str) -> None:
        """Ends the op: the socket is gone."""
        self._finish(reason)

    def stopped(self) -> None:
        """The user unsubscribed by himself."""
        self._finish("unsubscribed")
        self._recorder.saw("unsubscribe", Via.WS, topic=self._topic)

    def session(self, event: str, session: SessionSeen) -> None:
        """For the subclass."""

    def message(self, message: MessageSeen) -> None:
        """For the subclass."""

    def _elapsed(self) -> float:
        return self._recorder.now() - self._call.op.t0 if self._call is not None else 0.0

    def _finish(self, reason: str) -> None:
        call, self._call = self._call, None
        if call is None:
            return
        if self._reply is None:
            call.info(error=reason)
        else:
            call.ok(reply=self._reply)
