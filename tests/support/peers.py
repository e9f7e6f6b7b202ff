"""Servers that are none of ours, for as long as a test needs them."""

from __future__ import annotations

import contextlib
import random
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.support.clocks import PATIENCE


@contextlib.contextmanager
def peer_server(
    command: Sequence[str], port: int, folder: Path, environment: Mapping[str, str] | None = None
) -> Iterator[None]:
    """A server that a command starts in ``folder``, once it listens; ``environment`` is all of
    its, or ours.
    """
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as peer:
        try:
            end = time.monotonic() + PATIENCE
            while True:
                with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
                    break
                assert peer.poll() is None, f"{command[0]} ended"
                assert time.monotonic() < end, f"{command[0]} does not listen"
                time.sleep(0.05)
            yield
        finally:
            peer.kill()


def free_port() -> int:
    """One of those that the kernel gives to nobody who asks for any: it stays free until the server
    has it.
    """
    while True:
        port = random.randrange(10_000, 32_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
