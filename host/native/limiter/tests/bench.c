/* ns per check: `bench PROCESSES KEYS CHECKS` prints, for each of several processes that check at
 * once, the processor time of a check. Not the time on the wall, which on a machine with fewer
 * cores than processes is mostly waiting for a turn. */

#define _GNU_SOURCE

#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../tests/harness.h"
#include "../src/limiter.h"

static const uint64_t SECRET[2] = {9, 10};

typedef struct {
  _Atomic int ready;
  double ns[64];
} shared;

static uint64_t nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static double measure(snt_table *table, uint64_t keys, uint64_t checks, uint64_t seed) {
  snt_limit limit = {.id = 1, .requests = SNT_LIMIT_REQUESTS_MAX, .window_ms = 3600000};
  uint8_t key[16] = "192.0.2.";
  uint64_t now = 1000000000, begin = nanoseconds();
  for (uint64_t number = 0; number < checks; number++) {
    /* Knuth's multiplier: neighbours in time are not neighbours in memory. */
    uint64_t which = (number + seed) * UINT64_C(6364136223846793005) % keys;
    memcpy(key + 8, &which, sizeof which);
    snt_limit_check(table, &limit, key, sizeof key, now);
  }
  return (double)(nanoseconds() - begin) / (double)checks;
}

int main(int count, char **arguments) {
  CHECK(count == 4);
  int processes = atoi(arguments[1]);
  uint64_t keys = strtoull(arguments[2], NULL, 10), checks = strtoull(arguments[3], NULL, 10);
  CHECK(processes >= 1 && processes <= 64 && keys >= 1 && checks >= 1);
  size_t size = snt_table_size(2 * keys);
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  shared *common = mmap(NULL, sizeof *common, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(memory != MAP_FAILED && common != MAP_FAILED);
  snt_table *table = snt_table_make(memory, 2 * keys, SECRET);
  measure(table, keys, 4 * keys, 0); /* every key has its slot */
  for (int index = 0; index < processes; index++) {
    if (fork() != 0) continue;
    atomic_fetch_add(&common->ready, 1);
    while (atomic_load(&common->ready) < processes) usleep(10);
    common->ns[index] = measure(table, keys, checks, (uint64_t)index * 77);
    _exit(0);
  }
  for (int index = 0; index < processes; index++) wait(NULL);
  for (int index = 0; index < processes; index++) printf("%.1f\n", common->ns[index]);
  return 0;
}
