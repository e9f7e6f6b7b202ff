/* Processes that do nothing but check, killed at random: the table serves the others, and still
 * counts exactly. */

#define _GNU_SOURCE

#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../tests/harness.h"
#include "../src/limiter.h"

#define MS UINT64_C(1000000)
#define KILLS 300
#define KEYS 48
#define SLOTS 64
/* What a killed process began to insert takes a slot for a second; see limiter.c. */
#define FORGOTTEN (1100 * MS)

static const uint64_t SECRET[2] = {7, 8};

typedef struct {
  _Atomic uint64_t now; /* one clock for all, moved by those who check */
  _Atomic uint32_t started;
} shared;

static int64_t check(snt_table *table, uint64_t id, uint32_t requests, uint64_t key, uint64_t now) {
  snt_limit limit = {id, requests, 2, SNT_FIXED_WINDOW, SNT_OVERFLOW_CLOSED};
  return snt_limit_check(table, &limit, (const uint8_t *)&key, sizeof key, now);
}

/* Every pass is a millisecond and every window two: slots change hands all the time. */
static void check_for_ever(snt_table *table, shared *common) {
  prctl(PR_SET_PDEATHSIG, SIGKILL); /* a check that fails ends the others too */
  for (uint64_t pass = 0;; pass++) {
    uint64_t now = atomic_fetch_add(&common->now, MS);
    for (uint64_t key = 0; key < KEYS; key++) check(table, 1, 3, key + pass % 3 * KEYS, now);
    atomic_store(&common->started, 1);
  }
}

static int allowed_of_nine(snt_table *table, uint64_t id, uint64_t key, uint64_t now) {
  int allowed = 0;
  for (int request = 0; request < 9; request++) allowed += check(table, id, 5, key, now) >= 0;
  return allowed;
}

static void killed_processes_are_in_nobodys_way(void) {
  size_t size = snt_table_size(SLOTS);
  shared *common = mmap(NULL, sizeof *common, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(common != MAP_FAILED && memory != MAP_FAILED);
  snt_table *table = snt_table_make(memory, SLOTS, SECRET);
  atomic_store(&common->now, 1000 * MS);
  unsigned seed = 1;
  pid_t rival = fork(); /* lives through all kills */
  if (rival == 0) check_for_ever(table, common);
  for (uint64_t round = 0; round < KILLS; round++) {
    atomic_store(&common->started, 0);
    pid_t child = fork();
    if (child == 0) check_for_ever(table, common);
    while (atomic_load(&common->started) == 0) usleep(10);
    for (volatile int spin = rand_r(&seed) % 20000; spin > 0; spin--) continue;
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    /* Whatever the child held, this returns and counts exactly, unless the key finds no slot; later
     * there is room again. A rival that runs on may move the clock and fill the table. */
    kill(rival, SIGSTOP);
    int status;
    waitpid(rival, &status, WUNTRACED);
    uint64_t now = atomic_fetch_add(&common->now, 10 * MS) + 10 * MS;
    for (uint64_t key = 0; key < 16; key++) {
      uint64_t without_slot = snt_table_overflows(table);
      int allowed = allowed_of_nine(table, 2 + 2 * round, key, now);
      CHECK(allowed == 5 || (allowed == 0 && snt_table_overflows(table) == without_slot + 9));
    }
    now = atomic_fetch_add(&common->now, FORGOTTEN) + FORGOTTEN;
    for (uint64_t key = 0; key < 16; key++) CHECK(allowed_of_nine(table, 3 + 2 * round, key, now) == 5);
    kill(rival, SIGCONT);
  }
  kill(rival, SIGKILL);
  waitpid(rival, NULL, 0);
  CHECK(snt_table_live(table, atomic_load(&common->now) + 2000 * MS) == 0); /* nothing is lost for ever */
  munmap(memory, size);
  munmap(common, sizeof *common);
}

int main(void) {
  RUN(killed_processes_are_in_nobodys_way);
  return 0;
}
