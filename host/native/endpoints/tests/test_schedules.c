/* Every schedule of workers that take, give back, free and eject: see schedules.h. */

#include <string.h>

#include "../../tests/schedules.h"

#include "../src/table.c"
#include "../src/maglev.c"
#include "../src/group.c"

#define ROWS 3
#define KEY 7
#define NOW UINT64_C(1000000)

static const uint8_t SECRET[SNT_SECRET_BYTES] = {1};

static snt_endpoints *table;
static uint32_t rows[CALLERS_MAX];
static uint64_t ejected_for[CALLERS_MAX];

static void clear(void) {
  memset(table, 0, snt_endpoints_size(ROWS, CALLERS_MAX));
  snt_endpoints_make(table, ROWS, CALLERS_MAX, SECRET);
}

static uint32_t rows_with(uint64_t key) {
  uint32_t count = 0;
  for (uint32_t row = 0; row < ROWS; row++) count += table->row[row].key == key;
  return count;
}

static void acquire(int caller) { rows[caller] = snt_acquire(table, KEY, (uint32_t)caller, NOW); }

static void all_have_the_same_row(const bool *finished) {
  for (int caller = 0; caller < explored->callers; caller++) {
    CHECK(finished[caller] && rows[caller] == rows[0]);
    CHECK(snt_cell_of(table, rows[0], (uint32_t)caller)->references == 1);
  }
  CHECK(rows_with(KEY) == 1);
}

static void three_workers_take_one_endpoint(void) {
  explore(&(schedule){3, 2, false, clear, acquire, all_have_the_same_row});
}

/* The first row that it would take is another's, and is freed in between. */
static void occupied_by_another(void) {
  clear();
  snt_acquire(table, KEY + ROWS, 0, NOW);
  snt_clear_cell(table, 0);
}

static void sweep_or_acquire(int caller) {
  if (caller == 0) {
    snt_sweep(table, 1);
  } else {
    acquire(caller);
  }
}

static void both_have_it(const bool *finished) {
  CHECK(finished[1] && finished[2] && rows[1] == rows[2] && rows_with(KEY) == 1);
  CHECK(!finished[0] || rows_with(KEY + ROWS) == 0);
}

static void a_row_is_freed_while_two_look_for_one(void) {
  explore(&(schedule){3, 2, false, occupied_by_another, sweep_or_acquire, both_have_it});
}

/* It was let go, and is taken again while it is being freed. */
static void let_go(void) {
  clear();
  snt_release(table, snt_acquire(table, KEY, 0, NOW), 0);
}

static void what_is_referred_to_is_not_freed(const bool *finished) {
  CHECK(finished[1] && table->row[rows[1]].key == KEY && table->row[rows[1]].lease != ENDED);
  CHECK(!finished[0] || rows_with(KEY) == 1);
  snt_sweep(table, 1);
  CHECK(table->row[rows[1]].key == KEY && rows_with(KEY) == 1 && rows_with(LEAVING) == 0);
}

static void an_endpoint_comes_back_while_it_is_freed(void) {
  explore(&(schedule){2, 3, false, let_go, sweep_or_acquire, what_is_referred_to_is_not_freed});
}

/* Whoever sweeps is killed anywhere: the next sweep clears up. A worker that waits for what it left
 * takes another row. */
static void who_sweeps_is_killed(void) {
  explore(&(schedule){2, 1, true, let_go, sweep_or_acquire, what_is_referred_to_is_not_freed});
}

static snt_member members[CALLERS_MAX][2];
static snt_group groups[CALLERS_MAX];

static void two_members(void) {
  clear();
  for (uint32_t caller = 0; caller < 2; caller++) {
    groups[caller] = (snt_group){.table = table, .cell = caller, .count = 2, .random = 1, .members = members[caller]};
    groups[caller].settings = (snt_group_settings){.ejected_percent = 50, .rules = {{1, 1}, 1000, 1000}};
    for (uint32_t index = 0; index < 2; index++) {
      members[caller][index] = (snt_member){.row = snt_acquire(table, KEY + index, caller, NOW), .weight = 1};
    }
    ejected_for[caller] = 0;
  }
}

static void eject_its_own(int caller) {
  ejected_for[caller] = snt_group_failed(&groups[caller], (uint32_t)caller, SNT_GATEWAY_FAILURE, 1, true, NOW);
}

static void one_is_left(const bool *finished) {
  CHECK(finished[0] && finished[1] && ejected(&groups[0], NOW) <= 1);
  uint32_t told = (ejected_for[0] > 0 ? 1u : 0u) + (ejected_for[1] > 0 ? 1u : 0u);
  CHECK(ejected(&groups[0], NOW) == told);
}

static void two_workers_do_not_eject_the_last(void) {
  explore(&(schedule){2, 4, false, two_members, eject_its_own, one_is_left});
}

static void fail_once(int caller) {
  snt_ejection_rules rules = {{3, 3}, 1000, 1000};
  ejected_for[caller] = snt_failed(&table->row[1], SNT_GATEWAY_FAILURE, (uint32_t)caller + 1, false, &rules);
}

static void only_the_third_is_enough(const bool *finished) {
  CHECK(finished[0] && finished[1] && finished[2]);
  CHECK(ejected_for[0] + ejected_for[1] + ejected_for[2] == 1);
}

static void failures_of_several_workers_add_up(void) {
  explore(&(schedule){3, 2, false, clear, fail_once, only_the_third_is_enough});
}

int main(void) {
  table = aligned_alloc(64, snt_endpoints_size(ROWS, CALLERS_MAX));
  RUN(three_workers_take_one_endpoint);
  RUN(a_row_is_freed_while_two_look_for_one);
  RUN(an_endpoint_comes_back_while_it_is_freed);
  RUN(who_sweeps_is_killed);
  RUN(two_workers_do_not_eject_the_last);
  RUN(failures_of_several_workers_add_up);
  free(table);
  return 0;
}
