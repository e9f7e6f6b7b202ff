"""The suite on a machine that has other things to do: ``python -m tests.stress [--seed N]
[arguments for pytest]``.

Everything is pinned to one core, which two busy loops share, and tests come in a random order. The
seed is printed: given again, it gives the same order.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import subprocess
import sys
from collections.abc import Iterator

# Each ends when who started it has: nothing is left behind, whatever happens.
_BUSY_LOOP = "import os; parent = os.getppid()\nwhile os.getppid() == parent: pass"
_LOOPS = 2


@contextlib.contextmanager
def one_busy_core() -> Iterator[None]:
    """This process and what it starts have one core, together with the busy loops."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    loops = [subprocess.Popen([sys.executable, "-c", _BUSY_LOOP]) for _ in range(_LOOPS)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.stress", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    known, arguments = parser.parse_known_args()
    print(f"stress: seed {known.seed}", flush=True)
    with one_busy_core():
        return subprocess.call([sys.executable, "-m", "pytest", f"--shuffle={known.seed}", *arguments])


if __name__ == "__main__":
    sys.exit(main())
