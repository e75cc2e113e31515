"""A keeper owns network namespaces: they, their programs and their files are gone as soon as their user is.

The file has two halves. `Keeper` is what the harness calls. The rest runs as a program of its own, by path, with the
standard library alone, in namespaces that `unshare` made: `unshare … python -I -S keeper.py FD`. Both are tied by a
socket; the kernel closes it when the harness dies, also by SIGKILL, and the keeper ends.

Nothing that a keeper makes has a name outside of it: namespaces and files (memfd) are file descriptors of the keeper,
and its programs live in its PID namespace, which dies with it. So there is nothing to sweep after a crash, and nothing
of the machine's own network is touched. The harness needs no privileges: it never enters a namespace, but asks the
keeper to open a socket there, and gets its file descriptor (SCM_RIGHTS, unix(7)). That works rootless, too, where a
process of many threads could not join the user namespace (setns(2)).
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

Namespace = int
"""A network namespace: the number of its file descriptor in the keeper."""
OUTSIDE: Namespace = -1
"""The keeper's own network namespace: empty, without so much as a loopback that is up."""

_UNSHARE = ("unshare", "--net", "--pid", "--fork", "--kill-child")
_ROOTLESS = (*_UNSHARE, "--map-root-user")
_LARGEST = 1 << 17
_LONGEST_REASON = 300
_START_DEADLINE = 20.0
_CLONE_NEWNET = 0x40000000  # sched.h
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000  # linux/if_tun.h


class KeeperRefused(Exception):
    """The keeper could not do what it was asked: its message says what the kernel or a program said."""


class Keeper:
    """Network namespaces behind their keeper, as the harness sees them. Calls block, and may come from any thread.

    Raises:
        KeeperRefused: this machine lets us have no namespaces; the message says why.
    """

    def __init__(self) -> None:
        self._asking = threading.Lock()
        try:
            self._process, self._line = _started(_ROOTLESS)
        except KeeperRefused:
            if os.geteuid() != 0:
                raise
            self._process, self._line = _started(_UNSHARE)  # root where user namespaces are switched off

    @property
    def pid(self) -> int:
        """The process that holds everything."""
        return self._process.pid

    def namespace(self) -> Namespace:
        """Makes a network namespace."""
        return int(self._ask("namespace")[0]["namespace"])

    def run(self, at: Namespace, command: Sequence[str], text: str = "", keep: Sequence[Namespace] = ()) -> str:
        """Runs a program in a namespace to its end, with `text` as its standard input; what it said.

        It finds the namespaces in `keep` as `/proc/self/fd/<number>`.

        Raises:
            KeeperRefused: it cannot be started, or ended with another status than 0; with what it said.
        """
        return str(self._ask("run", at=at, command=list(command), text=text, keep=list(keep))[0]["said"])

    def start(self, at: Namespace, command: Sequence[str], files: Mapping[str, str], keep: Sequence[int] = ()) -> int:
        """Starts a program in a namespace and leaves it running; its number among the keeper's programs.

        `{name}` in an argument or in a file stands for the path of the file of that name, which the program alone sees.
        """
        return int(self._ask("start", at=at, command=list(command), files=dict(files), keep=list(keep))[0]["program"])

    def said(self, program: int) -> tuple[str, int | None]:
        """What a program that was left running said so far, and its exit status (None while it runs)."""
        answer, _ = self._ask("said", program=program)
        return str(answer["said"]), answer["status"]

    def write(self, at: Namespace, path: str, text: str) -> None:
        """Writes into a file as a namespace sees it (below /proc/sys/net)."""
        self._ask("write", at=at, path=path, text=text)

    def socket(self, at: Namespace, kind: socket.SocketKind, local: tuple[str, int]) -> socket.socket:
        """An IPv4 socket that lives in a namespace, not blocking, bound to `local` (port 0: any).

        Raises:
            OSError: it cannot be bound there.
        """
        answer, handles = self._ask("socket", at=at, kind=int(kind), local=local)
        if "errno" in answer:
            raise OSError(answer["errno"], os.strerror(answer["errno"]))
        made = socket.socket(fileno=handles[0])
        made.settimeout(0)
        return made

    def tun(self, at: Namespace, name: str) -> int:
        """Makes a TUN device in a namespace; the number of its file descriptor in the keeper. Needs true root."""
        return int(self._ask("tun", at=at, name=name)[0]["tun"])

    def close(self) -> None:
        """Ends the keeper and waits until it is gone, and all that it held. May be called twice."""
        self._line.close()
        self._process.wait()
        if self._process.stderr is not None:
            self._process.stderr.close()

    def _ask(self, verb: str, **arguments: Any) -> tuple[dict[str, Any], list[int]]:
        with self._asking:
            try:
                self._line.send(json.dumps({"verb": verb, **arguments}).encode())
                said, handles, _, _ = socket.recv_fds(self._line, _LARGEST, 1)
            except OSError as error:
                raise KeeperRefused(f"the keeper of the network namespaces is gone ({error.strerror})") from None
        if not said:
            raise KeeperRefused("the keeper of the network namespaces is gone")
        answer = json.loads(said)
        if "refused" in answer:
            raise KeeperRefused(answer["refused"])
        return answer, handles


def _started(unshare: Sequence[str]) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Starts a keeper and waits until it says that it is there."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        try:
            process = subprocess.Popen(
                [*unshare, sys.executable, "-I", "-S", str(Path(__file__).resolve()), str(theirs.fileno())],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                pass_fds=(theirs.fileno(),), start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            ours.close()
            raise KeeperRefused(f"{unshare[0]} cannot be started ({error.strerror})") from None
    ours.settimeout(_START_DEADLINE)
    with suppress(TimeoutError):
        if ours.recv(_LARGEST):
            ours.settimeout(None)
            return process, ours
    ours.close()
    said = process.communicate()[1].decode(errors="replace").strip()
    raise KeeperRefused(said.splitlines()[-1] if said else "the keeper of the network namespaces does not start")


# ---------------------------------------------------------------- the keeper's own process

_libc = ctypes.CDLL(None, use_errno=True)


def _check(status: int) -> None:
    if status:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


class _Kept:
    """All that the keeper holds, and what it can be asked for: each public method is a verb."""

    def __init__(self) -> None:
        self._home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self._programs: list[tuple[subprocess.Popen[bytes], int]] = []

    def namespace(self) -> tuple[dict[str, Any], list[int]]:
        _check(_libc.unshare(_CLONE_NEWNET))
        try:
            made = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            _check(_libc.setns(self._home, _CLONE_NEWNET))
        return {"namespace": made}, []

    def run(self, at: int, command: list[str], text: str, keep: list[int]) -> tuple[dict[str, Any], list[int]]:
        with self._inside(at):
            ended = subprocess.run(
                command,
                input=text.encode(),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=keep,
                check=False,
            )
        said = ended.stdout.decode(errors="replace")[-_LARGEST // 4 :]
        if ended.returncode:
            why = "; ".join(said.split("\n"))[:_LONGEST_REASON].strip("; ") or "it said nothing"
            raise KeeperRefused(f"{command[0]} ended with {ended.returncode}: {why}")
        return {"said": said}, []

    def start(
        self, at: int, command: list[str], files: dict[str, str], keep: list[int]
    ) -> tuple[dict[str, Any], list[int]]:
        handles = {name: os.memfd_create(name, os.MFD_CLOEXEC) for name in files}
        paths = {name: f"/proc/self/fd/{handle}" for name, handle in handles.items()}
        for name, text in files.items():
            os.write(handles[name], _filled(text, paths).encode())
        log = os.memfd_create("log", os.MFD_CLOEXEC)
        fcntl.fcntl(log, fcntl.F_SETFL, os.O_APPEND)
        with self._inside(at):
            process = subprocess.Popen(
                [_filled(part, paths) for part in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                pass_fds=[*handles.values(), *keep], start_new_session=True,
            )  # fmt: skip
        for handle in handles.values():
            os.close(handle)
        self._programs.append((process, log))
        return {"program": len(self._programs) - 1}, []

    def said(self, program: int) -> tuple[dict[str, Any], list[int]]:
        process, log = self._programs[program]
        size = os.fstat(log).st_size
        text = os.pread(log, _LARGEST // 4, max(0, size - _LARGEST // 4)).decode(errors="replace")
        return {"said": text, "status": process.poll()}, []

    def write(self, at: int, path: str, text: str) -> tuple[dict[str, Any], list[int]]:
        with self._inside(at):
            Path(path).write_text(text)
        return {}, []

    def socket(self, at: int, kind: int, local: list[Any]) -> tuple[dict[str, Any], list[int]]:
        with self._inside(at):
            made = socket.socket(socket.AF_INET, kind)
        made.settimeout(0)
        try:
            made.bind((local[0], local[1]))
        except OSError as error:
            made.close()
            return {"errno": error.errno}, []
        return {}, [made.detach()]

    def tun(self, at: int, name: str) -> tuple[dict[str, Any], list[int]]:
        with self._inside(at):
            handle = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            fcntl.ioctl(handle, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI))
        return {"tun": handle}, []

    @contextmanager
    def _inside(self, at: int) -> Iterator[None]:
        """What is made inside this block (sockets, programs) is made in that namespace: we have one thread."""
        if at != OUTSIDE:
            _check(_libc.setns(at, _CLONE_NEWNET))
        try:
            yield
        finally:
            if at != OUTSIDE:
                _check(_libc.setns(self._home, _CLONE_NEWNET))


def _filled(text: str, paths: Mapping[str, str]) -> str:
    for name, path in paths.items():
        text = text.replace(f"{{{name}}}", path)
    return text


def _answer(kept: _Kept, request: dict[str, Any]) -> tuple[dict[str, Any], list[int]]:
    verb: Callable[..., tuple[dict[str, Any], list[int]]] = getattr(kept, request.pop("verb"))
    try:
        return verb(**request)
    except (OSError, KeeperRefused) as error:
        return {"refused": str(error)}, []


def main(number: str) -> None:
    """Serves one user, one request after the other, until it is gone."""
    line = socket.socket(fileno=int(number))
    kept = _Kept()
    line.send(b"{}")
    while asked := line.recv(_LARGEST):
        answer, handles = _answer(kept, json.loads(asked))
        socket.send_fds(line, [json.dumps(answer).encode()], handles)
        for handle in handles:
            os.close(handle)


if __name__ == "__main__":
    main(sys.argv[1])
