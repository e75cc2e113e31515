"""What pairs leave behind: nothing."""

from __future__ import annotations

import asyncio
import gc
import threading
from pathlib import Path

import pytest

from harness.peer.media import Media
from harness.peer.stage import Stage
from tests.harness.peer.wire import both, connected, wires


def open_files() -> int:
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


async def thirty(media: Media) -> None:
    for _ in range(3 if media.kind else 15):
        async with connected(media=media) as pair:
            assert [result.stage for result in pair.results] == [Stage.CONNECTED] * 2
        left, right = wires()
        right.bend = lambda _: []
        if not media.kind:
            await both(left, right, 0.05)


@pytest.mark.parametrize("media", [Media.NONE, Media.AUDIO])
async def test_pairs_leave_nothing_behind(media):
    """After thirty pairs, half of them cut off in the middle, there are as many files, tasks and threads as before."""
    await thirty(media)  # what is made once and kept, like the threads that look up names
    before = open_files(), len(asyncio.all_tasks()), threading.active_count()
    await thirty(media)
    after = open_files(), len(asyncio.all_tasks()), threading.active_count()
    assert all(now <= then for now, then in zip(after, before, strict=True)), (before, after)
