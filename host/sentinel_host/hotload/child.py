"""The process that compiles one guest, and ends: ``python -m sentinel_host.hotload.child``.

It reads a `Job` from stdin until its end, and writes a `Done`. How long a compiler takes, and how much memory, depends
on a file that anybody may have written; here that is bounded by the kernel, and costs nobody else. That is what it is
for: it runs as the same user, and is no defence against a compiler that is taken over.
"""

from __future__ import annotations

import contextlib
import os
import resource
import sys
import threading
import time
from typing import Final

import msgspec

from sentinel_host.errors import GuestLoadError
from sentinel_host.sandbox import CompiledGuest, compile_guest, warm_up

# Bytes of address space. Compiling takes some hundred times the file, and Python with the engine 400 MiB of addresses,
# of which it touches a tenth.
ADDRESS_SPACE: Final = 3 << 30

# A file that takes more running time than a guest of the usual size makes way for requests from then on.
_POLITE_AFTER: Final = 0.5
_NICENESS: Final = 10


class Job(msgspec.Struct, frozen=True):
    """A file's bytes, which messages call ``path``; it may take so many seconds of running time."""

    path: str
    cpu_seconds: int
    data: bytes


class Done(msgspec.Struct, frozen=True):
    """What became of it: a guest, or the reason why there is none."""

    guest: CompiledGuest | None
    reason: str


def main() -> None:
    """Compile what stdin holds; an empty stdin is the order to end."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warm_up()
    data = sys.stdin.buffer.read()
    if not data:
        return
    job = msgspec.msgpack.decode(data, type=Job)
    _limit(job.cpu_seconds)
    threading.Thread(target=_make_polite, args=(time.process_time() + _POLITE_AFTER,), daemon=True).start()
    try:
        done = Done(compile_guest(job.data, job.path), "")
    except GuestLoadError as error:
        done = Done(None, str(error))
    except MemoryError:
        done = Done(None, f"{job.path}: compiling it takes more than {ADDRESS_SPACE >> 20} MiB")
    sys.stdout.buffer.write(msgspec.msgpack.encode(done))
    sys.stdout.buffer.flush()


def _limit(cpu_seconds: int) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    total = int(used.ru_utime + used.ru_stime) + 1 + cpu_seconds
    # SIGXCPU at the first, which ends a process that does not handle it.
    _lower(resource.RLIMIT_CPU, total, total + 1)
    _lower(resource.RLIMIT_AS, ADDRESS_SPACE, ADDRESS_SPACE)
    # Nothing is written but to the pipe.
    _lower(resource.RLIMIT_FSIZE, 0, 0)


def _make_polite(after: float) -> None:
    """Let everything else run first; niceness belongs to threads, and those that are made later inherit it."""
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
    # Without what an interpreter does at its end: nothing is open that matters.
    os._exit(0)
