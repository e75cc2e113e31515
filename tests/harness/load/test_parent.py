"""A process that ends with its parent."""

from __future__ import annotations

import os
import subprocess
import sys

CHILD = "from harness.load.parent import end_with; import sys; end_with(int(sys.argv[1])); print('alive')"


def test_with_its_parent_there_it_lives():
    """Binding to the real parent changes nothing for now."""
    said = subprocess.run([sys.executable, "-c", CHILD, str(os.getpid())], capture_output=True, text=True, check=True)
    assert said.stdout == "alive\n"


def test_without_its_parent_it_ends_at_once():
    """Had the parent died before the kernel was told, nobody would ever end it: so it ends itself."""
    said = subprocess.run([sys.executable, "-c", CHILD, "1"], capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout) == (1, "")
