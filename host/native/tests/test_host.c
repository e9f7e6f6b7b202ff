#include <string.h>

#include "../src/host.h"
#include "fake_engine.h"
#include "harness.h"

#define MEMORY 4096
#define AREA 16

static snt_ticker *ticker;
static snt_counters counters;
static fake_instance *instance;
static snt_guest *guest;

static fake_outcome bump(fake_instance *of, wasmtime_val_raw_t *values) {
  uint32_t size = (uint32_t)values[3].i32;
  values[0].i32 = (int32_t)of->next;
  of->next += size;
  return RETURNS;
}

static fake_outcome growing_bump(fake_instance *of, wasmtime_val_raw_t *values) {
  uint32_t size = (uint32_t)values[3].i32;
  values[0].i32 = (int32_t)(uint32_t)of->size;
  fake_grow(of, of->size + size);
  return RETURNS;
}

static fake_outcome outside(fake_instance *of, wasmtime_val_raw_t *values) {
  values[0].i32 = (int32_t)(uint32_t)(of->size - (uint32_t)values[3].i32 + 1);
  return RETURNS;
}

static fake_outcome at_the_end(fake_instance *of, wasmtime_val_raw_t *values) {
  (void)of;
  values[0].i32 = -1;
  return RETURNS;
}

static fake_outcome traps(fake_instance *of, wasmtime_val_raw_t *values) {
  (void)of, (void)values;
  return TRAPS;
}

static fake_outcome errs(fake_instance *of, wasmtime_val_raw_t *values) {
  (void)of, (void)values;
  return ERRS;
}

static void begin(fake_function reallocates, bool starts) {
  static const snt_limits limits = {.memory = MEMORY, .result = 1024, .lines = 2, .deadline = UINT64_MAX,
                                    .start_deadline = UINT64_MAX, .retire_calls = UINT64_MAX, .high_water = MEMORY,
                                    .high_calls = 1};
  instance = fake_instance_new(MEMORY);
  if (reallocates != NULL) fake_export_function(instance, "cabi_realloc", reallocates);
  fake_export_function(instance, "hook", bump);
  snt_plan *plan = snt_plan_new(&FAKE_ENGINE, ticker, (uintptr_t)instance, (uintptr_t)instance, (uintptr_t)&FAKE_LOOP,
                                &counters, &limits, "guest");
  CHECK(plan != NULL && snt_plan_hook(plan, 1, 1, false, SNT_RETURNS_LIST, "hook", NULL));
  guest = snt_guest_new(plan);
  CHECK(guest != NULL);
  snt_plan_free(plan);
  if (starts) CHECK(snt_guest_start(guest, NULL, 0) == 0);
}

static void end(void) {
  snt_guest_free(guest);
  fake_instance_free(instance);
}

/* Whether the call ended well; what a trap said is in `said`. */
static char said[128];

static bool ends_well(wasm_trap_t *trap) {
  if (trap == NULL) return true;
  strncpy(said, fake_message(trap), sizeof said - 1);
  FAKE_ENGINE.wasm_trap_delete(trap);
  return false;
}

static bool random_bytes(uint32_t length, uint32_t area) {
  wasmtime_val_raw_t values[2] = {{.i32 = (int32_t)length}, {.i32 = (int32_t)area}};
  return ends_well(snt_random_bytes((void *)&FAKE_ENGINE, fake_caller(instance), values, 2));
}

static uint32_t word(uint32_t at) {
  uint32_t value;
  memcpy(&value, instance->memory + at, sizeof value);
  return value;
}

static void random_bytes_lie_where_the_guest_wants_them(void) {
  begin(bump, true);
  CHECK(random_bytes(32, AREA));
  CHECK(word(AREA) == 64 && word(AREA + 4) == 32);
  static const uint8_t zeros[32];
  CHECK(memcmp(instance->memory + 64, zeros, sizeof zeros) != 0);
  CHECK(random_bytes(0, AREA) && word(AREA) == 96 && word(AREA + 4) == 0);
  end();
}

static void memory_may_move_in_the_middle(void) {
  begin(growing_bump, true);
  CHECK(random_bytes(65536, AREA));
  CHECK(word(AREA) == MEMORY && word(AREA + 4) == 65536);
  end();
}

static void start_functions_may_ask_too(void) {
  begin(bump, false);
  CHECK(random_bytes(32, AREA));
  end();
  begin(NULL, false);
  CHECK(!random_bytes(32, AREA) && strcmp(said, "random.bytes: the caller exports no cabi_realloc") == 0);
  instance->exports_memory = false;
  CHECK(!random_bytes(32, AREA) && strcmp(said, "random.bytes: the caller exports no memory") == 0);
  end();
}

static void areas_outside_of_memory_trap(void) {
  begin(bump, true);
  CHECK(random_bytes(1, MEMORY - 8));
  CHECK(!random_bytes(1, MEMORY - 4));
  CHECK(!random_bytes(1, MEMORY));
  CHECK(!random_bytes(1, UINT32_MAX - 3));
  CHECK(!random_bytes(1, AREA + 1));
  CHECK(strcmp(said, "random.bytes: the return area is misaligned or lies outside of memory") == 0);
  end();
}

static void too_many_bytes_trap(void) {
  begin(bump, true);
  CHECK(!random_bytes(65537, AREA) && strcmp(said, "random.bytes: more than 65536 bytes") == 0);
  CHECK(!random_bytes(UINT32_MAX, AREA));
  end();
}

static void what_realloc_does_is_not_trusted(void) {
  static const fake_function hostile[] = {outside, at_the_end, traps, errs};
  for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
    begin(bump, true);
    instance->exports[0].function = hostile[i];
    guest->realloc_.private_ = (void *)hostile[i];
    CHECK(!random_bytes(32, AREA));
    end();
  }
}

static void a_deadline_inside_of_realloc_is_called_one(void) {
  begin(bump, true);
  guest->realloc_.private_ = (void *)errs;
  guest->timed_out = true;
  CHECK(!random_bytes(32, AREA) && strcmp(said, "deadline exceeded") == 0);
  end();
}

static int64_t value_of(wasmtime_func_unchecked_callback_t function) {
  wasmtime_val_raw_t values[1] = {{.i64 = 0}};
  CHECK(ends_well(function((void *)&FAKE_ENGINE, NULL, values, 1)));
  return values[0].i64;
}

static void clocks_run(void) {
  CHECK(value_of(snt_clock_wall) > INT64_C(1600000000000000000));
  int64_t before = value_of(snt_clock_monotonic);
  CHECK(value_of(snt_clock_monotonic) >= before);
  CHECK(value_of(snt_random_number) != value_of(snt_random_number));
}

static void imports_are_listed_by_name(void) {
  size_t count = 0;
  while (snt_import_name(count) != NULL) CHECK(snt_import_address(count++) != 0);
  CHECK(count >= 4 && snt_import_address(count) == 0 && strcmp(snt_import_name(0), "clock.wall") == 0);
}

int main(void) {
  int wasm_engine = 0;
  ticker = snt_ticker_new(&FAKE_ENGINE, (uintptr_t)&wasm_engine);
  CHECK(ticker != NULL);
  RUN(random_bytes_lie_where_the_guest_wants_them);
  RUN(memory_may_move_in_the_middle);
  RUN(start_functions_may_ask_too);
  RUN(areas_outside_of_memory_trap);
  RUN(too_many_bytes_trap);
  RUN(what_realloc_does_is_not_trusted);
  RUN(a_deadline_inside_of_realloc_is_called_one);
  RUN(clocks_run);
  RUN(imports_are_listed_by_name);
  snt_ticker_free(ticker);
  return 0;
}
