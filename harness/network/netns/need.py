"""Says why a machine cannot have the kernel network: a program, the kernel or a permission is missing."""

from __future__ import annotations

import shutil
import sys

from harness.network.nat import CGN, KINDS
from harness.network.netns.keeper import Keeper, KeeperRefused
from harness.network.netns.relay import PROGRAM
from harness.network.netns.rules import nat_rules, timeouts
from harness.network.netns.wires import draw_line, make_router

_PROGRAMS = {"unshare": "util-linux", "ip": "iproute2", "nft": "nftables", PROGRAM: "coturn"}
"""What is needed, and the Debian package that has it."""


def missing() -> str:
    """Why this machine cannot have the kernel network, as a clause without a full stop; empty when it can.

    It makes a small one to see. Takes about 0.2 s.
    """
    if sys.platform != "linux":
        return "network namespaces are Linux's"
    for program, package in _PROGRAMS.items():
        if shutil.which(program) is None:
            return f"the program {program} is not installed (Debian: {package})"
    try:
        keeper = Keeper()
    except KeeperRefused as refused:
        return f"it allows no network namespaces ({refused})"
    try:
        _try(keeper)
    except KeeperRefused as refused:
        return f"its kernel has not all that NATs need ({refused})"
    finally:
        keeper.close()
    return ""


def _try(keeper: Keeper) -> None:
    """Draws a line, and has the router at its end be each kind of NAT."""
    upper, lower = make_router(keeper), make_router(keeper)
    draw_line(keeper, upper, "lan0", lower, ["198.18.1.1"])
    for kind in (*KINDS.values(), CGN):
        keeper.run(lower, ["nft", "-f", "-"], nat_rules(kind, "198.18.1.1"))
        for path, value in timeouts(kind).items():
            keeper.write(lower, path, value)
