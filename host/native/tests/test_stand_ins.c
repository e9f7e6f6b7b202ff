#include <string.h>

#include "../src/stand_ins.h"
#include "guests.h"

/* In the order of snt_import_name. */
enum { WALL, MONOTONIC, BYTES, NUMBER, ADD, OBSERVE, DESCRIBE, GET, SET, DELETE, COUNT, SEND };

#define STORE 65536
#define TEXT 1024 /* where calls find their bytes */
#define OUTSIDE (MEMORY - 2)

static pair made;
static snt_stand_ins *host;
static void *store;
static uint8_t records[SNT_RECORD_BYTES];
static char said[128];

static void begin(void) {
  static const uint64_t secret[2] = {1, 2};
  made.instance = fake_instance_new(MEMORY);
  fake_export_function(made.instance, "cabi_realloc", bump);
  fake_export_function(made.instance, "hook", echo);
  host = snt_stand_ins_new(&FAKE_ENGINE);
  size_t size = snt_kv_size(STORE);
  store = aligned_alloc(64, (size + 63) / 64 * 64);
  CHECK(host != NULL && store != NULL);
  memset(store, 0, size);
  snt_kv *kv = snt_kv_make(store, STORE, secret);
  CHECK(kv != NULL);
  snt_plan *plan = plan_for(made.instance, &LIMITS);
  CHECK(snt_plan_hook(plan, HOOK, 1, false, SNT_RETURNS_LIST, "hook", NULL));
  snt_plan_kv(plan, (uintptr_t)kv, (uint32_t)snt_kv_space(kv, "guest"), STORE);
  snt_plan_kv_clock(plan, snt_stand_ins_now(host));
  made.guest = guest_of(made.instance, plan);
  CHECK(snt_guest_start(made.guest, NULL, 0) == 0);
  snt_stand_ins_clock(host, 5, 7000000);
}

static void end(void) {
  discard(made);
  snt_stand_ins_free(host);
  free(store);
}

/* Call a stand-in as a guest would; what a trap said is in `said`. */
static bool call(size_t index, wasmtime_val_raw_t *values, size_t count) {
  wasmtime_func_unchecked_callback_t function = (wasmtime_func_unchecked_callback_t)snt_stand_in_address(index);
  wasm_trap_t *trap = function(host, fake_caller(made.instance), values, count);
  if (trap == NULL) return true;
  strncpy(said, fake_message(trap), sizeof said - 1);
  FAKE_ENGINE.wasm_trap_delete(trap);
  return false;
}

static bool call_with(size_t index, const int64_t *arguments, size_t count) {
  wasmtime_val_raw_t values[9];
  for (size_t i = 0; i < count; i++) values[i].i64 = arguments[i];
  return call(index, values, count);
}

#define CALL(index, ...) \
  call_with(index, (const int64_t[]){__VA_ARGS__}, sizeof(const int64_t[]){__VA_ARGS__} / sizeof(int64_t))

static void say(const char *text) { memcpy(made.instance->memory + TEXT, text, strlen(text)); }

static uint32_t word(uint32_t at) {
  uint32_t value;
  memcpy(&value, made.instance->memory + at, sizeof value);
  return value;
}

/* Take the record, and compare its only call. */
static bool recorded(uint32_t index, const char *first, const char *second, int64_t number) {
  uint64_t lost;
  size_t size = snt_stand_ins_take(host, records, &lost);
  snt_recorded head;
  if (size < sizeof head || lost != 0) return false;
  memcpy(&head, records, sizeof head);
  const uint8_t *bytes = records + sizeof head;
  return size == sizeof head + head.first + head.second && head.index == index && head.number == number &&
         head.first == strlen(first) && memcmp(bytes, first, head.first) == 0 && head.second == strlen(second) &&
         memcmp(bytes + head.first, second, head.second) == 0;
}

static bool nothing_recorded(void) {
  uint64_t lost;
  return snt_stand_ins_take(host, records, &lost) == 0 && lost == 0;
}

static void every_import_has_its_stand_in(void) {
  size_t count = 0;
  for (; snt_import_name(count) != NULL; count++) {
    CHECK(snt_stand_in_address(count) != 0 && snt_stand_in_address(count) != snt_import_address(count));
  }
  CHECK(count == SEND + 1 && strcmp(snt_import_name(SEND), "http-client.send") == 0);
  CHECK(strcmp(snt_import_name(COUNT), "kv.add") == 0 && snt_stand_in_address(count) == 0);
}

static void clocks_stand_still(void) {
  begin();
  for (int i = 0; i < 2; i++) {
    wasmtime_val_raw_t wall = {.i64 = 0}, monotonic = {.i64 = 0};
    CHECK(call(WALL, &wall, 1) && wall.i64 == 5 && recorded(WALL, "", "", 0));
    CHECK(call(MONOTONIC, &monotonic, 1) && monotonic.i64 == 7000000 && recorded(MONOTONIC, "", "", 0));
  }
  CHECK(*snt_stand_ins_now(host) == 7);
  end();
}

static void random_numbers_follow_from_the_seed(void) {
  begin();
  int64_t drawn[2][2];
  for (int round = 0; round < 2; round++) {
    snt_stand_ins_seed(host, 42);
    for (int i = 0; i < 2; i++) {
      wasmtime_val_raw_t number = {.i64 = 0};
      CHECK(call(NUMBER, &number, 1) && recorded(NUMBER, "", "", 0));
      drawn[round][i] = number.i64;
    }
  }
  CHECK(drawn[0][0] == drawn[1][0] && drawn[0][1] == drawn[1][1] && drawn[0][0] != drawn[0][1]);
  CHECK(CALL(BYTES, 32, AREA) && word(AREA + 4) == 32 && recorded(BYTES, "", "", 32));
  static const uint8_t zeros[32];
  CHECK(memcmp(made.instance->memory + word(AREA), zeros, sizeof zeros) != 0);
  CHECK(CALL(BYTES, 0, AREA) && word(AREA + 4) == 0 && recorded(BYTES, "", "", 0));
  CHECK(!CALL(BYTES, 65537, AREA) && strcmp(said, "random.bytes: more than 65536 bytes") == 0);
  CHECK(!CALL(BYTES, 8, AREA + 2) && !CALL(BYTES, 8, MEMORY - 4));
  end();
}

static void keys_are_kept_and_run_out_by_the_clock(void) {
  begin();
  say("keyvalue");
  CHECK(CALL(SET, TEXT, 3, TEXT + 3, 5, 1000, AREA) && made.instance->memory[AREA] == 0);
  CHECK(recorded(SET, "key", "value", 1000));
  CHECK(CALL(GET, TEXT, 3, AREA) && made.instance->memory[AREA] == 0 && made.instance->memory[AREA + 4] == 1);
  CHECK(word(AREA + 12) == 5 && memcmp(made.instance->memory + word(AREA + 8), "value", 5) == 0);
  CHECK(recorded(GET, "key", "", 0));
  snt_stand_ins_clock(host, 5, 1007000000);
  CHECK(CALL(GET, TEXT, 3, AREA) && made.instance->memory[AREA + 4] == 0 && recorded(GET, "key", "", 0));
  CHECK(CALL(COUNT, TEXT, 3, -2, 0, AREA) && word(AREA + 8) == (uint32_t)-2 && recorded(COUNT, "key", "", -2));
  CHECK(CALL(DELETE, TEXT, 3, AREA) && made.instance->memory[AREA + 1] == 1 && recorded(DELETE, "key", "", 0));
  end();
}

static void keys_can_be_made_to_fail(void) {
  begin();
  say("key");
  for (int error = 0; error < 4; error++) {
    snt_stand_ins_fail_kv(host, error);
    memset(made.instance->memory + AREA, 0xff, 16);
    CHECK(CALL(GET, TEXT, 3, AREA) && made.instance->memory[AREA] == 1 && made.instance->memory[AREA + 4] == error);
    CHECK(recorded(GET, "key", "", 0));
    CHECK(CALL(SET, TEXT, 3, TEXT, 1, 0, AREA) && made.instance->memory[AREA + 1] == error && recorded(SET, "key", "k", 0));
    CHECK(CALL(DELETE, TEXT, 3, AREA) && made.instance->memory[AREA + 1] == error && recorded(DELETE, "key", "", 0));
    CHECK(CALL(COUNT, TEXT, 3, 1, 0, AREA) && made.instance->memory[AREA + 8] == error && recorded(COUNT, "key", "", 1));
  }
  CHECK(!CALL(GET, TEXT, 3, AREA + 2) && !CALL(GET, TEXT, 3, MEMORY - 8) && !CALL(COUNT, TEXT, 3, 1, 0, AREA + 4));
  snt_stand_ins_fail_kv(host, -1);
  CHECK(CALL(GET, TEXT, 3, AREA) && made.instance->memory[AREA] == 0 && made.instance->memory[AREA + 4] == 0);
  end();
}

/* A test with failing keys once let pass what traps in a gateway. */
static void what_lies_outside_of_memory_traps_and_is_not_recorded(void) {
  begin();
  for (int error = -1; error < 1; error++) {
    snt_stand_ins_fail_kv(host, error);
    CHECK(!CALL(GET, OUTSIDE, 3, AREA) && !CALL(GET, -1, 1, AREA) && !CALL(DELETE, OUTSIDE, 3, AREA));
    CHECK(!CALL(SET, TEXT, 3, OUTSIDE, 3, 0, AREA) && !CALL(COUNT, OUTSIDE, -1, 1, 0, AREA));
    CHECK(!CALL(ADD, OUTSIDE, 3, 0, 0, 1) && !CALL(OBSERVE, OUTSIDE, 3, 0, 0, 0));
    CHECK(!CALL(DESCRIBE, OUTSIDE, 3, 0, TEXT, 1, 0, 0, 0, 0) && !CALL(DESCRIBE, TEXT, 3, 0, OUTSIDE, 3, 0, 0, 0, 0));
    CHECK(nothing_recorded());
  }
  end();
}

static void calls_that_do_not_fit_are_counted(void) {
  begin();
  const size_t most = SNT_RECORD_BYTES / sizeof(snt_recorded);
  for (size_t i = 0; i < most + 3; i++) {
    wasmtime_val_raw_t wall;
    CHECK(call(WALL, &wall, 1) && wall.i64 == 5);
  }
  uint64_t lost;
  CHECK(snt_stand_ins_take(host, records, &lost) == most * sizeof(snt_recorded) && lost == 3);
  CHECK(nothing_recorded());
  /* One that is longer than what is left, and then one that fits. */
  for (size_t i = 0; i < SNT_RECORD_BYTES / (sizeof(snt_recorded) + 60000); i++) CALL(GET, 0, 60000, AREA);
  CALL(GET, 0, 60000, AREA);
  wasmtime_val_raw_t wall;
  CHECK(call(WALL, &wall, 1));
  size_t used = snt_stand_ins_take(host, records, &lost);
  CHECK(lost == 1 && used % (sizeof(snt_recorded) + 60000) == sizeof(snt_recorded));
  end();
}

int main(void) {
  guests_begin();
  RUN(every_import_has_its_stand_in);
  RUN(clocks_stand_still);
  RUN(random_numbers_follow_from_the_seed);
  RUN(keys_are_kept_and_run_out_by_the_clock);
  RUN(keys_can_be_made_to_fail);
  RUN(what_lies_outside_of_memory_traps_and_is_not_recorded);
  RUN(calls_that_do_not_fit_are_counted);
  guests_end();
  return 0;
}
