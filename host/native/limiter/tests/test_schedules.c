/* Every schedule of a few callers that check, and every instruction at which one can be killed: see
 * schedules.h. */

#include <string.h>

#include "../../tests/schedules.h"

#define SNT_SET_SLOTS 2 /* a key has four places: enough for every rule, and few steps */

#include "../src/limiter.c"
#include "../src/siphash.c"

#define MS UINT64_C(1000000)

typedef struct {
  uint64_t key, now;
  uint32_t requests;
} request;

typedef struct {
  request of[CALLERS_MAX];
  void (*prepare)(snt_table *table);
  void (*judge)(snt_table *table, const int64_t *verdicts, const bool *done);
} scenario;

static const uint64_t SECRET[2] = {5, 6};
static const scenario *current;
static snt_table *table;
static int64_t verdicts[CALLERS_MAX];

static snt_limit limit_of(uint32_t requests) {
  return (snt_limit){.id = 1, .requests = requests, .window_ms = 1000, .overflow = SNT_OVERFLOW_CLOSED};
}

static int64_t check(const request *asked) {
  snt_limit limit = limit_of(asked->requests);
  return snt_limit_check(table, &limit, (const uint8_t *)&asked->key, sizeof asked->key, asked->now);
}

static void prepare_table(void) {
  memset(table, 0, snt_table_size(4));
  snt_table_make(table, 4, SECRET);
  if (current->prepare != NULL) current->prepare(table);
}

static void check_once(int caller) { verdicts[caller] = check(&current->of[caller]); }

static void judge_table(const bool *finished) { current->judge(table, verdicts, finished); }

static void explore_checks(int count, int preemptions, bool kills, const scenario *which) {
  current = which;
  explore(&(schedule){count, preemptions, kills, prepare_table, check_once, judge_table});
}

static int allowed_of(const int64_t *given, const bool *finished) {
  int allowed = 0;
  for (int index = 0; index < explored->callers; index++) allowed += finished[index] && given[index] >= 0;
  return allowed;
}

/* Slots that count the key of caller 0, whatever their end. */
static int slots_of(snt_table *in, uint64_t key) {
  snt_limit limit = limit_of(1);
  place where = place_of(in, &limit, (const uint8_t *)&key, sizeof key);
  int slots = 0;
  for (int index = 0; index < PLACES; index++) slots += tag_of(slot_at(&where, index)) == where.tag;
  return slots;
}

#define NOW (5000 * MS)

static void one_is_allowed(snt_table *in, const int64_t *given, const bool *finished) {
  CHECK(allowed_of(given, finished) == 1 && slots_of(in, 7) == 1);
}

static void two_are_allowed(snt_table *in, const int64_t *given, const bool *finished) {
  CHECK(allowed_of(given, finished) == 2 && slots_of(in, 7) == 1);
}

/* The caller that died may have counted its request. The others are served, and the table goes
 * on. */
static void the_living_go_on(snt_table *in, const int64_t *given, const bool *finished) {
  int allowed = allowed_of(given, finished);
  CHECK(finished[1] && finished[2] && allowed <= 1 && allowed >= (finished[0] ? 1 : 0));
  int used = allowed;
  request later = {7, NOW + 2002 * MS, 2};
  for (int attempt = 0; attempt < 4; attempt++) used += check(&later) >= 0;
  CHECK(used == allowed + 2 && slots_of(in, 7) == 1);
}

/* All four places of the key held windows of others: the first is free from NOW on, the others from
 * NOW - 1 ms. */
static void spent_by_others(snt_table *in) {
  snt_limit limit = limit_of(1);
  uint64_t key = 7;
  place where = place_of(in, &limit, (const uint8_t *)&key, sizeof key);
  for (int index = 0; index < PLACES; index++) {
    uint64_t end = NOW / MS - (index == 0 ? 1 : 2);
    swap(slot_at(&where, index), 0, 0, 2 * (uint64_t)index + 100, end << COUNT_BITS | 1);
  }
}

static void spent_by_itself(snt_table *in) {
  (void)in;
  check(&(request){7, NOW - 1001 * MS, 1});
  check(&(request){100, NOW - 1001 * MS, 1});
}

static void each_gets_its_own(snt_table *in, const int64_t *given, const bool *finished) {
  for (int index = 0; index < explored->callers; index++) CHECK(finished[index] && given[index] >= 0);
  CHECK(slots_of(in, 7) <= 1 && slots_of(in, 8) <= 1);
}

static void a_new_key_counts_once(void) {
  scenario which = {{{7, NOW, 1}, {7, NOW, 1}, {7, NOW, 1}}, NULL, one_is_allowed};
  explore_checks(3, 2, false, &which);
}

/* Which places are free depends on the time, and callers read the clock before they are held up. */
static void a_new_key_counts_once_whatever_each_thinks_the_time_is(void) {
  scenario which = {{{7, NOW, 1}, {7, NOW - MS, 1}, {7, NOW + MS, 1}}, spent_by_others, one_is_allowed};
  explore_checks(3, 2, false, &which);
}

static void two_callers_under_more_preemptions(void) {
  scenario which = {{{7, NOW, 1}, {7, NOW - MS, 1}}, spent_by_others, one_is_allowed};
  explore_checks(2, 4, false, &which);
}

static void a_window_is_renewed_once(void) {
  scenario which = {{{7, NOW, 2}, {7, NOW, 2}, {7, NOW, 2}}, spent_by_itself, two_are_allowed};
  explore_checks(3, 2, false, &which);
}

static void a_spent_slot_goes_to_one_key(void) {
  scenario which = {{{7, NOW, 1}, {8, NOW, 1}, {9, NOW + MS, 1}}, spent_by_itself, each_gets_its_own};
  explore_checks(3, 2, false, &which);
}

static void a_caller_killed_anywhere_is_in_nobodys_way(void) {
  scenario which = {{{7, NOW, 1}, {7, NOW, 1}, {7, NOW, 1}}, spent_by_others, the_living_go_on};
  explore_checks(3, 1, true, &which);
}

int main(void) {
  table = aligned_alloc(64, snt_table_size(4));
  RUN(a_new_key_counts_once);
  RUN(a_new_key_counts_once_whatever_each_thinks_the_time_is);
  RUN(two_callers_under_more_preemptions);
  RUN(a_window_is_renewed_once);
  RUN(a_spent_slot_goes_to_one_key);
  RUN(a_caller_killed_anywhere_is_in_nobodys_way);
  free(table);
  return 0;
}
