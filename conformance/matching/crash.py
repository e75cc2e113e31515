"""One crash of the target's server: who was in a session then, who waited, and who comes when it has healed."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from conformance.outcome import NotVerified
from conformance.trial import SETTLE, Trial
from harness.client.participant import Participant, SessionSeen
from harness.errors import Trouble
from harness.history.op import Op, Via

CRASH_DEADLINE = 120.0
"""Seconds that the target's command may take to kill its server and bring it back."""


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What came after a crash: the `fault`, and the ops that began when it was over."""

    fault: Op
    ops: Sequence[Op]

    @classmethod
    def of(cls, ops: Sequence[Op]) -> Self:
        """Reads it from a history with one `fault` in it that is over."""
        fault = next(op for op in ops if op.op == "fault")
        over = fault.t1 if fault.t1 is not None else fault.t0
        return cls(fault, [op for op in ops if op.t0 > over])

    @property
    def untold(self) -> set[str]:
        """Who subscribed and joined after the crash, and saw a session by poll that was never pushed to him."""
        new = {op.user for op in self.ops if op.op == "subscribe"} & {op.user for op in self.ops if op.op == "join"}
        kept = {op.user for op in self.ops if op.op in {"lost", "back"}}
        seen = {op.user for op in self.ops if op.op == "poll" and op.value.get("session")}
        return (new - kept) & seen - {op.user for op in self.ops if op.op == "push"}


async def crash(trial: Trial) -> None:
    """Two pairs talk and one user waits when the server is killed; later he and three others look for partners.

    Raises:
        NotVerified: the target file names no command that crashes the server.
        Inconclusive: the pairs never met.
        Trouble: the command does not do what it is for.
    """
    if not trial.target.capabilities.crash:
        raise NotVerified("the target file names no `crash` command")
    open_, others, waiter = (await trial.crowd(2), await trial.crowd(2), await trial.enter())
    await asyncio.gather(*(trial.listen(person) for person in (*open_, waiter)))
    async with trial.queue():
        sessions = [await trial.pair(*open_), await trial.pair(*others)]
        await waiter.join()
        await waiter.poll()
        await asyncio.sleep(SETTLE)
        with trial.excused():
            await _crash(trial)
        await _look_for(open_, sessions[0])
        await _look_for(others, sessions[1])
        await trial.observe([waiter], trial.budgets.heal)
        await _meet_again(trial, waiter)


async def _crash(trial: Trial) -> None:
    """Runs the target's command; the fault lasts for as long as it does."""
    command = shlex.split(trial.target.capabilities.crash)
    fault = trial.recorder().begin("", "", "fault", Via.SELF, kind="kill")
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        raise Trouble(f"the crash command {command[0]} cannot be started ({error.strerror})", "mend it") from None
    try:
        async with asyncio.timeout(CRASH_DEADLINE):
            _, said = await process.communicate()
    except TimeoutError:
        raise Trouble(f"the crash command did not end within {CRASH_DEADLINE:.0f} s", "try it by hand") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        last = (said.decode(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
        raise Trouble(f"the crash command ended with status {process.returncode} ({last})", "try it by hand")
    fault.ok()


async def _look_for(pair: Sequence[Participant], session: SessionSeen) -> None:
    """Each member asks for his session, by its id and by poll."""
    for person in pair:
        await person.look(session.id)
        await person.poll()


async def _meet_again(trial: Trial, waiter: Participant) -> None:
    """The one who waited through the crash meets a newcomer, and two more newcomers meet each other."""
    newcomers = await trial.crowd(3)
    await asyncio.gather(*(trial.listen(person) for person in newcomers))
    await trial.happened(lambda _op: _all_stand(trial, newcomers), 3 * trial.budgets.notify + trial.budgets.tolerance)
    people = [waiter, *newcomers]
    for first, second in (people[:2], people[2:]):
        await first.join()
        await second.join()
        await trial.observe([first, second], 2 * trial.patience)
    await asyncio.sleep(trial.budgets.notify + trial.budgets.tolerance)
    await trial.observe(people, 0.0)
    for person in people:
        await person.next_match(0.0)  # who unsubscribes was connected until then: a push that is missing is missing


def _all_stand(trial: Trial, people: Sequence[Participant]) -> bool:
    standing = {op.user for op in trial.ops if op.op == "subscribe" and op.value.get("ready") is not None}
    return {person.user for person in people} <= standing
