/* Several workers' threads on one table, where endpoints come, fail, are swept and come back all
 * the time. */

#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <string.h>

#include "../../tests/harness.h"
#include "../src/group.h"

#define WORKERS 3
#define ENDPOINTS 4
#define ROWS 8
#define ROUNDS 3000

static const uint8_t SECRET[SNT_SECRET_BYTES] = {1};

static snt_endpoints *table;
static _Atomic uint64_t now, left;

static void *work(void *argument) {
  uint32_t cell = (uint32_t)(uintptr_t)argument;
  snt_member members[ENDPOINTS];
  uint32_t usable[ENDPOINTS];
  snt_group group = {.table = table, .cell = cell, .count = ENDPOINTS, .random = cell + 1};
  group.settings = (snt_group_settings){.panic_percent = 50, .ejected_percent = 50, .rules = {{2, 5}, 10, 100}};
  group.members = members;
  group.usable = usable;
  for (uint64_t round = 0; round < ROUNDS; round++) {
    uint64_t time = atomic_fetch_add(&now, 1);
    for (uint64_t index = 0; index < ENDPOINTS; index++) {
      members[index] = (snt_member){.row = snt_acquire(table, 10 + index, cell, time), .weight = (uint32_t)index + 1};
      CHECK(members[index].row != SNT_NO_ROW && atomic_load(&table->row[members[index].row].key) == 10 + index);
    }
    snt_group_begin(&group);
    for (uint64_t request = 0; request < 8; request++) {
      uint32_t picked = snt_pick(&group, request, NULL, 0, time);
      if (picked == SNT_NO_MEMBER) {
        /* All have been found down. */
        for (int index = 0; index < ENDPOINTS; index++) snt_flag(&table->row[members[index].row], 0, SNT_DOWN, time);
        continue;
      }
      CHECK(picked < ENDPOINTS);
      snt_group_begins(&group, picked);
      snt_row *row = &table->row[members[picked].row];
      if (request % 4 == 0) snt_group_failed(&group, picked, request % 8 == 0, cell, false, time);
      if (request % 4 != 0) snt_succeeded(row, round);
      if (request == 5) snt_flag(row, round % 2 == 0 ? SNT_DOWN : 0, round % 2 == 0 ? 0 : SNT_DOWN, time);
      if (request == 6) snt_flag(row, 0, SNT_DOWN, time);
      snt_end(snt_cell_of(table, members[picked].row, cell));
    }
    for (uint32_t index = 0; index < ENDPOINTS; index++) snt_release(table, members[index].row, cell);
  }
  atomic_fetch_sub(&left, 1);
  return NULL;
}

static void workers_and_a_sweeper_share_a_table(void) {
  size_t size = snt_endpoints_size(ROWS, WORKERS);
  table = aligned_alloc(64, size);
  memset(table, 0, size);
  snt_endpoints_make(table, ROWS, WORKERS, SECRET);
  atomic_store(&now, 1000);
  atomic_store(&left, WORKERS);
  pthread_t threads[WORKERS];
  for (uintptr_t cell = 0; cell < WORKERS; cell++) pthread_create(&threads[cell], NULL, work, (void *)cell);
  while (atomic_load(&left) > 0) snt_sweep(table, 1);
  for (int cell = 0; cell < WORKERS; cell++) pthread_join(threads[cell], NULL);
  for (uint32_t row = 0; row < ROWS; row++) CHECK(snt_active(table, row) == 0);
  free(table);
}

int main(void) {
  RUN(workers_and_a_sweeper_share_a_table);
  return 0;
}
