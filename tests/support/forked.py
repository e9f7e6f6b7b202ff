"""Gateways and commands that a fork server starts, as `subprocess.Popen` would."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Protocol, TextIO

from tests.support.caches import CACHED
from tests.support.clocks import PATIENCE
from tests.support.fork_server import NUMBER

ROOT = Path(__file__).resolve().parents[2]


class Process(Protocol):
    """What tests ask of a gateway's process, which is either forked or a `subprocess.Popen`."""

    pid: int
    stdout: TextIO | None
    stderr: TextIO | None

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def send_signal(self, sig: int) -> None: ...

    def terminate(self) -> None: ...

    def kill(self) -> None: ...


class ForkedProcess:
    """``python -m`` with a module, which is `sentinel_host` or `hypercorn`, and arguments, in a
    folder, with the whole environment as given.

    It has loaded its modules already, and is a child of the fork server; its own children are
    forked, too, if it is told so. Everything else is as `subprocess.Popen` would have it, but for
    Python's own switches and variables, which come too late, and for this process's limits.
    ``stdout`` is a descriptor, in place of a pipe.
    """

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        forks: bool = False,
        stdout: int | None = None,
    ) -> None:
        self.returncode: int | None = None
        requests, server = _server()
        # A limit that was set before the server began would hold for all its gateways; one that was
        # set after that, for none.
        told = resource.prlimit(server.pid, resource.RLIMIT_AS)
        assert told == resource.getrlimit(resource.RLIMIT_AS), "what has limits of its own is executed, not forked"
        out, theirs = os.pipe() if stdout is None else (None, os.dup(stdout))
        err, also_theirs = os.pipe()
        self._told, tell = os.pipe()
        job = {
            "module": module,
            "arguments": list(arguments),
            "folder": str(folder),
            "environment": dict(environment),
            "forks": forks,
        }
        try:
            socket.send_fds(requests, [json.dumps(job).encode()], [theirs, also_theirs, tell])
        finally:
            for descriptor in (theirs, also_theirs, tell):
                os.close(descriptor)
        # Whoever reads them closes them.
        self.stdout: TextIO | None = None if out is None else open(out)  # noqa: SIM115
        self.stderr: TextIO | None = open(err)  # noqa: SIM115
        self.pid = self._number()

    def poll(self) -> int | None:
        """The exit code, or minus the signal; None while it runs."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """The same, once it has ended. Raises `subprocess.TimeoutExpired`."""
        code = self._ended(timeout)
        if code is None:
            assert timeout is not None
            raise subprocess.TimeoutExpired("sentinel", timeout)
        return code

    def send_signal(self, sig: int) -> None:
        """Nothing if it has ended."""
        if self.poll() is None:
            # It may end meanwhile.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, sig)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _ended(self, timeout: float | None) -> int | None:
        if self.returncode is None:
            # Not select, which takes no descriptor above 1023.
            poll = select.poll()
            poll.register(self._told, select.POLLIN)
            if poll.poll(None if timeout is None else timeout * 1000):
                self.returncode = os.waitstatus_to_exitcode(self._number())
                os.close(self._told)
        return self.returncode

    def _number(self) -> int:
        data = os.read(self._told, NUMBER.size)
        if not data:
            output = _server()[1].stdout
            said = output.read().decode() if output is not None else ""
            raise RuntimeError(f"the fork server has ended:\n{said}")
        return int(NUMBER.unpack(data)[0])


def run_command(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str] = MappingProxyType({})
) -> subprocess.CompletedProcess[str]:
    """``sentinel`` with these arguments, run to its end; ``environment`` is laid over ours."""
    variables = {**os.environ, **environment, **CACHED}
    process = ForkedProcess("sentinel_host", arguments, folder, variables, forks=True)
    assert process.stdout is not None
    assert process.stderr is not None
    hangs = threading.Timer(PATIENCE, process.kill)
    hangs.start()
    try:
        with process.stdout, process.stderr, ThreadPoolExecutor(1) as reader:
            errors = reader.submit(process.stderr.read)
            printed = process.stdout.read()
            return subprocess.CompletedProcess(list(arguments), process.wait(), printed, errors.result())
    finally:
        hangs.cancel()


@cache
def _server() -> tuple[socket.socket, subprocess.Popen[bytes]]:
    """The socket to this process's fork server, and its process."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        command = [sys.executable, "-m", "tests.support.fork_server", str(theirs.fileno())]
        # Its streams are pipes, as a gateway's will be: Python buffers what goes to a terminal in
        # another way.
        server = subprocess.Popen(
            command, cwd=ROOT, pass_fds=[theirs.fileno()], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def end() -> None:
        ours.close()
        server.wait()
        if server.stdout is not None:
            server.stdout.close()

    atexit.register(end)
    return ours, server
