"""The keeper: what it holds is apart from the machine, and gone with its user."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.network.netns.keeper import Keeper, KeeperRefused
from harness.network.netns.wires import draw_line, make_host, make_router

HERE = "10.0.0.1"
OWNER = """
import time
from harness.network.netns.keeper import Keeper
keeper = Keeper()
keeper.start(keeper.namespace(), ["sleep", "600"], {})
print(keeper.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def keeper() -> Iterator[Keeper]:
    """A keeper of the test's own."""
    made = Keeper()
    yield made
    made.close()


def below(pid: int) -> list[int]:
    """The process and all that descend from it."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = dict(map(int, line.split()) for line in listed.splitlines())
    return [one for one in parents if one == pid or descends(one, pid, parents)]


def descends(one: int, pid: int, parents: dict[int, int]) -> bool:
    while one in parents and one != pid:
        one = parents[one]
    return one == pid


def test_a_socket_lives_where_it_was_made(keeper: Keeper) -> None:
    """Two hosts talk over their line; nobody outside has such addresses, and a foreign one cannot be bound."""
    above, host = make_router(keeper), make_host(keeper)
    gateway = draw_line(keeper, above, "lan0", host, [HERE])
    up, down = keeper.socket(above, socket.SOCK_DGRAM, (gateway, 0)), keeper.socket(host, socket.SOCK_DGRAM, (HERE, 0))
    with up, down:
        down.sendto(b"hello", up.getsockname())
        up.settimeout(20)
        assert up.recvfrom(100) == (b"hello", down.getsockname())
    with pytest.raises(OSError, match="assign") as caught:
        keeper.socket(host, socket.SOCK_STREAM, ("10.0.0.2", 0))
    assert caught.value.errno == errno.EADDRNOTAVAIL
    assert HERE not in subprocess.run(["ip", "addr"], capture_output=True, text=True, check=True).stdout


def test_a_refusal_says_what_the_program_said(keeper: Keeper) -> None:
    """The program, its status and its words; and the keeper serves on."""
    host = keeper.namespace()
    with pytest.raises(KeeperRefused, match=r"^sh ended with 3: first; no luck$"):
        keeper.run(host, ["sh", "-c", "echo first; echo no luck >&2; exit 3"])
    with pytest.raises(KeeperRefused, match="No such file"):
        keeper.run(host, ["/nonexistent/program"])
    assert keeper.run(host, ["cat"], "still there") == "still there"


def test_a_program_reads_its_files_and_is_left_running(keeper: Keeper) -> None:
    """Files exist for their program alone, under the paths that it is told."""
    program = keeper.start(
        keeper.namespace(), ["sh", "-c", "cat {note}; exit 5"], {"note": "path {other}\n", "other": ""}
    )
    status = None
    while status is None:
        said, status = keeper.said(program)
    assert status == 5
    assert said.startswith("path /proc/self/fd/")


def test_after_its_end_nothing_is_left_and_questions_are_refused(gone: Callable[[int], bool]) -> None:
    """Closing may be done twice, and takes the programs along."""
    keeper = Keeper()
    keeper.start(keeper.namespace(), ["sleep", "600"], {})
    family = below(keeper.pid)
    assert len(family) == 3  # unshare, the keeper, the program
    keeper.close()
    keeper.close()
    assert all(gone(pid) for pid in family)
    with pytest.raises(KeeperRefused, match="is gone"):
        keeper.namespace()


def test_a_killed_owner_takes_everything_along(gone: Callable[[int], bool]) -> None:
    """SIGKILL of the owner ends the keeper and its programs; the namespaces had no other holder."""
    root = Path(__file__).parents[4]
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(root)}
    )
    family = below(int(owner.stdout.readline()))
    owner.kill()
    owner.wait()
    owner.stdout.close()
    assert len(family) == 3
    assert all(gone(pid) for pid in family)


def test_a_killed_keeper_takes_its_programs_along(keeper: Keeper, gone: Callable[[int], bool]) -> None:
    """They live in its PID namespace; its user is told when it asks."""
    keeper.start(keeper.namespace(), ["sleep", "600"], {})
    family = below(keeper.pid)
    os.kill(keeper.pid, 9)
    assert all(gone(pid) for pid in family)
    with pytest.raises(KeeperRefused, match="is gone"):
        keeper.namespace()
