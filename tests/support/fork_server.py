"""A process that has loaded what ``sentinel run`` needs, and forks for each gateway: loading takes
half a second of a core, which is more than most gateways of the tests need for all else.

`tests.support.forked` starts it as ``python -m tests.support.fork_server FD``. A request is one
message on the socket FD: JSON, and three descriptors, for stdout, for stderr, and of a pipe that
gets the process's id, and its wait status when it has ended. When the other end of the socket is
closed, the server ends, and its gateways go on.

What a gateway executes is forked as well (`tests.support.forked_children`), unless a test wants it
executed; gateways in tests of starting and stopping are executed themselves.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import logging
import os
import select
import socket
import struct
import sys
from dataclasses import dataclass
from importlib import import_module

from hypercorn import __main__ as hypercorn

from sentinel_host import __main__ as sentinel
from sentinel_host.config.load import parse_config
from tests.support.forked_children import provide

NUMBER = struct.Struct("=i")
_MOST = 1 << 20
_MAINS = {"sentinel_host": sentinel.main, "hypercorn": hypercorn.main}
_PRELOADED = (
    "hypercorn.asyncio.run",
    "sentinel_host.gateway.app",
    "sentinel_host.cli.run",
    "sentinel_host.supervisor.serving",
    "sentinel_host.supervisor.single_process",
    "sentinel_host.supervisor.supervisor",
    "sentinel_host.cli.worker",
)


@dataclass(frozen=True)
class Job:
    """What a gateway is started with, as a command would get it from its shell: ``module`` is
    ``sentinel_host`` or ``hypercorn``, and the former may fork its children.
    """

    module: str
    arguments: list[str]
    folder: str
    environment: dict[str, str]
    forks: bool

    def begin(self) -> int:
        """Be ``python -m`` with the module; returns the exit code."""
        os.environ.clear()
        os.environ.update(self.environment)
        os.chdir(self.folder)
        path = self.environment.get("PYTHONPATH", "").split(os.pathsep)
        sys.path[:] = [self.folder, *dict.fromkeys(filter(None, [*path, *sys.path[1:]]))]
        child = provide() if self.forks else None
        if child is not None:
            return child.begin()
        sys.argv = [self.module, *self.arguments]
        return _MAINS[self.module]()


def serve(requests: socket.socket) -> Job | None:
    """Fork for each request. Returns the job in the processes that are to do one, and None in the
    server at its end.
    """
    # By the descriptor that shows the end of a process: its id, and where to tell.
    running: dict[int, tuple[int, int]] = {}
    poll = select.poll()
    poll.register(requests, select.POLLIN)
    while True:
        for ready, _ in poll.poll():
            if ready in running:
                pid, told = running.pop(ready)
                poll.unregister(ready)
                os.close(ready)
                _tell(told, os.waitpid(pid, 0)[1])
                os.close(told)
                continue
            message, descriptors, _, _ = socket.recv_fds(requests, _MOST, 3)
            if not message:
                return None
            stdout, stderr, told = descriptors
            pid = os.fork()
            if not pid:
                requests.close()
                for descriptor, (_, others) in running.items():
                    os.close(descriptor)
                    os.close(others)
                os.dup2(stdout, 1)
                os.dup2(stderr, 2)
                for descriptor in descriptors:
                    os.close(descriptor)
                return Job(**json.loads(message))
            os.close(stdout)
            os.close(stderr)
            _tell(told, pid)
            end = os.pidfd_open(pid)
            running[end] = (pid, told)
            poll.register(end, select.POLLIN)


def _tell(pipe: int, number: int) -> None:
    # Whoever asked may have gone.
    with contextlib.suppress(BrokenPipeError):
        os.write(pipe, NUMBER.pack(number))


def main() -> int:
    for module in _PRELOADED:
        import_module(module)
    # The library makes what converts values to each type when it meets the first.
    parse_config('[[upstream]]\nname = "u"\ntargets = ["http://a"]\n[[route]]\npath = "/"\nupstream = "u"\n', "warm")
    # What has been loaded stays: gateways look for garbage elsewhere.
    gc.freeze()
    job = serve(socket.socket(fileno=int(sys.argv[1])))
    if job is None:
        return 0
    code: int | None = None

    def leave() -> None:
        # Freeing all memory, piece by piece, takes a quarter of what a gateway needs. An exception
        # ends the process as it always would.
        if code is not None:
            logging.shutdown()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    # The first to be registered is the last to be called.
    atexit.register(leave)
    code = job.begin()
    return code


if __name__ == "__main__":
    sys.exit(main())
