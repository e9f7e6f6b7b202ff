"""What a process says of itself: its memory, processor time and descriptors, and what it was built
from.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from sentinel_host.control.snapshot import Snapshot

_PAGE: Final = resource.getpagesize()
_BEGAN: Final = time.time()
# proc_pid_statm(5): the second field is resident pages.
_RESIDENT: Final = 1


def process_numbers(name: str) -> Snapshot:
    """The numbers of this process, which is called so: ``worker-0``, ``supervisor``."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    resident = int(Path("/proc/self/statm").read_text().split()[_RESIDENT]) * _PAGE
    return Snapshot(
        counters={"sentinel_process_cpu_seconds": {(name,): used.ru_utime + used.ru_stime}},
        gauges={
            "sentinel_process_resident_bytes": {(name,): resident},
            "sentinel_process_open_descriptors": {(name,): len(os.listdir("/proc/self/fd"))},
            "sentinel_process_start_seconds": {(name,): _BEGAN},
        },
    )


@cache
def build_info() -> Snapshot:
    """The versions of what serves."""
    python = ".".join(map(str, sys.version_info[:3]))
    return Snapshot(gauges={"sentinel_build_info": {(_version("sentinel-host"), python, _version("wasmtime")): 1}})


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
