"""The wall clock jumps by an hour, and nothing is refilled or locked out."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

JUMPING_CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>

static long jumped;
void jump(long seconds) { jumped += seconds; }

int clock_gettime(clockid_t clock, struct timespec *now) {
  int (*real)(clockid_t, struct timespec *) = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  int result = real(clock, now);
  if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) now->tv_sec += jumped;
  return result;
}
time_t time(time_t *out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out) *out = now.tv_sec;
  return now.tv_sec;
}
int gettimeofday(struct timeval *now, void *zone) {
  (void)zone;
  struct timespec precise;
  clock_gettime(CLOCK_REALTIME, &precise);
  now->tv_sec = precise.tv_sec;
  now->tv_usec = precise.tv_nsec / 1000;
  return 0;
}
"""

PROGRAM = """
import ctypes, time
from sentinel_host.limiter import Algorithm, Limit, SharedTable
from tests.limiter.verdicts import Verdict

jump = ctypes.CDLL(None).jump
table = SharedTable.create(64)
for algorithm in Algorithm:
    limit = Limit(5, 3000, algorithm)
    assert [table.check(limit, b"a") >= 0 for _ in range(7)] == [True] * 5 + [False] * 2
    for seconds in (3600, -7200, 3600):
        wall, steady = time.time(), time.monotonic()
        jump(seconds)
        assert abs(time.time() - wall - seconds) < 60 and time.monotonic() - steady < 60  # the clock did jump
        refused = Verdict.of(table.check(limit, b"a"))
        assert not refused.allowed and 500_000 < refused.reset <= 3_000_000, refused
        fresh = b"key %d" % seconds
        assert [table.check(limit, fresh) >= 0 for _ in range(6)] in ([True] * 5 + [False], [False] * 6), fresh
print("steady")
"""


def test_a_jump_of_the_wall_clock_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "clock.c").write_text(JUMPING_CLOCK)
    library = tmp_path / "clock.so"
    compiler = os.environ.get("CC", "gcc")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, tmp_path / "clock.c", "-ldl"], check=True)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM)],
        env={**os.environ, "LD_PRELOAD": str(library)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "steady\n", done.stderr
