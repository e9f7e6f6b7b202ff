/* Every schedule of a few callers, with up to PREEMPTIONS forced switches, and every instruction at which one can be killed.
 *
 * limiter.c is compiled into this program with its three kinds of access to shared memory replaced: each first hands over to
 * a scheduler, which runs the callers as coroutines of one thread and decides at each access who goes on. A schedule is a list
 * of such decisions; the search takes them all, deepest first. (Bounding the preemptions instead of the steps: Musuvathi and
 * Qadeer, PLDI 2007. Races that need more than two are rare.)
 */

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>

#include "../../tests/harness.h"

static void reach(void);

static uint64_t add(_Atomic uint64_t *address, uint64_t amount) {
  reach();
  uint64_t before = *address;
  *address = before + amount;
  return before;
}

#undef atomic_load_explicit
#undef atomic_fetch_add_explicit
#define atomic_load_explicit(address, order) (reach(), *(address))
#define atomic_fetch_add_explicit(address, amount, order) add(address, amount)
#define __sync_bool_compare_and_swap(address, old, new) \
  (reach(), *(address) == (old) ? (*(address) = (new), true) : false)
#define SNT_SET_SLOTS 2 /* a key has four places: enough for every rule, and few steps */

#include "../src/limiter.c"
#include "../src/siphash.c"

#define MS UINT64_C(1000000)
#define CALLERS_MAX 3
#define STACK 65536
#define STEPS_MAX 4000

typedef struct {
  uint64_t key, now;
  uint32_t requests;
} request;

typedef struct {
  int callers, preemptions;
  bool kills; /* caller 0 dies at each of its steps in turn */
  request of[CALLERS_MAX];
  void (*prepare)(snt_table *table);
  void (*judge)(snt_table *table, const int64_t *verdicts, const bool *done);
} scenario;

static const uint64_t SECRET[2] = {5, 6};
static const scenario *current;
static snt_table *table;
static ucontext_t scheduler, callers[CALLERS_MAX];
static char stacks[CALLERS_MAX][STACK];
static int64_t verdicts[CALLERS_MAX];
static bool done[CALLERS_MAX], scheduled;
static int running, steps[CALLERS_MAX];

static void reach(void) {
  if (!scheduled) return;
  steps[running]++;
  swapcontext(&callers[running], &scheduler);
}

static snt_limit limit_of(uint32_t requests) {
  return (snt_limit){.id = 1, .requests = requests, .window_ms = 1000, .overflow = SNT_OVERFLOW_CLOSED};
}

static int64_t check(const request *asked) {
  snt_limit limit = limit_of(asked->requests);
  return snt_limit_check(table, &limit, (const uint8_t *)&asked->key, sizeof asked->key, asked->now);
}

static void call(void) {
  int me = running;
  verdicts[me] = check(&current->of[me]);
  done[me] = true;
}

/* Decisions taken so far, and how many there were to choose from: the path through the tree of schedules. */
static int chosen[STEPS_MAX], choices[STEPS_MAX], depth;

static int choose(int count, int at) {
  if (at == depth) {
    chosen[depth] = 0;
    depth++;
  }
  choices[at] = count;
  return chosen[at];
}

static bool next_path(void) {
  while (depth > 0 && chosen[depth - 1] + 1 == choices[depth - 1]) depth--;
  if (depth == 0) return false;
  chosen[depth - 1]++;
  return true;
}

/* Run one schedule; `dies_at` is the step of caller 0 that it never takes, or -1. */
static void run_schedule(int dies_at) {
  memset(table, 0, snt_table_size(4));
  snt_table_make(table, 4, SECRET);
  if (current->prepare != NULL) current->prepare(table);
  for (int index = 0; index < current->callers; index++) {
    getcontext(&callers[index]);
    callers[index].uc_stack.ss_sp = stacks[index];
    callers[index].uc_stack.ss_size = STACK;
    callers[index].uc_link = &scheduler;
    makecontext(&callers[index], call, 0);
    done[index] = false;
    steps[index] = 0;
  }
  scheduled = true;
  int decisions = 0, preempted = 0;
  running = -1;
  for (int total = 0;; total++) {
    CHECK(total < STEPS_MAX); /* nobody waits, nobody goes round in circles */
    int ready[CALLERS_MAX], count = 0;
    bool goes_on = running >= 0 && !done[running] && !(running == 0 && steps[0] == dies_at);
    if (goes_on) ready[count++] = running;
    if (!goes_on || preempted < current->preemptions) {
      for (int index = 0; index < current->callers; index++) {
        bool dead = index == 0 && steps[0] == dies_at;
        if (!done[index] && !dead && !(goes_on && index == running)) ready[count++] = index;
      }
    }
    if (count == 0) break;
    int next = count == 1 ? ready[0] : ready[choose(count, decisions++)];
    if (goes_on && next != running) preempted++;
    running = next;
    swapcontext(&scheduler, &callers[next]);
  }
  scheduled = false;
  current->judge(table, verdicts, done);
}

static long explore(const scenario *which) {
  current = which;
  long schedules = 0;
  for (int dies_at = which->kills ? 0 : -1;; dies_at++) {
    bool finished = true;
    depth = 0;
    do {
      run_schedule(dies_at);
      finished = finished && done[0];
      schedules++;
    } while (next_path());
    if (finished || dies_at < 0) return schedules;
  }
}

static int allowed_of(const int64_t *given, const bool *finished) {
  int allowed = 0;
  for (int index = 0; index < current->callers; index++) allowed += finished[index] && given[index] >= 0;
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

/* The caller that died may have counted its request. The others are served, and the table goes on. */
static void the_living_go_on(snt_table *in, const int64_t *given, const bool *finished) {
  int allowed = allowed_of(given, finished);
  CHECK(finished[1] && finished[2] && allowed <= 1 && allowed >= (finished[0] ? 1 : 0));
  int used = allowed;
  request later = {7, NOW + 2002 * MS, 2};
  for (int attempt = 0; attempt < 4; attempt++) used += check(&later) >= 0;
  CHECK(used == allowed + 2 && slots_of(in, 7) == 1);
}

/* All four places of the key held windows of others: the first is free from NOW on, the others from NOW - 1 ms. */
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
  for (int index = 0; index < current->callers; index++) CHECK(finished[index] && given[index] >= 0);
  CHECK(slots_of(in, 7) <= 1 && slots_of(in, 8) <= 1);
}

static void a_new_key_counts_once(void) {
  scenario which = {3, 2, false, {{7, NOW, 1}, {7, NOW, 1}, {7, NOW, 1}}, NULL, one_is_allowed};
  printf("  %ld schedules\n", explore(&which));
}

/* Which places are free depends on the time, and callers read the clock before they are held up. */
static void a_new_key_counts_once_whatever_each_thinks_the_time_is(void) {
  scenario which = {3, 2, false, {{7, NOW, 1}, {7, NOW - MS, 1}, {7, NOW + MS, 1}}, spent_by_others, one_is_allowed};
  printf("  %ld schedules\n", explore(&which));
}

static void two_callers_under_more_preemptions(void) {
  scenario which = {2, 4, false, {{7, NOW, 1}, {7, NOW - MS, 1}}, spent_by_others, one_is_allowed};
  printf("  %ld schedules\n", explore(&which));
}

static void a_window_is_renewed_once(void) {
  scenario which = {3, 2, false, {{7, NOW, 2}, {7, NOW, 2}, {7, NOW, 2}}, spent_by_itself, two_are_allowed};
  printf("  %ld schedules\n", explore(&which));
}

static void a_spent_slot_goes_to_one_key(void) {
  scenario which = {3, 2, false, {{7, NOW, 1}, {8, NOW, 1}, {9, NOW + MS, 1}}, spent_by_itself, each_gets_its_own};
  printf("  %ld schedules\n", explore(&which));
}

static void a_caller_killed_anywhere_is_in_nobodys_way(void) {
  scenario which = {3, 1, true, {{7, NOW, 1}, {7, NOW, 1}, {7, NOW, 1}}, spent_by_others, the_living_go_on};
  printf("  %ld schedules\n", explore(&which));
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
