"""The fork server for compilations: ``python -m sentinel_host.hotload.fork_server``.

Starting Python and loading the engine takes longer than compiling most guests, so it is done once.
This process has one thread and compiles nothing. It receives sockets over the stream socket that is
its stdin, and forks a child for each. The child reads a `Job` from its socket, up to the end, and
writes a `Done`. After the child's end this process writes `ENDED` and the wait status in four
bytes. A child that fails sends its stderr in place of a `Done`.

A file from an untrusted author decides how long the compiler takes and how much memory it needs.
Here the kernel bounds both. The child runs as the same user, so this is no defence against an
exploited compiler.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import socket
import sys
import threading
import time
from typing import Final, NoReturn

import msgspec

from sentinel_host.errors import GuestLoadError
from sentinel_host.sandbox import AddressSpace, CompiledGuest, compile_guest

# Bytes of address space. Compiling takes some hundred times the file, and Python with the engine
# 400 MiB of addresses, of which it touches a tenth.
ADDRESS_SPACE: Final = 3 << 30
# Seconds of running time that guests of the usual size need at most. After that the child lowers
# its priority, so that it does not slow down requests.
_POLITE_AFTER: Final = 0.5
_NICENESS: Final = 10

NUMBER: Final = 4
"""Bytes of a process id, which a child sends first, and of a wait status."""


ENDED: Final = b"\xffended"
"""Precedes the wait status."""


class Job(msgspec.Struct, frozen=True):
    """A file's bytes, its ``path`` for messages, and the seconds of running time that it may take.

    ``addresses`` are those of the process that is to run it: what the child itself has is limited.
    """

    path: str
    addresses: AddressSpace
    cpu_seconds: int
    data: bytes


class Done(msgspec.Struct, frozen=True):
    """The result: a guest, or the reason why there is none."""

    guest: CompiledGuest | None
    reason: str


def main() -> None:
    """Fork a child for each socket, until the other side is gone."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    woken, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    jobs: dict[int, socket.socket] = {}
    with socket.socket(fileno=os.dup(0)) as control:
        while True:
            readable, _, _ = select.select([control.fileno(), woken], [], [])
            if woken in readable:
                with contextlib.suppress(BlockingIOError):
                    os.read(woken, 4096)
                _reap(jobs)
            if control.fileno() in readable:
                message, descriptors, _, _ = socket.recv_fds(control, 1, 1)
                if not message:
                    break
                for descriptor in descriptors:
                    job = socket.socket(fileno=descriptor)
                    pid = os.fork()
                    if not pid:
                        _work(job, [control, *jobs.values()], (woken, wake))
                    jobs[pid] = job
    for pid in jobs:
        os.kill(pid, signal.SIGKILL)


def _reap(jobs: dict[int, socket.socket]) -> None:
    """Reap ended children, and tell how they ended."""
    for pid in list(jobs):
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            with jobs.pop(pid) as job, contextlib.suppress(OSError):
                job.sendall(ENDED + status.to_bytes(NUMBER, "big"))


def _work(job: socket.socket, others: list[socket.socket], pipe: tuple[int, int]) -> NoReturn:
    """Compile one guest, in the child, and exit."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for other in others:
            other.close()
        for descriptor in pipe:
            os.close(descriptor)
        # A panic of the compiler writes its reason to stderr.
        os.dup2(job.fileno(), sys.stderr.fileno())
        job.sendall(os.getpid().to_bytes(NUMBER, "big"))
        with job.makefile("rb") as file:
            data = file.read()
        job.sendall(msgspec.msgpack.encode(_compile(msgspec.msgpack.decode(data, type=Job))))
        code = 0
    finally:
        # Skip the interpreter's clean-up: nothing is open that matters.
        os._exit(code)


def _compile(job: Job) -> Done:
    _limit(job.cpu_seconds)
    threading.Thread(target=_make_polite, args=(time.process_time() + _POLITE_AFTER,), daemon=True).start()
    try:
        return Done(compile_guest(job.data, job.path, job.addresses), "")
    except GuestLoadError as error:
        return Done(None, str(error))
    except MemoryError:
        return Done(None, f"{job.path}: compiling it takes more than {ADDRESS_SPACE >> 20} MiB")


def _limit(cpu_seconds: int) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    total = int(used.ru_utime + used.ru_stime) + 1 + cpu_seconds
    # SIGXCPU at the first, which ends a process that does not handle it.
    _lower(resource.RLIMIT_CPU, total, total + 1)
    _lower(resource.RLIMIT_AS, ADDRESS_SPACE, ADDRESS_SPACE)
    # Nothing is written but to the socket.
    _lower(resource.RLIMIT_FSIZE, 0, 0)


def _make_polite(after: float) -> None:
    """Let everything else run first; niceness belongs to threads, and those that are made later
    inherit it.
    """
    while time.process_time() < after:
        time.sleep(_POLITE_AFTER / 10)
    for thread in os.listdir("/proc/self/task"):
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, int(thread), _NICENESS)


def _lower(limit: int, soft: int, hard: int) -> None:
    _, allowed = resource.getrlimit(limit)
    if allowed != resource.RLIM_INFINITY:
        soft, hard = min(soft, allowed), min(hard, allowed)
    resource.setrlimit(limit, (soft, hard))


if __name__ == "__main__":
    main()
