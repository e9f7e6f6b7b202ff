"""Checks as other processes make them: a table's descriptor and a role on the command line.

``windows FD REQUESTS ATTEMPTS``: for each line with a window's number, try that often on two keys,
one the same in every window and one new, at a time within that window; answers with how many were
allowed of each. ``forever FD``: check many keys in tiny windows until killed, having said so.
"""

from __future__ import annotations

import os
import sys

from sentinel_host.limiter import Limit, SharedTable

WINDOW = 10.0
WINDOW_NS = 10_000_000_000


def windows(table: SharedTable, requests: int, attempts: int) -> None:
    limit = Limit(requests, WINDOW)
    for line in sys.stdin:
        window = int(line)
        # The first window opens at an odd time, so that no boundary is a round number.
        now = 123_456_789 + window * WINDOW_NS
        allowed = [0, 0]
        for attempt in range(attempts):
            for index, key in enumerate((b"same", b"new-%d" % window)):
                allowed[index] += table.check_at(limit, key, now + attempt) >= 0
            if attempt % 20 == 0:
                # On a busy machine each would otherwise be through before the next has its turn.
                os.sched_yield()
        print(*allowed, flush=True)


def forever(table: SharedTable) -> None:
    limit = Limit(2, 0.001)
    keys = [b"key-%d" % number for number in range(500)]
    print("started", flush=True)
    while True:
        for key in keys:
            table.check(limit, key)


def main() -> None:
    role, fd, *numbers = sys.argv[1:]
    table = SharedTable.attach(int(fd))
    if role == "windows":
        windows(table, *map(int, numbers))
    else:
        forever(table)


if __name__ == "__main__":
    main()
