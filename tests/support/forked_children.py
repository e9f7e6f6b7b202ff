"""Children of a gateway that was forked itself: its workers, and the process that compiles.
Executed, each would load for a third of a second of a core what the gateway has loaded already.

`provide` forks the forker, before the gateway has any thread. A request to it is one message: JSON,
and the child's descriptors. For each it forks a process that forks the child, and ends: the kernel
then gives the child to the gateway, which has asked for its orphans. The forker ends with the
gateway.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sentinel_host import __main__ as command
from sentinel_host.hotload import fork_server as compiling

FORKER = "forker"
"""The forker's name, as the kernel tells it. A child has that of its command or module."""

_MAINS: dict[str, Callable[[], int | None]] = {
    "sentinel_host": command.main,
    "sentinel_host.hotload.fork_server": compiling.main,
}
_MOST = 1 << 20
_MOST_DESCRIPTORS = 250
_PR_SET_CHILD_SUBREAPER = 36

_execute = subprocess.Popen


@dataclass(frozen=True)
class Child:
    """What is to run as ``python -m MODULE`` would."""

    module: str
    arguments: list[str]
    environment: dict[str, str]

    def begin(self) -> int:
        """Be it; returns the exit code."""
        os.environ.clear()
        os.environ.update(self.environment)
        _call_oneself(self.arguments[0] if self.arguments else self.module.rpartition(".")[2])
        if self.module == compiling.__name__:
            # What lets everything else run first never ends on a busy machine.
            os.setpriority = lambda which, who, priority: None
        sys.argv = [self.module, *self.arguments]
        return _MAINS[self.module]() or 0


class ForkedChild:
    """What a gateway asks of a `subprocess.Popen`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code, or minus the signal; None while it runs."""
        return self._reap(os.WNOHANG)

    def wait(self) -> int | None:
        """The same, once it has ended."""
        return self._reap(0)

    def kill(self) -> None:
        """SIGKILL; nothing if it has ended."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)

    def _reap(self, options: int) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, options)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode


def provide() -> Child | None:
    """Have `subprocess.Popen` fork what it is asked to execute, if it is one of our modules.

    Returns None in the gateway, and in a child what it is to do.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if not os.fork():
        ours.close()
        return _serve(theirs)
    theirs.close()
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def popen(command: Sequence[Any], **options: Any) -> Any:
        python, *switches, module = command[:4] if len(command) > 3 else [*command, ""]
        if (python, switches) == (sys.executable, ["-P", "-m"]) and module in _MAINS:
            return ForkedChild(_fork(ours, module, command[4:], **options))
        return _execute(command, **options)

    subprocess.Popen = popen  # type: ignore[assignment,misc]
    return None


def _fork(
    forker: socket.socket,
    module: str,
    arguments: Sequence[str],
    *,
    env: Mapping[str, str],
    process_group: int,
    pass_fds: Sequence[int] = (),
    **streams: int,
) -> int:
    """Its process id. The streams are named as `subprocess.Popen` does."""
    assert process_group == 0
    nothing = os.open(os.devnull, os.O_RDWR)
    try:
        descriptors = {number: number for number in pass_fds}
        for number, name in enumerate(("stdin", "stdout", "stderr")):
            stream = streams.get(name, number)
            if stream == subprocess.DEVNULL:
                stream = nothing
            # As when executed: one that is closed here is closed there.
            if _is_open(stream):
                descriptors[number] = stream
        request = {
            "numbers": list(descriptors),
            "child": {"module": module, "arguments": list(arguments), "environment": dict(env)},
        }
        socket.send_fds(forker, [json.dumps(request).encode()], list(descriptors.values()))
    finally:
        os.close(nothing)
    return int(forker.recv(_MOST))


def _serve(requests: socket.socket) -> Child:
    """Fork for each request. Returns in the children only."""
    _call_oneself(FORKER)
    while True:
        message, descriptors, _, _ = socket.recv_fds(requests, _MOST, _MOST_DESCRIPTORS)
        if not message:
            os._exit(0)
        told, tell = os.pipe()
        between = os.fork()
        if not between:
            child = os.fork()
            if child:
                # Before anybody knows of it, who may end the group.
                os.setpgid(child, child)
                os.write(tell, b"%d" % child)
                os._exit(0)
            for descriptor in (told, tell, requests.detach()):
                os.close(descriptor)
            asked = json.loads(message)
            _move(descriptors, asked["numbers"])
            return Child(**asked["child"])
        os.close(tell)
        for descriptor in descriptors:
            os.close(descriptor)
        # Once it has ended, the gateway has the child.
        os.waitpid(between, 0)
        with open(told, "rb") as pipe:
            requests.send(pipe.read())


def _move(descriptors: Sequence[int], numbers: Sequence[int]) -> None:
    """Give descriptors these numbers, whichever they have, and close all standard streams that are
    not among them.
    """
    first = max(numbers) + 1
    spares = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, first) for descriptor in descriptors]
    for descriptor in {0, 1, 2, *descriptors}:
        if _is_open(descriptor):
            os.close(descriptor)
    for spare, number in zip(spares, numbers, strict=True):
        os.dup2(spare, number)
        os.close(spare)


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _call_oneself(name: str) -> None:
    Path("/proc/self/comm").write_text(name)
