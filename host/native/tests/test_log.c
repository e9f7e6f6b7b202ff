#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "../src/guest.h"
#include "../src/log.h"
#include "fake_engine.h"
#include "harness.h"

#define CAPACITY 32768
#define MEMORY 65536

static uint8_t drained[CAPACITY];

static snt_text text(const char *bytes) { return (snt_text){(const uint8_t *)bytes, strlen(bytes)}; }

/* What was drained at `*at`, which goes on to the next line. */
static bool is_line(size_t *at, uint32_t level, const char *guest, const char *label, const char *message) {
  snt_log_line line;
  memcpy(&line, drained + *at, sizeof line);
  const uint8_t *texts = drained + *at + sizeof line;
  *at += sizeof line + line.guest + line.label + line.message;
  return line.level == level && line.guest == strlen(guest) && line.label == strlen(label) &&
         line.message == strlen(message) && memcmp(texts, guest, line.guest) == 0 &&
         memcmp(texts + line.guest, label, line.label) == 0 &&
         memcmp(texts + line.guest + line.label, message, line.message) == 0;
}

static bool writes(snt_log *log, fake_instance *instance, uint32_t level, uint32_t start, uint32_t length) {
  wasmtime_val_raw_t args[3] = {{.i32 = (int32_t)level}, {.i32 = (int32_t)start}, {.i32 = (int32_t)length}};
  wasm_trap_t *trap = snt_log_write(log, fake_caller(instance), args, 3);
  if (trap != NULL) {
    CHECK(strncmp(fake_message(trap), "log.write: ", 11) == 0);
    FAKE_ENGINE.wasm_trap_delete(trap);
  }
  return trap == NULL;
}

static void lines_come_out_in_order(void) {
  snt_log *log = snt_log_new(&FAKE_ENGINE, CAPACITY);
  uint64_t dropped = 9;
  CHECK(snt_log_drain(log, drained, &dropped) == 0 && dropped == 0);
  CHECK(snt_log_put(log, 3, text("first"), text("r1"), text("one")));
  CHECK(snt_log_put(log, 0, text("second"), (snt_text){NULL, 0}, (snt_text){NULL, 0}));
  CHECK(snt_log_drain(log, drained, &dropped) == 2 * sizeof(snt_log_line) + 5 + 2 + 3 + 6 && dropped == 0);
  size_t at = 0;
  CHECK(is_line(&at, 3, "first", "r1", "one") && is_line(&at, 0, "second", "", ""));
  CHECK(snt_log_drain(log, drained, &dropped) == 0);
  snt_log_free(log);
}

static void what_does_not_fit_is_counted(void) {
  const size_t capacity = 2 * (sizeof(snt_log_line) + 2 + 1 + 3);
  const snt_text guest = text("gu"), label = text("l"), longer = text("la");
  snt_log *log = snt_log_new(&FAKE_ENGINE, capacity);
  uint64_t dropped = 0;
  for (int i = 0; i < 5; i++) CHECK(snt_log_put(log, 2, guest, label, text("abc")) == (i < 2));
  CHECK(snt_log_drain(log, drained, &dropped) == capacity && dropped == 3);
  CHECK(snt_log_put(log, 2, guest, label, text("abc")));
  CHECK(!snt_log_put(log, 2, guest, label, text("abcd")));
  CHECK(!snt_log_put(log, 2, guest, longer, text("abc")));
  CHECK(snt_log_put(log, 2, guest, label, text("abc")));
  CHECK(snt_log_drain(log, drained, &dropped) == capacity && dropped == 2);
  snt_log_free(log);
}

static void long_texts_are_cut(void) {
  snt_log *log = snt_log_new(&FAKE_ENGINE, CAPACITY);
  fake_instance *instance = fake_instance_new(MEMORY);
  uint64_t dropped = 0;
  CHECK(writes(log, instance, 2, 0, MEMORY));
  CHECK(snt_log_drain(log, drained, &dropped) == sizeof(snt_log_line) + SNT_LOG_MESSAGE_MAX);
  char longer[SNT_LOG_NAME_MAX + 2] = "";
  memset(longer, 'x', sizeof longer - 1);
  CHECK(snt_log_put(log, 1, text(longer), text(longer), text("m")));
  CHECK(snt_log_drain(log, drained, &dropped) == sizeof(snt_log_line) + 2 * SNT_LOG_NAME_MAX + 1);
  longer[SNT_LOG_NAME_MAX] = 0;
  size_t at = 0;
  CHECK(is_line(&at, 1, longer, longer, "m"));
  fake_instance_free(instance);
  snt_log_free(log);
}

static void messages_outside_of_memory_trap(void) {
  snt_log *log = snt_log_new(&FAKE_ENGINE, CAPACITY);
  fake_instance *instance = fake_instance_new(MEMORY);
  uint64_t dropped = 0;
  CHECK(writes(log, instance, 0, MEMORY - 4, 4));
  CHECK(writes(log, instance, 0, MEMORY, 0));
  CHECK(!writes(log, instance, 0, MEMORY - 4, 5));
  CHECK(!writes(log, instance, 0, MEMORY + 1, 0));
  CHECK(!writes(log, instance, 0, UINT32_MAX, 1));
  CHECK(!writes(log, instance, 0, 1, UINT32_MAX));
  CHECK(!writes(log, instance, 0, UINT32_MAX, UINT32_MAX));
  CHECK(snt_log_drain(log, drained, &dropped) == 2 * sizeof(snt_log_line) + 4);
  fake_instance_free(instance);
  snt_log_free(log);
}

static void unknown_levels_trap(void) {
  snt_log *log = snt_log_new(&FAKE_ENGINE, CAPACITY);
  fake_instance *instance = fake_instance_new(MEMORY);
  CHECK(writes(log, instance, 4, 0, 1));
  CHECK(!writes(log, instance, 5, 0, 1));
  CHECK(!writes(log, instance, UINT32_MAX, 0, 1));
  fake_instance_free(instance);
  snt_log_free(log);
}

static snt_ticker *ticker;
static snt_counters counters;

static snt_guest *guest_in(fake_instance *instance) {
  static const snt_limits limits = {.memory = MEMORY, .result = 1024, .lines = 2, .deadline = UINT64_MAX,
                                    .start_deadline = UINT64_MAX, .retire_calls = UINT64_MAX, .high_water = MEMORY,
                                    .high_calls = 1};
  snt_plan *plan = snt_plan_new(&FAKE_ENGINE, ticker, (uintptr_t)instance, (uintptr_t)instance, (uintptr_t)&FAKE_LOOP,
                                &counters, &limits, "guest");
  CHECK(plan != NULL && snt_plan_hook(plan, 1, 1, false, SNT_RETURNS_LIST, "hook", NULL));
  snt_guest *guest = snt_guest_new(plan);
  CHECK(guest != NULL);
  snt_plan_free(plan);
  return guest;
}

static void a_start_function_can_log(void) {
  snt_log *log = snt_log_new(&FAKE_ENGINE, CAPACITY);
  fake_instance *instance = fake_instance_new(MEMORY);
  uint64_t dropped = 0;
  snt_guest *guest = guest_in(instance);
  memcpy(instance->memory, "x", 1);
  CHECK(writes(log, instance, 1, 0, 1)); /* not bound yet: the memory is the caller's export */
  CHECK(snt_log_drain(log, drained, &dropped) == sizeof(snt_log_line) + 5 + 1);
  size_t at = 0;
  CHECK(is_line(&at, 1, "guest", "", "x"));
  instance->exports_memory = false;
  CHECK(!writes(log, instance, 1, 0, 1));
  snt_guest_free(guest);
  fake_instance_free(instance);
  snt_log_free(log);
}

static void lines_below_the_plans_level_are_not_kept(void) {
  snt_log *log = snt_log_new(&FAKE_ENGINE, CAPACITY);
  fake_instance *instance = fake_instance_new(MEMORY);
  uint64_t dropped = 0;
  snt_guest *guest = guest_in(instance);
  guest->plan->limits.level = 3;
  memcpy(instance->memory, "x", 1);
  CHECK(writes(log, instance, 2, 0, 1) && writes(log, instance, 3, 0, 1));
  CHECK(snt_log_drain(log, drained, &dropped) == sizeof(snt_log_line) + 5 + 1 && dropped == 0);
  snt_guest_free(guest);
  fake_instance_free(instance);
  snt_log_free(log);
}

static void a_plan_can_have_a_log_of_its_own(void) {
  snt_log *log = snt_log_new(&FAKE_ENGINE, CAPACITY), *own = snt_log_new(&FAKE_ENGINE, CAPACITY);
  fake_instance *instance = fake_instance_new(MEMORY);
  uint64_t dropped = 0;
  snt_guest *guest = guest_in(instance);
  snt_plan_log(guest->plan, own);
  memcpy(instance->memory, "x", 1);
  CHECK(writes(log, instance, 1, 0, 1));
  CHECK(snt_log_drain(log, drained, &dropped) == 0);
  CHECK(snt_log_drain(own, drained, &dropped) == sizeof(snt_log_line) + 5 + 1);
  snt_guest_free(guest);
  fake_instance_free(instance);
  snt_log_free(own);
  snt_log_free(log);
}

static int64_t call(snt_guest *guest, const char *label) {
  return snt_call(guest, 1, NULL, 0, NULL, 0, false, label);
}

static snt_log *current;

/* Called for empty lists, too. */
static fake_outcome quiet_realloc(fake_instance *instance, wasmtime_val_raw_t *values) {
  (void)instance;
  values[0].i32 = 8;
  return RETURNS;
}

static fake_outcome logging_hook(fake_instance *instance, wasmtime_val_raw_t *values) {
  (void)values;
  CHECK(writes(current, instance, 2, 0, 3));
  values[0].i32 = 16;
  return RETURNS;
}

static void lines_carry_the_label_of_their_call(void) {
  current = snt_log_new(&FAKE_ENGINE, CAPACITY);
  fake_instance *instance = fake_instance_new(MEMORY);
  instance->start = logging_hook;
  memcpy(instance->memory, "abc", 3);
  fake_export_function(instance, "cabi_realloc", quiet_realloc);
  fake_export_function(instance, "hook", logging_hook);
  snt_guest *guest = guest_in(instance);
  CHECK(snt_guest_start(guest, NULL, 0) == 0);
  instance->exports_memory = false; /* bound: the export is not looked up any more */
  CHECK(call(guest, "r1") == 0 && call(guest, "r2") == 0 && call(guest, "") == 0);
  uint64_t dropped = 0;
  CHECK(snt_log_drain(current, drained, &dropped) == 4 * (sizeof(snt_log_line) + 5 + 3) + 4);
  size_t at = 0;
  CHECK(is_line(&at, 2, "guest", "", "abc") && is_line(&at, 2, "guest", "r1", "abc"));
  CHECK(is_line(&at, 2, "guest", "r2", "abc") && is_line(&at, 2, "guest", "", "abc"));
  snt_guest_free(guest);
  fake_instance_free(instance);
  snt_log_free(current);
}

static fake_outcome slow_hook(fake_instance *instance, wasmtime_val_raw_t *values) {
  logging_hook(instance, values);
  if (!fake_tick(instance)) return ERRS;
  return logging_hook(instance, values);
}

static void a_call_keeps_its_label_while_it_is_suspended(void) {
  current = snt_log_new(&FAKE_ENGINE, CAPACITY);
  fake_instance *slow = fake_instance_new(MEMORY), *other = fake_instance_new(MEMORY);
  memcpy(slow->memory, "one", 3);
  memcpy(other->memory, "two", 3);
  slow->has_fibers = true;
  fake_export_function(slow, "cabi_realloc", quiet_realloc);
  fake_export_function(slow, "hook", slow_hook);
  fake_export_function(other, "cabi_realloc", quiet_realloc);
  fake_export_function(other, "hook", logging_hook);
  snt_guest *guest = guest_in(slow), *beside = guest_in(other);
  CHECK(snt_guest_start(guest, NULL, 0) == 0 && snt_guest_start(beside, NULL, 0) == 0);
  CHECK(call(guest, "r1") == SNT_SUSPENDED && call(beside, "r2") == 0 && snt_resume(guest) == 0);
  uint64_t dropped = 0;
  CHECK(snt_log_drain(current, drained, &dropped) == 3 * (sizeof(snt_log_line) + 5 + 2 + 3));
  size_t at = 0;
  CHECK(is_line(&at, 2, "guest", "r1", "one") && is_line(&at, 2, "guest", "r2", "two"));
  CHECK(is_line(&at, 2, "guest", "r1", "one"));
  snt_guest_free(guest);
  snt_guest_free(beside);
  fake_instance_free(slow);
  fake_instance_free(other);
  snt_log_free(current);
}

static fake_outcome chatty_hook(fake_instance *instance, wasmtime_val_raw_t *values) {
  for (int i = 0; i < 5; i++) logging_hook(instance, values);
  return RETURNS;
}

static void a_call_writes_so_many_lines_and_no_more(void) {
  current = snt_log_new(&FAKE_ENGINE, CAPACITY);
  fake_instance *instance = fake_instance_new(MEMORY);
  fake_export_function(instance, "cabi_realloc", quiet_realloc);
  fake_export_function(instance, "hook", chatty_hook);
  snt_guest *guest = guest_in(instance);
  CHECK(snt_guest_start(guest, NULL, 0) == 0);
  counters.lines_cut = 0;
  uint64_t dropped = 0;
  for (int i = 0; i < 2; i++) {
    CHECK(call(guest, "") == 0);
    CHECK(snt_log_drain(current, drained, &dropped) == 2 * (sizeof(snt_log_line) + 5 + 3) && dropped == 0);
  }
  CHECK(counters.lines_cut == 6);
  snt_guest_free(guest);
  fake_instance_free(instance);
  snt_log_free(current);
}

#define WRITERS 3
#define LINES 100000

static atomic_int writing;

static void *write_many(void *log) {
  for (int i = 0; i < LINES; i++) snt_log_put(log, 1, text("guest"), text("r"), text("ab"));
  atomic_fetch_sub(&writing, 1);
  return NULL;
}

static void threads_lose_no_line(void) {
  snt_log *log = snt_log_new(&FAKE_ENGINE, CAPACITY);
  pthread_t threads[WRITERS];
  uint64_t lines = 0, dropped = 0;
  atomic_store(&writing, WRITERS);
  for (size_t i = 0; i < WRITERS; i++) CHECK(pthread_create(&threads[i], NULL, write_many, log) == 0);
  for (bool last = false; !last;) {
    last = atomic_load(&writing) == 0;
    size_t size = snt_log_drain(log, drained, &dropped);
    CHECK(size % (sizeof(snt_log_line) + 8) == 0);
    lines += size / (sizeof(snt_log_line) + 8) + dropped;
  }
  for (size_t i = 0; i < WRITERS; i++) pthread_join(threads[i], NULL);
  CHECK(lines == WRITERS * LINES);
  snt_log_free(log);
}

static void the_table_is_filled_by_name(void) {
  snt_engine *table = snt_engine_new();
  size_t count = 0;
  while (snt_engine_name(count) != NULL) CHECK(snt_engine_set(table, count++, (uintptr_t)abort));
  CHECK(count == sizeof *table / sizeof table->wasmtime_trap_new);
  CHECK(!snt_engine_set(table, count, (uintptr_t)abort));
  CHECK(strcmp(snt_engine_name(0), "wasmtime_func_call_unchecked") == 0);
  CHECK((uintptr_t)table->wasmtime_error_delete == (uintptr_t)abort);
  free(table);
}

int main(void) {
  int wasm_engine = 0;
  ticker = snt_ticker_new(&FAKE_ENGINE, (uintptr_t)&wasm_engine);
  CHECK(ticker != NULL);
  RUN(lines_come_out_in_order);
  RUN(what_does_not_fit_is_counted);
  RUN(long_texts_are_cut);
  RUN(messages_outside_of_memory_trap);
  RUN(unknown_levels_trap);
  RUN(a_start_function_can_log);
  RUN(lines_below_the_plans_level_are_not_kept);
  RUN(a_plan_can_have_a_log_of_its_own);
  RUN(lines_carry_the_label_of_their_call);
  RUN(a_call_keeps_its_label_while_it_is_suspended);
  RUN(a_call_writes_so_many_lines_and_no_more);
  RUN(threads_lose_no_line);
  RUN(the_table_is_filled_by_name);
  snt_ticker_free(ticker);
  return 0;
}
