/* Rows, cells and health as one process sees them, with the time passed in. */

#include "../src/table.h"

#include <string.h>

#include "../../tests/harness.h"

#define ROWS 8
#define CELLS 3
#define NOW UINT64_C(1000000)

static const uint8_t SECRET[SNT_SECRET_BYTES] = {1};

static const snt_ejection_rules RULES = {{2, 5}, 10000, 300000};

static snt_endpoints *new_table(void) {
  size_t size = snt_endpoints_size(ROWS, CELLS);
  void *memory = aligned_alloc(64, size);
  memset(memory, 0, size);
  return snt_endpoints_make(memory, ROWS, CELLS, SECRET);
}

static snt_row *new_row(snt_endpoints *table) { return &table->row[snt_acquire(table, 77, 0, NOW)]; }

static void sizes_have_bounds(void) {
  CHECK(snt_endpoints_size(0, 1) == 0 && snt_endpoints_size(1, 0) == 0);
  CHECK(snt_endpoints_size(SNT_ROWS_MAX + 1, 1) == 0 && snt_endpoints_size(1, SNT_CELLS_MAX + 1) == 0);
  CHECK(snt_endpoints_size(SNT_ROWS_MAX, SNT_CELLS_MAX) > 0);
  snt_endpoints *table = new_table();
  size_t size = snt_endpoints_size(ROWS, CELLS);
  CHECK(snt_endpoints_open(table, size) == table);
  CHECK(snt_endpoints_open(table, size - 64) == NULL && snt_endpoints_open(table, 8) == NULL);
  table->rows++;
  CHECK(snt_endpoints_open(table, size) == NULL);
  table->rows--;
  table->magic++;
  CHECK(snt_endpoints_open(table, size) == NULL);
  free(table);
}

static void an_endpoint_keeps_its_row_while_anybody_refers_to_it(void) {
  snt_endpoints *table = new_table();
  uint32_t row = snt_acquire(table, 5, 0, NOW);
  CHECK(row == 5 && snt_acquire(table, 5, 1, NOW + 1) == row && snt_find(table, 5) == row);
  CHECK(snt_in_service_since(&table->row[row], NOW) == NOW);
  snt_release(table, row, 0);
  for (int sweep = 0; sweep < 4; sweep++) snt_sweep(table, 2);
  CHECK(snt_find(table, 5) == row);
  snt_release(table, row, 1);
  snt_sweep(table, 2);
  CHECK(snt_find(table, 5) == row);
  /* Whoever comes back in time finds what was known. */
  CHECK(snt_acquire(table, 5, 0, NOW) == row);
  snt_sweep(table, 2);
  snt_release(table, row, 0);
  snt_sweep(table, 2);
  CHECK(snt_find(table, 5) == row);
  snt_sweep(table, 2);
  CHECK(snt_find(table, 5) == SNT_NO_ROW);
  free(table);
}

static void a_row_that_is_freed_says_nothing_of_the_one_before(void) {
  snt_endpoints *table = new_table();
  uint32_t index = snt_acquire(table, 5, 0, NOW);
  snt_row *row = &table->row[index];
  snt_flag(row, SNT_DRAINING | SNT_DOWN, 0, NOW);
  snt_eject(row, &RULES, NOW, 0);
  snt_succeeded(row, 100);
  snt_failed(row, SNT_SERVER_FAILURE, 9, true, &RULES);
  snt_release(table, index, 0);
  snt_sweep(table, 1);
  CHECK(snt_acquire(table, 5 + ROWS, 0, NOW + 7) == index);
  CHECK(row->flags == 0 && row->ejection == 0 && row->streaks == 0 && row->latency == 0);
  CHECK(snt_in_service_since(row, NOW + 7) == NOW + 7);
  free(table);
}

static void keys_that_meet_get_rows_of_their_own(void) {
  snt_endpoints *table = new_table();
  bool taken[ROWS] = {false};
  for (uint64_t key = 0; key < ROWS; key++) {
    uint32_t row = snt_acquire(table, 2 + key * ROWS, 0, NOW);
    CHECK(row < ROWS && !taken[row]);
    taken[row] = true;
  }
  CHECK(snt_acquire(table, 3, 0, NOW) == SNT_NO_ROW);
  for (uint64_t key = 0; key < ROWS; key++) CHECK(snt_find(table, 2 + key * ROWS) != SNT_NO_ROW);
  free(table);
}

static void a_dead_worker_has_nothing_under_way(void) {
  snt_endpoints *table = new_table();
  uint32_t row = snt_acquire(table, 5, 1, NOW);
  atomic_store(&snt_cell_of(table, row, 1)->active, 7);
  atomic_store(&snt_cell_of(table, row, 2)->active, 2);
  atomic_store(&snt_cell_of(table, row, 1)->requests, 9);
  CHECK(snt_active(table, row) == 9);
  snt_clear_cell(table, 1);
  CHECK(snt_active(table, row) == 2 && atomic_load(&snt_cell_of(table, row, 1)->requests) == 9);
  snt_sweep(table, 1);
  CHECK(snt_find(table, 5) == SNT_NO_ROW);
  free(table);
}

static void failures_count_in_a_row_and_by_kind(void) {
  snt_endpoints *table = new_table();
  snt_row *row = new_row(table);
  CHECK(!snt_failed(row, SNT_GATEWAY_FAILURE, 1, true, &RULES));
  for (int failure = 0; failure < 4; failure++) CHECK(!snt_failed(row, SNT_SERVER_FAILURE, 1, true, &RULES));
  CHECK(snt_failed(row, SNT_GATEWAY_FAILURE, 1, true, &RULES));
  CHECK(snt_failed(row, SNT_SERVER_FAILURE, 1, true, &RULES));
  snt_succeeded(row, 10);
  CHECK(!snt_failed(row, SNT_GATEWAY_FAILURE, 1, true, &RULES));
  snt_ejection_rules never = {{0, 0}, 1, 1};
  for (int failure = 0; failure < 100; failure++) CHECK(!snt_failed(row, SNT_GATEWAY_FAILURE, 1, true, &never));
  for (int failure = 0; failure < 100000; failure++) snt_failed(row, SNT_SERVER_FAILURE, 1, true, &never);
  CHECK(snt_failed(row, SNT_SERVER_FAILURE, 1, true, &RULES) && snt_failed(row, SNT_GATEWAY_FAILURE, 1, true, &RULES));
  free(table);
}

static void one_client_alone_ejects_nothing(void) {
  snt_endpoints *table = new_table();
  snt_row *row = new_row(table);
  for (int failure = 0; failure < 50; failure++) CHECK(!snt_failed(row, SNT_GATEWAY_FAILURE, 3, false, &RULES));
  CHECK(snt_failed(row, SNT_GATEWAY_FAILURE, 4, false, &RULES));
  snt_succeeded(row, 10);
  /* Nor does a client whose hash is 0, which stands for nobody. */
  for (int failure = 0; failure < 50; failure++) CHECK(!snt_failed(row, SNT_GATEWAY_FAILURE, 0, false, &RULES));
  CHECK(snt_failed(row, SNT_GATEWAY_FAILURE, 0, true, &RULES));
  free(table);
}

static void ejections_grow_and_are_forgiven(void) {
  snt_endpoints *table = new_table();
  snt_row *row = new_row(table);
  uint64_t now = NOW;
  for (uint64_t times = 1; times < 40; times++) {
    uint64_t time = snt_eject(row, &RULES, now, 0);
    CHECK(time == (times * 10000 < 300000 ? times * 10000 : 300000));
    CHECK(snt_is_ejected(row, now + time - 1) && !snt_is_ejected(row, now + time));
    CHECK(snt_eject(row, &RULES, now + time - 1, 0) == 0);
    CHECK(snt_in_service_since(row, now + time + 5) == now + time);
    now += time;
  }
  CHECK(snt_eject(row, &RULES, now + 38 * 10000, 0) == 20000);
  now += 38 * 10000 + 20000;
  CHECK(snt_eject(row, &RULES, now + 1000000, 0) == 10000);
  snt_readmit(row, now + 1000001);
  CHECK(!snt_is_ejected(row, now + 1000001) && snt_in_service_since(row, now + 1000001) == now + 1000001);
  CHECK(snt_eject(row, &RULES, now + 1000001, 1023) == 20000 + 20000 * 1023 / 10240);
  free(table);
}

static void flags_are_set_one_by_one(void) {
  snt_endpoints *table = new_table();
  snt_row *row = new_row(table);
  snt_flag(row, SNT_DOWN, 0, NOW + 1);
  snt_flag(row, SNT_DRAINING, 0, NOW + 2);
  CHECK(row->flags == (SNT_DOWN | SNT_DRAINING) && row->since == NOW);
  snt_flag(row, 0, SNT_DRAINING, NOW + 3);
  CHECK(row->flags == SNT_DOWN && row->since == NOW);
  snt_flag(row, 0, SNT_DOWN, NOW + 4);
  CHECK(row->flags == 0 && row->since == NOW + 4);
  snt_flag(row, 0, SNT_DOWN, NOW + 5);
  CHECK(row->since == NOW + 4);
  free(table);
}

static void latency_is_an_average_that_follows(void) {
  snt_endpoints *table = new_table();
  snt_row *row = new_row(table);
  snt_succeeded(row, 800);
  CHECK(row->latency == 800);
  snt_succeeded(row, 1600);
  CHECK(row->latency == 900);
  for (int answer = 0; answer < 100; answer++) snt_succeeded(row, 8000);
  CHECK(row->latency > 7900 && row->latency <= 8000);
  free(table);
}

int main(void) {
  RUN(sizes_have_bounds);
  RUN(an_endpoint_keeps_its_row_while_anybody_refers_to_it);
  RUN(a_row_that_is_freed_says_nothing_of_the_one_before);
  RUN(keys_that_meet_get_rows_of_their_own);
  RUN(a_dead_worker_has_nothing_under_way);
  RUN(failures_count_in_a_row_and_by_kind);
  RUN(one_client_alone_ejects_nothing);
  RUN(ejections_grow_and_are_forgiven);
  RUN(flags_are_set_one_by_one);
  RUN(latency_is_an_average_that_follows);
  return 0;
}
