"""Upstreams in processes of their own, which can be killed and stopped, and told to misbehave."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_SERVER = Path(__file__).with_name("backend_server.py")


class Backend:
    """One endpoint; ``name`` is what it answers with. It keeps its port for as long as the test
    goes on.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.port = 0
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start its process, on the port of before if there was one."""
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-E", str(_SERVER), self.name, str(self.port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = int(self._answer())

    def behave(self, how: str, value: float = 0) -> None:
        """Answer so from now on; `backend_server` lists the ways."""
        self._tell(f"behave {how} {value}")

    def count(self, path: str = "/") -> int:
        """How many requests for a path its process has seen."""
        return int(self._tell(f"count {path}"))

    def connections(self, path: str) -> int:
        """How many connections are open over which such came."""
        return int(self._tell(f"connections {path}"))

    def under_way(self) -> int:
        """How many requests are being answered."""
        return int(self._tell("active"))

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        process = self._running
        process.kill()
        process.communicate()
        self._process = None

    def stop(self) -> None:
        """SIGSTOP: it neither answers nor ends."""
        os.kill(self._running.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """SIGCONT."""
        os.kill(self._running.pid, signal.SIGCONT)

    def close(self) -> None:
        """End it, however it is."""
        if self._process is not None:
            self.kill()

    @property
    def _running(self) -> subprocess.Popen[str]:
        assert self._process is not None, "it does not run"
        return self._process

    def _tell(self, line: str) -> str:
        pipe = self._running.stdin
        assert pipe is not None
        pipe.write(f"{line}\n")
        pipe.flush()
        return self._answer()

    def _answer(self) -> str:
        pipe = self._running.stdout
        assert pipe is not None
        return pipe.readline().strip()


@contextlib.contextmanager
def running_backends(count: int) -> Iterator[list[Backend]]:
    """So many endpoints, named from ``a`` on."""
    backends = [Backend(chr(ord("a") + number)) for number in range(count)]
    try:
        for backend in backends:
            backend.start()
        yield backends
    finally:
        for backend in backends:
            backend.close()
