/* Which member a request gets, with health, time and load laid out beforehand. */

#include "../src/group.h"

#include <stdlib.h>
#include <string.h>

#include "../../tests/harness.h"

#define NOW UINT64_C(5000000)
#define PICKS 60000

static const uint8_t SECRET[SNT_SECRET_BYTES] = {1};

typedef struct {
  snt_group group;
  snt_endpoints *table;
} fixture;

static fixture make(snt_policy policy, const uint32_t *weights, uint32_t count) {
  size_t size = snt_endpoints_size(64, 4);
  void *memory = aligned_alloc(64, size);
  memset(memory, 0, size);
  fixture made = {.table = snt_endpoints_make(memory, 64, 4, SECRET)};
  snt_group *group = &made.group;
  group->table = made.table;
  group->cell = 1;
  group->count = count;
  group->random = 88172645463325252u;
  group->settings = (snt_group_settings){
      .policy = policy, .panic_percent = 50, .ejected_percent = 50, .rules = {{2, 5}, 10000, 300000}};
  group->members = calloc(count, sizeof *group->members);
  group->usable = calloc(count, sizeof *group->usable);
  uint64_t keys[64];
  for (uint32_t index = 0; index < count; index++) {
    keys[index] = 100 + index;
    group->members[index].weight = weights == NULL ? 1 : weights[index];
    group->members[index].row = snt_acquire(made.table, keys[index], 1, 0);
  }
  if (policy == SNT_HASH) {
    uint32_t plain[64], scratch[3 * 64];
    for (uint32_t index = 0; index < count; index++) plain[index] = group->members[index].weight;
    group->slots = malloc(SNT_MAGLEV_SLOTS * sizeof *group->slots);
    snt_maglev(group->slots, keys, plain, count, scratch);
  }
  snt_group_begin(group);
  return made;
}

static void drop(fixture *made) {
  free(made->group.members);
  free(made->group.usable);
  free(made->group.slots);
  free(made->table);
}

static snt_row *row(fixture *made, uint32_t index) { return &made->table->row[made->group.members[index].row]; }

static snt_cell *cell(fixture *made, uint32_t index) {
  return snt_cell_of(made->table, made->group.members[index].row, made->group.cell);
}

/* How often each is picked; requests end at once, or never. */
static void count(fixture *made, uint32_t *picks, uint64_t now, bool ends) {
  memset(picks, 0, made->group.count * sizeof *picks);
  for (uint64_t request = 0; request < PICKS; request++) {
    uint32_t index = snt_pick(&made->group, request, NULL, 0, now);
    CHECK(index < made->group.count);
    picks[index]++;
    snt_group_begins(&made->group, index);
    if (ends) snt_end(cell(made, index));
  }
}

static bool is_about(uint32_t picks, double share, double tolerance) {
  double expected = PICKS * share;
  return (double)picks > expected * (1 - tolerance) && (double)picks < expected * (1 + tolerance);
}

static void every_policy_follows_the_weights(void) {
  const uint32_t weights[] = {1, 2, 5};
  uint32_t picks[3];
  for (int policy = 0; policy < SNT_POLICIES; policy++) {
    for (int ends = 0; ends < 2; ends++) {
      fixture made = make((snt_policy)policy, weights, 3);
      count(&made, picks, NOW, ends == 1);
      for (int index = 0; index < 3; index++) CHECK(is_about(picks[index], weights[index] / 8.0, 0.05));
      drop(&made);
    }
  }
}

static void equal_members_get_equal_shares(void) {
  uint32_t picks[3];
  for (int policy = 0; policy < SNT_POLICIES; policy++) {
    fixture made = make((snt_policy)policy, NULL, 3);
    count(&made, picks, NOW, true);
    double tolerance = policy == SNT_LEAST_REQUESTS || policy == SNT_ROUND_ROBIN ? 0.002 : 0.03;
    for (int index = 0; index < 3; index++) CHECK(is_about(picks[index], 1 / 3.0, tolerance));
    drop(&made);
  }
}

static void round_robin_takes_turns(void) {
  fixture made = make(SNT_ROUND_ROBIN, NULL, 3);
  for (uint32_t request = 0; request < 12; request++) CHECK(snt_pick(&made.group, 0, NULL, 0, NOW) == request % 3);
  drop(&made);
  const uint32_t weights[] = {5, 1, 1}, expected[] = {0, 0, 1, 0, 2, 0, 0};
  made = make(SNT_ROUND_ROBIN, weights, 3);
  for (uint32_t request = 0; request < 14; request++) {
    CHECK(snt_pick(&made.group, 0, NULL, 0, NOW) == expected[request % 7]);
  }
  drop(&made);
}

static void the_less_busy_is_preferred_whoever_made_it_busy(void) {
  fixture made = make(SNT_LEAST_REQUESTS, NULL, 2);
  atomic_store(&snt_cell_of(made.table, made.group.members[0].row, 3)->active, 1);
  for (int request = 0; request < 1000; request++) CHECK(snt_pick(&made.group, 0, NULL, 0, NOW) == 1);
  drop(&made);
  const uint32_t weights[] = {1, 3};
  made = make(SNT_LEAST_REQUESTS, weights, 2);
  atomic_store(&snt_cell_of(made.table, made.group.members[0].row, 0)->active, 1);
  atomic_store(&snt_cell_of(made.table, made.group.members[1].row, 0)->active, 2);
  for (int request = 0; request < 1000; request++) CHECK(snt_pick(&made.group, 0, NULL, 0, NOW) == 1);
  drop(&made);
}

static void who_may_not_be_used_is_not(void) {
  uint32_t picks[4];
  for (int policy = 0; policy < SNT_POLICIES; policy++) {
    fixture made = make((snt_policy)policy, NULL, 4);
    snt_flag(row(&made, 0), SNT_DOWN, 0, NOW);
    snt_eject(row(&made, 2), &made.group.settings.rules, NOW, 0);
    count(&made, picks, NOW, true);
    CHECK(picks[0] == 0 && picks[2] == 0 && picks[1] > PICKS / 4 && picks[3] > PICKS / 4);
    CHECK(!snt_may_use(&made.group, 0, NOW) && snt_may_use(&made.group, 1, NOW));
    count(&made, picks, NOW + 10000, true);
    CHECK(picks[0] == 0 && picks[2] > PICKS / 5);
    snt_flag(row(&made, 1), SNT_DRAINING, 0, NOW);
    for (uint64_t request = 0; request < 1000; request++) {
      uint32_t tried[] = {3, 2};
      CHECK(snt_pick(&made.group, request, tried, 1, NOW + 10000) == 2);
      CHECK(snt_pick(&made.group, request, tried, 2, NOW + 10000) == SNT_NO_MEMBER);
    }
    drop(&made);
  }
}

static void a_hash_keeps_its_clients(void) {
  fixture made = make(SNT_HASH, NULL, 5);
  uint32_t before[1000];
  for (uint64_t client = 0; client < 1000; client++) before[client] = snt_pick(&made.group, client, NULL, 0, NOW);
  snt_flag(row(&made, 3), SNT_DOWN, 0, NOW);
  uint32_t moved[5] = {0};
  for (uint64_t client = 0; client < 1000; client++) {
    uint32_t after = snt_pick(&made.group, client, NULL, 0, NOW);
    CHECK(before[client] == 3 ? after != 3 : after == before[client]);
    CHECK(after == snt_pick(&made.group, client, NULL, 0, NOW));
    if (before[client] == 3) moved[after]++;
  }
  /* Those of the lost one are spread over all others. */
  CHECK(moved[0] > 15 && moved[1] > 15 && moved[2] > 15 && moved[4] > 15);
  snt_flag(row(&made, 3), 0, SNT_DOWN, NOW);
  for (uint64_t client = 0; client < 1000; client++) {
    CHECK(before[client] == snt_pick(&made.group, client, NULL, 0, NOW));
  }
  drop(&made);
}

static void few_that_are_left_do_not_carry_all(void) {
  uint32_t picks[3];
  fixture made = make(SNT_LEAST_REQUESTS, NULL, 3);
  snt_flag(row(&made, 0), SNT_DOWN, 0, NOW);
  snt_flag(row(&made, 1), SNT_DOWN, 0, NOW);
  count(&made, picks, NOW, true);
  for (int index = 0; index < 3; index++) CHECK(picks[index] > PICKS / 6);
  made.group.settings.panic_percent = 0;
  count(&made, picks, NOW, true);
  CHECK(picks[2] == PICKS);
  /* All are down: nothing is asked. */
  made.group.settings.panic_percent = 50;
  snt_flag(row(&made, 2), SNT_DOWN, 0, NOW);
  CHECK(snt_pick(&made.group, 0, NULL, 0, NOW) == SNT_NO_MEMBER);
  snt_flag(row(&made, 0), 0, SNT_DOWN, NOW);
  CHECK(snt_pick(&made.group, 0, NULL, 0, NOW) != SNT_NO_MEMBER);
  /* One that is draining is none of them. */
  for (uint32_t index = 0; index < 3; index++) snt_flag(row(&made, index), SNT_DRAINING, 0, NOW);
  CHECK(snt_pick(&made.group, 0, NULL, 0, NOW) == SNT_NO_MEMBER);
  drop(&made);
}

static void who_comes_back_is_warmed(void) {
  const int policies[] = {SNT_LEAST_REQUESTS, SNT_ROUND_ROBIN, SNT_RANDOM};
  uint32_t picks[3];
  for (int each = 0; each < 3; each++) {
    fixture made = make((snt_policy)policies[each], NULL, 3);
    made.group.settings.slow_start_ms = 10000;
    count(&made, picks, NOW, true);
    CHECK(is_about(picks[0], 1 / 3.0, 0.03));
    snt_flag(row(&made, 0), SNT_DOWN, 0, NOW);
    snt_flag(row(&made, 0), 0, SNT_DOWN, NOW);
    uint32_t last = 0;
    for (uint64_t time = 0; time <= 10000; time += 2500) {
      count(&made, picks, NOW + time, true);
      CHECK(picks[0] > last);
      CHECK(time > 0 || picks[0] < PICKS / 12);
      last = picks[0];
    }
    CHECK(is_about(last, 1 / 3.0, 0.03));
    /* A cold one is better than none. */
    snt_flag(row(&made, 1), SNT_DOWN, 0, NOW);
    snt_flag(row(&made, 2), SNT_DOWN, 0, NOW);
    made.group.settings.panic_percent = 0;
    for (int request = 0; request < 100; request++) CHECK(snt_pick(&made.group, 0, NULL, 0, NOW) == 0);
    drop(&made);
  }
}

/* The clock begins when the machine does: a moment later, all would seem to have just come. */
static void who_was_there_from_the_start_is_warm(void) {
  uint32_t picks[3];
  fixture made = make(SNT_RANDOM, NULL, 3);
  made.group.settings.slow_start_ms = 10000;
  snt_flag(row(&made, 0), SNT_DOWN, 0, 5000);
  snt_flag(row(&made, 0), 0, SNT_DOWN, 5000);
  count(&made, picks, 5000, true);
  CHECK(picks[0] < PICKS / 12);
  drop(&made);
}

static void the_last_is_never_ejected(void) {
  const struct {
    uint32_t count, percent, most;
  } rows[] = {{1, 100, 0}, {2, 10, 1}, {2, 100, 1}, {3, 50, 1}, {4, 50, 2}, {4, 100, 3}, {10, 30, 3}};
  for (size_t index = 0; index < sizeof rows / sizeof *rows; index++) {
    fixture made = make(SNT_LEAST_REQUESTS, NULL, rows[index].count);
    made.group.settings.ejected_percent = rows[index].percent;
    uint32_t ejected = 0;
    for (uint32_t member = 0; member < rows[index].count; member++) {
      for (int failure = 0; failure < 2; failure++) {
        ejected += snt_group_failed(&made.group, member, SNT_GATEWAY_FAILURE, 1, true, NOW) > 0;
      }
    }
    CHECK(ejected == rows[index].most);
    CHECK(atomic_load(&snt_cell_of(made.table, made.group.members[0].row, 1)->failures) == 2);
    drop(&made);
  }
}

static void an_end_without_a_beginning_counts_nothing(void) {
  fixture made = make(SNT_LEAST_REQUESTS, NULL, 2);
  snt_group_begins(&made.group, 0);
  snt_clear_cell(made.table, 1);
  snt_end(cell(&made, 0));
  CHECK(snt_active(made.table, made.group.members[0].row) == 0);
  drop(&made);
}

static void one_that_is_ejected_is_better_than_none(void) {
  fixture made = make(SNT_LEAST_REQUESTS, NULL, 3);
  snt_eject(row(&made, 1), &made.group.settings.rules, NOW, 0);
  uint32_t tried[] = {0, 2, 1};
  for (uint64_t request = 0; request < 100; request++) {
    CHECK(snt_pick(&made.group, request, tried, 1, NOW) == 2);
    CHECK(snt_pick(&made.group, request, tried, 2, NOW) == 1);
    CHECK(snt_pick(&made.group, request, tried, 3, NOW) == SNT_NO_MEMBER);
  }
  snt_flag(row(&made, 1), SNT_DOWN, 0, NOW);
  CHECK(snt_pick(&made.group, 0, tried, 2, NOW) == SNT_NO_MEMBER);
  drop(&made);
}

int main(void) {
  RUN(every_policy_follows_the_weights);
  RUN(equal_members_get_equal_shares);
  RUN(round_robin_takes_turns);
  RUN(the_less_busy_is_preferred_whoever_made_it_busy);
  RUN(who_may_not_be_used_is_not);
  RUN(a_hash_keeps_its_clients);
  RUN(few_that_are_left_do_not_carry_all);
  RUN(who_comes_back_is_warmed);
  RUN(who_was_there_from_the_start_is_warm);
  RUN(the_last_is_never_ejected);
  RUN(one_that_is_ejected_is_better_than_none);
  RUN(an_end_without_a_beginning_counts_nothing);
  return 0;
}
