/* Calls that wait for an answer from outside. */
#define _POSIX_C_SOURCE 200809L

#include <string.h>
#include <time.h>

#include "../src/host.h"
#include "fake_engine.h"
#include "harness.h"

#define MEMORY 4096
#define REQUEST 128
#define AREA 64

enum { HOOK = 1 };

static snt_ticker *ticker;
static snt_counters counters;
static fake_instance *instance;
static snt_guest *guest;

/* How the hook asks, how often, and what it saw. */
static struct {
  uint32_t start, length, area;
  int times;
  bool trapped;
} asks;

static fake_outcome bump(fake_instance *of, wasmtime_val_raw_t *values) {
  uint32_t size = (uint32_t)values[3].i32;
  values[0].i32 = (int32_t)of->next;
  of->next += size;
  return RETURNS;
}

static fake_outcome asking(fake_instance *of, wasmtime_val_raw_t *values) {
  for (int i = 0; i < asks.times; i++) {
    wasmtime_val_raw_t args[3] = {
        {.i32 = (int32_t)asks.start}, {.i32 = (int32_t)asks.length}, {.i32 = (int32_t)asks.area}};
    wasm_trap_t *trap = snt_import_http_send((void *)&FAKE_ENGINE, fake_caller(of), args, 3);
    asks.trapped = trap != NULL;
    if (trap != NULL) {
      FAKE_ENGINE.wasm_trap_delete(trap);
      return TRAPS;
    }
  }
  values[0].i32 = 16; /* an empty answer */
  return RETURNS;
}

static void begin(bool granted, int times) {
  static const int linker = 0;
  static const snt_limits limits = {.memory = MEMORY, .result = 1024, .lines = 2, .deadline = UINT64_MAX,
                                    .start_deadline = UINT64_MAX, .retire_calls = UINT64_MAX, .high_water = MEMORY,
                                    .high_calls = 1};
  asks.start = REQUEST, asks.length = 5, asks.area = AREA, asks.times = times, asks.trapped = false;
  instance = fake_instance_new(MEMORY);
  instance->has_fibers = true;
  instance->next = 1024;
  memcpy(instance->memory + REQUEST, "hello", 5);
  fake_export_function(instance, "cabi_realloc", bump);
  fake_export_function(instance, "hook", asking);
  snt_plan *plan = snt_plan_new(&FAKE_ENGINE, ticker, (uintptr_t)instance, (uintptr_t)instance, (uintptr_t)&FAKE_LOOP,
                                &counters, &limits, "guest");
  CHECK(plan != NULL && snt_plan_hook(plan, HOOK, 1, false, SNT_RETURNS_LIST, "hook", NULL));
  if (granted) snt_plan_http(plan, (uintptr_t)&linker, 2, 100);
  guest = snt_guest_new(plan);
  CHECK(guest != NULL);
  snt_plan_free(plan);
  CHECK(snt_guest_start(guest, NULL, 0) == 0);
}

static void end(void) {
  snt_guest_free(guest);
  fake_instance_free(instance);
}

static int64_t call(void) { return snt_call(guest, HOOK, NULL, 0, NULL, 0, false, ""); }

static uint32_t word(uint32_t at) {
  uint32_t value;
  memcpy(&value, instance->memory + at, sizeof value);
  return value;
}

static bool failed_with(uint8_t error) { return instance->memory[AREA] == 1 && instance->memory[AREA + 4] == error; }

static bool deliver(int32_t error, const char *answer) {
  return snt_guest_deliver(guest, error, (const uint8_t *)answer, strlen(answer));
}

static void an_answer_goes_into_the_guest(void) {
  begin(true, 1);
  CHECK(call() == SNT_WAITING);
  CHECK(snt_guest_wanted_length(guest) == 5 && memcmp(snt_guest_wanted(guest), "hello", 5) == 0);
  memset(instance->memory + REQUEST, 0, 5); /* the guest may do as it likes with its own */
  CHECK(memcmp(snt_guest_wanted(guest), "hello", 5) == 0);
  CHECK(deliver(-1, "world!") && !deliver(-1, "twice"));
  CHECK(snt_resume(guest) == 0);
  CHECK(instance->memory[AREA] == 0 && word(AREA + 8) == 6 && memcmp(instance->memory + word(AREA + 4), "world!", 6) == 0);
  CHECK(instance->epoch_deadline == SNT_MORE_TICKS && !deliver(-1, "late"));
  end();
}

static void one_that_is_resumed_too_early_waits_on(void) {
  begin(true, 1);
  CHECK(call() == SNT_WAITING && snt_resume(guest) == SNT_WAITING && snt_resume(guest) == SNT_WAITING);
  CHECK(deliver(-1, "") && snt_resume(guest) == 0);
  CHECK(instance->memory[AREA] == 0 && word(AREA + 4) == instance->next && word(AREA + 8) == 0);
  end();
}

static void errors_are_told(void) {
  begin(true, 1);
  for (int32_t error = 0; error < 6; error++) {
    CHECK(call() == SNT_WAITING && deliver(error, "not looked at") && snt_resume(guest) == 0);
    CHECK(failed_with((uint8_t)error));
  }
  end();
}

static void there_are_so_many_calls_in_a_hook(void) {
  begin(true, 3);
  for (int round = 0; round < 2; round++) {
    CHECK(call() == SNT_WAITING && deliver(-1, "a") && snt_resume(guest) == SNT_WAITING);
    CHECK(deliver(-1, "b") && snt_resume(guest) == 0);
    CHECK(failed_with(2));
  }
  end();
}

static void what_is_not_granted_or_too_large_is_not_sent(void) {
  begin(false, 1);
  CHECK(call() == 0 && failed_with(0));
  end();
  begin(true, 1);
  asks.length = 101;
  CHECK(call() == 0 && failed_with(5));
  asks.length = 0;
  CHECK(call() == SNT_WAITING && snt_guest_wanted_length(guest) == 0);
  end();
}

static void wrong_arguments_trap(void) {
  begin(true, 1);
  asks.start = MEMORY - 4;
  CHECK(call() == SNT_TRAP_IN_HOOK && asks.trapped);
  end();
  begin(true, 1);
  asks.area = MEMORY - 8; /* found out when the answer is there */
  CHECK(call() == SNT_WAITING && deliver(-1, "a") && snt_resume(guest) == SNT_TRAP_IN_HOOK && asks.trapped);
  end();
}

static void a_dropped_call_leaves_nothing_behind(void) {
  begin(true, 1);
  CHECK(call() == SNT_WAITING);
  end();
  CHECK(asks.trapped);
  begin(true, 1);
  CHECK(call() == SNT_WAITING && deliver(-1, "an answer that nobody reads"));
  end();
}

static void waiting_costs_no_running_time(void) {
  begin(true, 1);
  CHECK(call() == SNT_WAITING && guest->ticked && guest->used_ns <= SNT_FIRST_TICKS * SNT_TICK_NS);
  uint64_t used = guest->used_ns;
  struct timespec pause = {.tv_nsec = 20000000};
  nanosleep(&pause, NULL);
  CHECK(deliver(-1, "a") && snt_resume(guest) == 0 && guest->used_ns - used < 15000000);
  end();
}

int main(void) {
  int wasm_engine = 0;
  ticker = snt_ticker_new(&FAKE_ENGINE, (uintptr_t)&wasm_engine);
  CHECK(ticker != NULL);
  RUN(an_answer_goes_into_the_guest);
  RUN(one_that_is_resumed_too_early_waits_on);
  RUN(errors_are_told);
  RUN(there_are_so_many_calls_in_a_hook);
  RUN(what_is_not_granted_or_too_large_is_not_sent);
  RUN(wrong_arguments_trap);
  RUN(a_dropped_call_leaves_nothing_behind);
  RUN(waiting_costs_no_running_time);
  snt_ticker_free(ticker);
  return 0;
}
