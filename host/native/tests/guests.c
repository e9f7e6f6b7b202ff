#include "guests.h"

#include <stdlib.h>

struct guest_answer answer;
snt_ticker *ticker;
snt_counters *counters;
const snt_limits LIMITS = {.memory = 1 << 20, .result = LIMIT, .lines = 3, .deadline = UINT64_MAX,
                           .start_deadline = UINT64_MAX, .retire_calls = UINT64_MAX, .high_water = SIZE_MAX,
                           .high_calls = 1};

void guests_begin(void) {
  static int wasm_engine = 0;
  ticker = snt_ticker_new(&FAKE_ENGINE, (uintptr_t)&wasm_engine);
  counters = snt_counters_new();
  CHECK(ticker != NULL && counters != NULL);
}

void guests_end(void) {
  CHECK(counters->instances == 0 && counters->memory_bytes == 0);
  snt_ticker_free(ticker);
  CHECK(fake_engines() == 0);
  free(counters);
}

fake_outcome bump(fake_instance *instance, wasmtime_val_raw_t *values) {
  uint32_t size = (uint32_t)values[3].i32;
  CHECK(values[0].i32 == 0 && values[1].i32 == 0 && values[2].i32 == 1);
  values[0].i32 = (int32_t)instance->next;
  instance->next += size;
  return RETURNS;
}

fake_outcome traps(fake_instance *instance, wasmtime_val_raw_t *values) {
  (void)instance, (void)values;
  return TRAPS;
}

fake_outcome errs(fake_instance *instance, wasmtime_val_raw_t *values) {
  (void)instance, (void)values;
  return ERRS;
}

fake_outcome echo(fake_instance *instance, wasmtime_val_raw_t *values) {
  fake_store_u32(instance, AREA, (uint32_t)values[0].i32);
  fake_store_u32(instance, AREA + 4, (uint32_t)values[1].i32);
  values[0].i32 = AREA;
  return RETURNS;
}

fake_outcome outcome(fake_instance *instance, wasmtime_val_raw_t *values) {
  if ((uint64_t)answer.area + 12 <= instance->size) {
    fake_store_u32(instance, answer.area, answer.discriminant);
    fake_store_u32(instance, answer.area + 4, answer.start);
    fake_store_u32(instance, answer.area + 8, answer.length);
  }
  values[0].i32 = (int32_t)answer.area;
  return RETURNS;
}

fake_outcome post(fake_instance *instance, wasmtime_val_raw_t *values) {
  CHECK(values[0].i32 == AREA);
  instance->next = 64;
  return RETURNS;
}

snt_plan *plan_for(fake_instance *instance, const snt_limits *limits) {
  snt_plan *plan = snt_plan_new(&FAKE_ENGINE, ticker, (uintptr_t)instance, (uintptr_t)instance, (uintptr_t)&FAKE_LOOP,
                                counters, limits, "guest");
  CHECK(plan != NULL);
  return plan;
}

snt_guest *guest_of(fake_instance *instance, snt_plan *plan) {
  snt_guest *guest = snt_guest_new(plan);
  CHECK(guest != NULL && instance->data == guest && instance->memory_limit == 1 << 20);
  snt_plan_free(plan);
  return guest;
}

pair make_with(const snt_limits *limits, fake_function realloc_, uint32_t lists, bool flag, uint32_t returns,
               fake_function hook, fake_function post_return) {
  pair made = {.instance = fake_instance_new(MEMORY)};
  fake_export_function(made.instance, "cabi_realloc", realloc_);
  fake_export_function(made.instance, "hook", hook);
  if (post_return != NULL) fake_export_function(made.instance, "post", post_return);
  snt_plan *plan = plan_for(made.instance, limits);
  CHECK(snt_plan_hook(plan, HOOK, lists, flag, returns, "hook", post_return == NULL ? NULL : "post"));
  made.guest = guest_of(made.instance, plan);
  CHECK(snt_guest_start(made.guest, NULL, 0) == 0);
  return made;
}

pair make(fake_function realloc_, uint32_t lists, bool flag, uint32_t returns, fake_function hook,
          fake_function post_return) {
  return make_with(&LIMITS, realloc_, lists, flag, returns, hook, post_return);
}

void discard(pair made) {
  snt_guest_free(made.guest);
  CHECK(made.instance->stores == 0);
  fake_instance_free(made.instance);
}

int64_t call_once(pair made, const char *first, const char *second, bool flag) {
  return snt_call(made.guest, HOOK, (const uint8_t *)first, strlen(first), (const uint8_t *)second, strlen(second), flag,
                  "");
}

bool output_is(const snt_guest *guest, const char *expected) {
  return snt_guest_length(guest) == strlen(expected) && memcmp(snt_guest_output(guest), expected, strlen(expected)) == 0;
}
