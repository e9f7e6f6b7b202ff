/* Put before the C that cffi generates. */

#include <time.h>

#include "limiter.h"

/* The clock that every process of one machine shares. Read here, since a call from Python for it
 * costs as much as the check. */
static int64_t snt_limit_check_now(snt_table *table, const snt_limit *limit, const uint8_t *key, size_t length) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return snt_limit_check(table, limit, key, length, (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec);
}
