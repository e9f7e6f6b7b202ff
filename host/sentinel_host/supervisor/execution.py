"""Executing a worker's process, and noticing its end."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterable


def execute_worker(control: int, fds: Iterable[int]) -> subprocess.Popen[bytes]:
    """Execute ``sentinel worker``, which inherits its end of the control channel and ``fds``.
    Raises `OSError`.
    """
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "sentinel_host", "worker", "--control", str(control)],
        pass_fds=(control, *fds),
        stdin=subprocess.DEVNULL,
        # Import from the same places as this process, and from nowhere else.
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        # A terminal's Ctrl-C is for the supervisor, which lets workers finish what they do.
        process_group=0,
    )


async def wait_for_end(process: subprocess.Popen[bytes], pidfd: int) -> None:
    """Wait without a thread, and without SIGCHLD, of which an event loop may lose one when several
    come.

    ``pidfd`` is closed afterwards.
    """
    loop = asyncio.get_running_loop()
    readable: asyncio.Future[None] = loop.create_future()

    def on_readable() -> None:
        loop.remove_reader(pidfd)
        readable.set_result(None)

    loop.add_reader(pidfd, on_readable)
    try:
        await readable
    finally:
        loop.remove_reader(pidfd)
        os.close(pidfd)
    process.wait()
