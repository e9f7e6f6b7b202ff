/* What one caller sees, with the time passed in. */

#include "../src/limiter.h"

#include <string.h>

#include "../../tests/harness.h"

#define MS UINT64_C(1000000)
#define START (1000 * MS)

static const uint64_t SECRET[2] = {1, 2};
static const snt_limit WINDOW = {.id = 1, .requests = 5, .window_ms = 1000};
static const snt_limit BUCKET = {.id = 2, .requests = 5, .window_ms = 1000, .algorithm = SNT_LEAKY_BUCKET};

static snt_table *table_of(uint64_t slots) {
  size_t size = snt_table_size(slots);
  void *memory = aligned_alloc(64, size);
  memset(memory, 0, size);
  return snt_table_make(memory, slots, SECRET);
}

static int64_t check(snt_table *table, const snt_limit *limit, uint64_t key, uint64_t now) {
  return snt_limit_check(table, limit, (const uint8_t *)&key, sizeof key, now);
}

static uint32_t reset_of(int64_t verdict) { return (uint32_t)verdict; }
static uint32_t remaining_of(int64_t verdict) { return (uint32_t)(verdict >> 32) & 0xffffff; }

static void a_window_grants_its_number_and_says_so(void) {
  snt_table *table = table_of(64);
  for (uint32_t round = 0; round < 3; round++) {
    uint64_t now = START + round * 1000 * MS;
    for (uint32_t request = 0; request < 5; request++) {
      int64_t verdict = check(table, &WINDOW, 7, now + request * MS);
      CHECK(verdict >= 0 && remaining_of(verdict) == 4 - request && reset_of(verdict) == 1000 - request);
    }
    int64_t verdict = check(table, &WINDOW, 7, now + 999 * MS);
    CHECK(verdict < 0 && remaining_of(verdict) == 0 && reset_of(verdict) == 1);
    CHECK(check(table, &WINDOW, 7, now + 1000 * MS - 1) < 0);
  }
  free(table);
}

static void a_window_opens_with_the_millisecond_of_its_first_request(void) {
  snt_table *table = table_of(64);
  for (uint32_t request = 0; request < 5; request++) {
    CHECK(reset_of(check(table, &WINDOW, 7, START + 123456 + request)) == 1000);
  }
  CHECK(check(table, &WINDOW, 7, START + 1000 * MS - 1) < 0);
  CHECK(check(table, &WINDOW, 7, START + 1000 * MS) >= 0);
  free(table);
}

static void a_bucket_drains_evenly(void) {
  snt_table *table = table_of(64);
  for (uint32_t request = 0; request < 5; request++) {
    int64_t verdict = check(table, &BUCKET, 7, START);
    CHECK(verdict >= 0 && remaining_of(verdict) == 4 - request && reset_of(verdict) == 200 * (request + 1));
  }
  int64_t verdict = check(table, &BUCKET, 7, START);
  CHECK(verdict < 0 && reset_of(verdict) == 200);
  CHECK(check(table, &BUCKET, 7, START + 200 * MS - 1) < 0);
  CHECK(check(table, &BUCKET, 7, START + 200 * MS) >= 0);
  CHECK(check(table, &BUCKET, 7, START + 200 * MS) < 0);
  uint32_t allowed = 0;
  for (uint64_t now = START + 400 * MS; now < START + 10400 * MS; now += MS) allowed += check(table, &BUCKET, 7, now) >= 0;
  CHECK(allowed == 50);
  free(table);
}

static void a_bucket_that_does_not_divide_never_grants_too_much(void) {
  snt_limit limit = {.id = 3, .requests = 7, .window_ms = 1000, .algorithm = SNT_LEAKY_BUCKET};
  snt_table *table = table_of(64);
  uint32_t allowed = 0;
  for (uint64_t now = START; now < START + 100000 * MS; now += MS) allowed += check(table, &limit, 7, now) >= 0;
  CHECK(allowed >= 7 + 698 && allowed <= 7 + 700);
  free(table);
}

static void the_largest_limits_do_not_overflow(void) {
  snt_table *table = table_of(64);
  uint64_t years = UINT64_C(30) * 365 * 86400 * 1000 * MS;
  for (uint32_t algorithm = 0; algorithm < 2; algorithm++) {
    snt_limit limit = {algorithm, SNT_LIMIT_REQUESTS_MAX, SNT_LIMIT_WINDOW_MAX, algorithm, 0};
    int64_t verdict = check(table, &limit, 7, years);
    CHECK(verdict >= 0 && remaining_of(verdict) == SNT_LIMIT_REQUESTS_MAX - 1 && (verdict & SNT_VERDICT_OVERFLOW) == 0);
    snt_limit one = {9 + algorithm, 1, SNT_LIMIT_WINDOW_MAX, algorithm, 0};
    CHECK(check(table, &one, 7, years) >= 0);
    verdict = check(table, &one, 7, years);
    CHECK(verdict < 0 && reset_of(verdict) == SNT_LIMIT_WINDOW_MAX);
  }
  snt_limit fast = {20, SNT_LIMIT_REQUESTS_MAX, 1, SNT_LEAKY_BUCKET, 0};
  for (int request = 0; request < 1000; request++) CHECK(check(table, &fast, 7, years) >= 0);
  free(table);
}

static void a_window_counts_to_its_largest_number(void) {
  snt_table *table = table_of(64);
  snt_limit limit = {1, SNT_LIMIT_REQUESTS_MAX, 1000, SNT_FIXED_WINDOW, 0};
  CHECK(check(table, &limit, 7, START) >= 0);
  uint64_t key = 7;
  CHECK(snt_limit_learn(table, &limit, (const uint8_t *)&key, sizeof key, START, SNT_LIMIT_REQUESTS_MAX - 1, 1000));
  CHECK(check(table, &limit, 7, START) >= 0);
  for (int request = 0; request < 3; request++) CHECK(check(table, &limit, 7, START) < 0);
  CHECK(check(table, &limit, 7, START + 1000 * MS) >= 0);
  free(table);
}

static void keys_and_limits_are_apart(void) {
  snt_table *table = table_of(64);
  snt_limit other = WINDOW;
  other.id = 99;
  for (int request = 0; request < 5; request++) CHECK(check(table, &WINDOW, 7, START) >= 0);
  CHECK(check(table, &WINDOW, 7, START) < 0);
  CHECK(remaining_of(check(table, &WINDOW, 8, START)) == 4);
  CHECK(remaining_of(check(table, &other, 7, START)) == 4);
  CHECK(remaining_of(snt_limit_check(table, &WINDOW, NULL, 0, START)) == 4);
  CHECK(snt_table_live(table, START) == 4);
  CHECK(snt_table_live(table, START + 1001 * MS) == 0);
  free(table);
}

static void a_lowered_limit_holds_at_once(void) {
  snt_table *table = table_of(64);
  for (int request = 0; request < 4; request++) check(table, &WINDOW, 7, START);
  snt_limit lower = WINDOW;
  lower.requests = 3;
  CHECK(check(table, &lower, 7, START) < 0);
  CHECK(check(table, &WINDOW, 7, START) >= 0);
  free(table);
}

static void spent_slots_are_reused(void) {
  snt_table *table = table_of(64);
  for (uint64_t round = 0; round < 1000; round++) {
    uint64_t now = START + round * 1001 * MS;
    for (uint64_t key = 0; key < 16; key++) CHECK(remaining_of(check(table, &WINDOW, round * 16 + key, now)) == 4);
  }
  CHECK(snt_table_overflows(table) == 0);
  free(table);
}

/* The promise of two choices of eight. */
static void a_table_fills_before_a_key_finds_no_place(void) {
  snt_table *table = table_of(65536);
  for (uint64_t key = 0; key < 65536 * 2 / 3; key++) CHECK(check(table, &WINDOW, key, START) >= 0);
  CHECK(snt_table_overflows(table) == 0);
  CHECK(snt_table_live(table, START) == 65536 * 2 / 3);
  free(table);
}

static uint32_t flood(snt_table *table, const snt_limit *limit, uint64_t now) {
  uint32_t overflowed = 0;
  for (uint64_t key = 1000; key < 2000; key++) overflowed += (check(table, limit, key, now) & SNT_VERDICT_OVERFLOW) != 0;
  return overflowed;
}

static void hot_keys_stay_exact_in_a_full_table(void) {
  for (uint32_t algorithm = 0; algorithm < 2; algorithm++) {
    snt_table *table = table_of(16);
    snt_limit limit = {1, 5, 1000, algorithm, SNT_OVERFLOW_CLOSED};
    for (int request = 0; request < 3; request++) CHECK(check(table, &limit, 7, START) >= 0);
    uint32_t overflowed = flood(table, &limit, START);
    CHECK(overflowed >= 984 && snt_table_live(table, START) <= 16);
    CHECK(snt_table_overflows(table) == overflowed);
    CHECK(remaining_of(check(table, &limit, 7, START)) == 1);
    CHECK(remaining_of(check(table, &limit, 7, START)) == 0);
    CHECK(check(table, &limit, 7, START) < 0);
    free(table);
  }
}

static void overflowing_keys_get_what_was_chosen(void) {
  const uint64_t later = START + 1001 * MS;
  for (uint32_t rule = 0; rule < 3; rule++) {
    snt_table *table = table_of(16);
    snt_limit limit = WINDOW;
    limit.overflow = rule;
    flood(table, &limit, START);
    uint32_t allowed = 0, refused = 0;
    for (uint64_t key = 2000; key < 2100; key++) {
      int64_t verdict = check(table, &limit, key, START + MS);
      CHECK((verdict & SNT_VERDICT_OVERFLOW) != 0);
      if (verdict < 0) {
        CHECK(remaining_of(verdict) == 0 && reset_of(verdict) >= 999 && reset_of(verdict) <= 1000);
        refused++;
      } else {
        allowed++;
      }
    }
    CHECK(rule == SNT_OVERFLOW_OPEN ? allowed == 100 : refused == 100); /* shared: the flood used it up */
    snt_limit another = limit;
    another.id = 5;
    int64_t verdict = check(table, &another, 1, START + MS);
    CHECK((verdict & SNT_VERDICT_OVERFLOW) != 0 && (verdict < 0) == (rule == SNT_OVERFLOW_CLOSED));
    if (rule == SNT_OVERFLOW_SHARE) CHECK(remaining_of(verdict) == 4);
    CHECK((check(table, &limit, 2000, later) & SNT_VERDICT_OVERFLOW) == 0);
    free(table);
  }
}

static void what_others_counted_is_learnt(void) {
  snt_table *table = table_of(64);
  uint64_t key = 7;
  const uint8_t *bytes = (const uint8_t *)&key;
  CHECK(!snt_limit_learn(table, &WINDOW, bytes, sizeof key, START, 3, 500));
  CHECK(check(table, &WINDOW, key, START) >= 0);
  CHECK(snt_limit_learn(table, &WINDOW, bytes, sizeof key, START, 3, 500));
  int64_t verdict = check(table, &WINDOW, key, START);
  CHECK(remaining_of(verdict) == 1 && reset_of(verdict) == 500);
  CHECK(snt_limit_learn(table, &WINDOW, bytes, sizeof key, START, 1, 500)); /* stale: never forgets */
  CHECK(remaining_of(check(table, &WINDOW, key, START)) == 0);
  CHECK(check(table, &WINDOW, key, START) < 0);
  CHECK(snt_limit_learn(table, &WINDOW, bytes, sizeof key, START + 600 * MS, 2, 400));
  CHECK(remaining_of(check(table, &WINDOW, key, START + 600 * MS)) == 2);
  free(table);
}

static void foreign_memory_is_refused(void) {
  size_t size = snt_table_size(64);
  snt_table *table = table_of(64);
  CHECK(snt_table_open(table, size) == table && snt_table_slots(table) == 64);
  CHECK(snt_table_open(table, size - 1) == NULL && snt_table_open(table, 8) == NULL);
  memset(table, 0, 8);
  CHECK(snt_table_open(table, size) == NULL);
  CHECK(snt_table_size(((uint64_t)1 << 28) + 1) == 0 && snt_table_size(0) == snt_table_size(16));
  free(table);
}

int main(void) {
  RUN(a_window_grants_its_number_and_says_so);
  RUN(a_window_opens_with_the_millisecond_of_its_first_request);
  RUN(a_bucket_drains_evenly);
  RUN(a_bucket_that_does_not_divide_never_grants_too_much);
  RUN(the_largest_limits_do_not_overflow);
  RUN(a_window_counts_to_its_largest_number);
  RUN(keys_and_limits_are_apart);
  RUN(a_lowered_limit_holds_at_once);
  RUN(spent_slots_are_reused);
  RUN(a_table_fills_before_a_key_finds_no_place);
  RUN(hot_keys_stay_exact_in_a_full_table);
  RUN(overflowing_keys_get_what_was_chosen);
  RUN(what_others_counted_is_learnt);
  RUN(foreign_memory_is_refused);
  return 0;
}
