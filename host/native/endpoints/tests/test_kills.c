/* Workers killed at random while they serve: what they had under way is cleared, and the table
 * serves the others. */

#define _GNU_SOURCE

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../tests/harness.h"
#include "../src/group.h"

#define KILLS 300
#define ENDPOINTS 6
#define ROWS 8
#define CELLS 3
#define LOADED 2 /* of each worker's requests, how many are always under way */

static const uint8_t SECRET[SNT_SECRET_BYTES] = {1};

typedef struct {
  _Atomic uint64_t now;
  _Atomic uint32_t started;
} shared;

static const snt_group_settings SETTINGS = {
    .policy = SNT_LEAST_REQUESTS, .panic_percent = 50, .ejected_percent = 50, .rules = {{2, 5}, 10, 100}};

/* Endpoints come and go, requests begin and end, some fail. */
static void serve_for_ever(snt_endpoints *table, shared *common, uint32_t cell) {
  prctl(PR_SET_PDEATHSIG, SIGKILL); /* a check that fails ends the others too */
  snt_member members[ENDPOINTS];
  uint32_t usable[ENDPOINTS];
  snt_group group = {.table = table, .cell = cell, .count = ENDPOINTS, .settings = SETTINGS, .random = cell + 1};
  group.members = members;
  group.usable = usable;
  for (uint64_t pass = 0;; pass++) {
    uint64_t now = atomic_fetch_add(&common->now, 1);
    for (uint64_t index = 0; index < ENDPOINTS; index++) {
      uint32_t row = snt_acquire(table, 10 + index, cell, now);
      CHECK(row != SNT_NO_ROW);
      members[index] = (snt_member){.row = row, .weight = 1};
    }
    snt_group_begin(&group);
    uint32_t under_way[LOADED];
    for (int request = 0; request < LOADED; request++) {
      uint32_t picked = snt_pick(&group, pass, NULL, 0, now);
      CHECK(picked < ENDPOINTS);
      under_way[request] = picked;
      snt_group_begins(&group, picked);
      if (pass % 3 == 0) {
        snt_group_failed(&group, picked, SNT_GATEWAY_FAILURE, (uint32_t)pass, true, now);
      } else {
        snt_succeeded(&table->row[members[picked].row], 100);
      }
    }
    for (int request = 0; request < LOADED; request++) snt_end(snt_cell_of(table, members[under_way[request]].row, cell));
    for (uint32_t index = 0; index < ENDPOINTS; index++) snt_release(table, members[index].row, cell);
    atomic_store(&common->started, 1);
  }
}

static uint64_t active(const snt_endpoints *table) {
  uint64_t sum = 0;
  for (uint32_t row = 0; row < ROWS; row++) sum += snt_active(table, row);
  return sum;
}

static void killed_workers_leave_nothing_behind(void) {
  size_t size = snt_endpoints_size(ROWS, CELLS);
  shared *common = mmap(NULL, sizeof *common, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(common != MAP_FAILED && memory != MAP_FAILED);
  snt_endpoints *table = snt_endpoints_make(memory, ROWS, CELLS, SECRET);
  atomic_store(&common->now, 1000);
  unsigned seed = 1;
  pid_t rival = fork(); /* lives through all kills */
  if (rival == 0) serve_for_ever(table, common, 1);
  for (int round = 0; round < KILLS; round++) {
    atomic_store(&common->started, 0);
    pid_t child = fork();
    if (child == 0) serve_for_ever(table, common, 2);
    while (atomic_load(&common->started) == 0) usleep(10);
    for (volatile int spin = rand_r(&seed) % 20000; spin > 0; spin--) continue;
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    snt_clear_cell(table, 2);
    /* What is left is the rival's. */
    CHECK(active(table) <= LOADED);
    snt_sweep(table, 2);
  }
  kill(rival, SIGKILL);
  waitpid(rival, NULL, 0);
  snt_clear_cell(table, 1);
  CHECK(active(table) == 0);
  /* A killed worker may have taken a row and not referred to it yet; no more is lost than until the
   * next sweeps. */
  for (int sweep = 0; sweep < 3; sweep++) snt_sweep(table, 2);
  for (uint32_t row = 0; row < ROWS; row++) CHECK(atomic_load(&table->row[row].key) == 0);
  munmap(memory, size);
  munmap(common, sizeof *common);
}

int main(void) {
  RUN(killed_workers_leave_nothing_behind);
  return 0;
}
