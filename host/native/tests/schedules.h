/* Every schedule of a few callers, with up to so many forced switches, and every instruction at
 * which one can be killed.
 *
 * A test includes this, and then the source that it tests: its accesses to shared memory first hand
 * over to a scheduler, which runs the callers as coroutines of one thread and decides at each
 * access who goes on. A schedule is a list of such decisions; the search takes them all, deepest
 * first. (Bounding the preemptions instead of the steps: Musuvathi and Qadeer, PLDI 2007. Races
 * that need more than two are rare.)
 */
#ifndef SNT_TESTS_SCHEDULES_H
#define SNT_TESTS_SCHEDULES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

#include "harness.h"

#define CALLERS_MAX 3
#define STACK 65536
#define STEPS_MAX 4000

typedef struct {
  int callers, preemptions;
  bool kills; /* caller 0 dies at each of its steps in turn */
  void (*prepare)(void);
  void (*call)(int caller);
  void (*judge)(const bool *done); /* which callers came to their end */
} schedule;

static const schedule *explored;
static ucontext_t scheduler, callers[CALLERS_MAX];
static char stacks[CALLERS_MAX][STACK];
static bool done[CALLERS_MAX], scheduled;
static int running, steps[CALLERS_MAX];

static void reach(void) {
  if (!scheduled) return;
  steps[running]++;
  swapcontext(&callers[running], &scheduler);
}

static inline uint64_t scheduled_add(_Atomic uint64_t *address, uint64_t amount) {
  reach();
  uint64_t before = *address;
  *address = before + amount;
  return before;
}

static inline bool scheduled_exchange(_Atomic uint64_t *address, uint64_t *expected, uint64_t desired) {
  reach();
  if (*address == *expected) {
    *address = desired;
    return true;
  }
  *expected = *address;
  return false;
}

#undef atomic_load_explicit
#undef atomic_store_explicit
#undef atomic_fetch_add_explicit
#undef atomic_fetch_sub_explicit
#undef atomic_compare_exchange_strong_explicit
#define atomic_load_explicit(address, order) (reach(), *(address))
#define atomic_store_explicit(address, value, order) (reach(), (void)(*(address) = (value)))
#define atomic_fetch_add_explicit(address, amount, order) scheduled_add(address, amount)
#define atomic_fetch_sub_explicit(address, amount, order) scheduled_add(address, -(uint64_t)(amount))
#define atomic_compare_exchange_strong_explicit(address, expected, desired, success, failure) \
  scheduled_exchange(address, expected, desired)
#define __sync_bool_compare_and_swap(address, old, new) \
  (reach(), *(address) == (old) ? (*(address) = (new), true) : false)

static void run_caller(void) {
  int me = running;
  explored->call(me);
  done[me] = true;
}

/* Decisions taken so far, and how many there were to choose from: the path through the tree of
 * schedules. */
static int chosen[STEPS_MAX], choices[STEPS_MAX], depth;

static int choose_caller(int count, int at) {
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
  explored->prepare();
  for (int index = 0; index < explored->callers; index++) {
    getcontext(&callers[index]);
    callers[index].uc_stack.ss_sp = stacks[index];
    callers[index].uc_stack.ss_size = STACK;
    callers[index].uc_link = &scheduler;
    makecontext(&callers[index], run_caller, 0);
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
    if (!goes_on || preempted < explored->preemptions) {
      for (int index = 0; index < explored->callers; index++) {
        bool dead = index == 0 && steps[0] == dies_at;
        if (!done[index] && !dead && !(goes_on && index == running)) ready[count++] = index;
      }
    }
    if (count == 0) break;
    int next = count == 1 ? ready[0] : ready[choose_caller(count, decisions++)];
    if (goes_on && next != running) preempted++;
    running = next;
    swapcontext(&scheduler, &callers[next]);
  }
  scheduled = false;
  explored->judge(done);
}

static void explore(const schedule *which) {
  explored = which;
  long schedules = 0;
  for (int dies_at = which->kills ? 0 : -1;; dies_at++) {
    bool finished = true;
    depth = 0;
    do {
      run_schedule(dies_at);
      finished = finished && done[0];
      schedules++;
    } while (next_path());
    if (finished || dies_at < 0) break;
  }
  printf("  %ld schedules\n", schedules);
}

#endif
