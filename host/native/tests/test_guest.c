#include "guests.h"

static fake_outcome growing_bump(fake_instance *instance, wasmtime_val_raw_t *values) {
  uint32_t size = (uint32_t)values[3].i32;
  values[0].i32 = (int32_t)instance->size;
  fake_grow(instance, instance->size + size);
  return RETURNS;
}

static fake_outcome realloc_just_outside(fake_instance *instance, wasmtime_val_raw_t *values) {
  values[0].i32 = (int32_t)(uint32_t)(instance->size - (uint32_t)values[3].i32 + 1);
  return RETURNS;
}

static fake_outcome realloc_at_end_of_address_space(fake_instance *instance, wasmtime_val_raw_t *values) {
  (void)instance;
  values[0].i32 = -1;
  return RETURNS;
}

/* Moves the memory, as a guest does that allocates its answer. */
static fake_outcome growing_post(fake_instance *instance, wasmtime_val_raw_t *values) {
  fake_grow(instance, instance->size + 65536);
  return post(instance, values);
}

static fake_outcome growing_echo(fake_instance *instance, wasmtime_val_raw_t *values) {
  fake_grow(instance, instance->size + 65536);
  return echo(instance, values);
}

static fake_outcome second_list(fake_instance *instance, wasmtime_val_raw_t *values) {
  return echo(instance, (values[0] = values[2], values[1] = values[3], values));
}

/* Chunk hooks: (chunk, length, last, context, length). Answers the context, or the chunk when it is
 * the last. */
static fake_outcome chunk(fake_instance *instance, wasmtime_val_raw_t *values) {
  CHECK(values[2].i32 == 0 || values[2].i32 == 1);
  if (values[2].i32 == 0) values[0] = values[3], values[1] = values[4];
  return echo(instance, values);
}

static fake_outcome answers(fake_instance *instance, wasmtime_val_raw_t *values) {
  if ((uint64_t)answer.area + 8 <= instance->size) {
    fake_store_u32(instance, answer.area, answer.start);
    fake_store_u32(instance, answer.area + 4, answer.length);
  }
  values[0].i32 = (int32_t)answer.area;
  return RETURNS;
}

static fake_outcome empty_lists_are_allocated(fake_instance *instance, wasmtime_val_raw_t *values) {
  CHECK(values[0].i32 == (int32_t)instance->next && values[1].i32 == 0);
  CHECK(values[2].i32 == (int32_t)instance->next && values[3].i32 == 0);
  return echo(instance, values);
}

static fake_outcome realloc_to_nothing(fake_instance *instance, wasmtime_val_raw_t *values) {
  if (values[3].i32 != 0) return bump(instance, values);
  values[0].i32 = 1;
  return RETURNS;
}

static fake_outcome empty_context_is_nothing(fake_instance *instance, wasmtime_val_raw_t *values) {
  CHECK(values[2].i32 == 1 && values[3].i32 == 0);
  return echo(instance, values);
}

/* The host gives it no argument; what stands there is the place of a result. */
static fake_outcome post_without_a_result(fake_instance *instance, wasmtime_val_raw_t *values) {
  (void)values;
  instance->next = 64;
  return RETURNS;
}

static fake_outcome calls_itself(fake_instance *instance, wasmtime_val_raw_t *values) {
  CHECK(snt_call(instance->data, HOOK, NULL, 0, NULL, 0, false, "") == SNT_BUSY);
  return echo(instance, values);
}

/* Where its guest lends a place for arguments. */
static struct {
  uint32_t start, length;
} lent;

static fake_outcome lends(fake_instance *instance, wasmtime_val_raw_t *values) {
  (void)instance;
  values[0].i64 = (int64_t)((uint64_t)lent.length << 32 | lent.start);
  return RETURNS;
}

/* A guest that lends that place; the start's result stands in `started`. */
static pair make_lending(uint32_t start, uint32_t length, uint32_t lists, bool flag, fake_function hook,
                         int64_t *started) {
  lent.start = start, lent.length = length;
  pair made = {.instance = fake_instance_new(MEMORY)};
  fake_export_function(made.instance, "cabi_realloc", bump);
  fake_export_function(made.instance, "hook", hook);
  fake_export_function(made.instance, "lent", lends);
  snt_plan *plan = plan_for(made.instance, &LIMITS);
  CHECK(snt_plan_hook(plan, HOOK, lists, flag, SNT_RETURNS_LIST, "hook", NULL));
  CHECK(snt_plan_hook(plan, SNT_SLOT_ARGUMENT_AREA, 0, false, SNT_RETURNS_AREA, "lent", NULL));
  made.guest = guest_of(made.instance, plan);
  *started = snt_guest_start(made.guest, NULL, 0);
  return made;
}

/* A failure ends the instance: no guest code runs after it. */
static void fails(pair made, int64_t expected) {
  CHECK(call_once(made, "head", "context", false) == expected);
  size_t calls = made.instance->calls;
  CHECK(call_once(made, "head", "context", false) == SNT_DISCARDED);
  CHECK(made.instance->calls == calls);
  discard(made);
}

static void an_echo_comes_back(void) {
  pair made = make(bump, 1, false, SNT_RETURNS_LIST, echo, post);
  for (int i = 0; i < 3; i++) {
    CHECK(call_once(made, "hello", "", false) == 5);
    CHECK(output_is(made.guest, "hello"));
    CHECK(made.instance->next == 64);
  }
  CHECK(snt_plan_calls(made.guest->plan) == 3);
  discard(made);
}

static void a_guest_that_owns_nothing_for_an_empty_list_is_asked_once(void) {
  pair made = make(realloc_to_nothing, 2, false, SNT_RETURNS_LIST, empty_context_is_nothing, NULL);
  for (size_t i = 0; i < 3; i++) {
    CHECK(call_once(made, "hello", "", false) == 5);
    CHECK(made.instance->calls == 3 + 2 * i);
  }
  discard(made);
}

/* A call that the guest's cabi_realloc is entered for runs two functions of the guest, or three. */
static size_t calls_of(pair made, const char *first, const char *second, int64_t expected) {
  size_t before = made.instance->calls;
  made.instance->next = 64;
  CHECK(call_once(made, first, second, false) == expected);
  return made.instance->calls - before;
}

static void arguments_that_fit_are_put_where_the_guest_lends(void) {
  int64_t started;
  pair made = make_lending(MEMORY - 8, 8, 1, false, echo, &started);
  CHECK(started == 0 && made.instance->calls == 1);
  CHECK(calls_of(made, "12345678", "", 8) == 1 && output_is(made.guest, "12345678"));
  CHECK(memcmp(made.instance->memory + MEMORY - 8, "12345678", 8) == 0);
  CHECK(calls_of(made, "123456789", "", 9) == 2 && output_is(made.guest, "123456789"));
  CHECK(calls_of(made, "", "", 0) == 2);
  CHECK(calls_of(made, "1", "", 1) == 1 && output_is(made.guest, "1"));
  discard(made);

  made = make_lending(MEMORY - 8, 8, 2, false, second_list, &started);
  CHECK(calls_of(made, "1234", "abcd", 4) == 1 && output_is(made.guest, "abcd"));
  CHECK(memcmp(made.instance->memory + MEMORY - 8, "1234abcd", 8) == 0);
  CHECK(calls_of(made, "12345", "wxyz", 4) == 2 && output_is(made.guest, "wxyz"));
  CHECK(calls_of(made, "123456789", "wxyz", 4) == 2 && output_is(made.guest, "wxyz"));
  CHECK(calls_of(made, "123456789", "123456789", 9) == 3 && output_is(made.guest, "123456789"));
  discard(made);
}

static void a_chunk_has_a_block_of_its_own(void) {
  int64_t started;
  pair made = make_lending(1024, 1024, 2, true, chunk, &started);
  CHECK(calls_of(made, "chunk", "context", 7) == 3 && output_is(made.guest, "context"));
  discard(made);
}

static void memory_that_moves_keeps_what_is_lent(void) {
  int64_t started;
  pair made = make_lending(1024, 16, 1, false, growing_echo, &started);
  for (int i = 0; i < 3; i++) CHECK(calls_of(made, "hello", "", 5) == 1 && output_is(made.guest, "hello"));
  discard(made);
}

static void the_lent_place_is_checked(void) {
  static const struct {
    uint32_t start, length;
    int64_t started;
  } cases[] = {
      {0, MEMORY, 0},           {MEMORY, 0, 0},
      {0, 0, 0},                {MEMORY - 7, 8, SNT_LENT_OUT_OF_BOUNDS},
      {MEMORY + 1, 0, SNT_LENT_OUT_OF_BOUNDS},
      {UINT32_MAX, 1, SNT_LENT_OUT_OF_BOUNDS},
      {1, UINT32_MAX, SNT_LENT_OUT_OF_BOUNDS},
      {UINT32_MAX, UINT32_MAX, SNT_LENT_OUT_OF_BOUNDS},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    int64_t started;
    pair made = make_lending(cases[i].start, cases[i].length, 1, false, echo, &started);
    CHECK(started == cases[i].started);
    if (started == 0) {
      CHECK(calls_of(made, "hello", "", 5) == (cases[i].length == 0 ? 2 : 1));
    } else {
      CHECK(snt_guest_phase(made.guest) == SNT_LENDING);
      CHECK(call_once(made, "hello", "", false) == SNT_DISCARDED);
    }
    discard(made);
  }
}

static void post_return_is_optional(void) {
  pair made = make(bump, 1, false, SNT_RETURNS_LIST, echo, NULL);
  CHECK(call_once(made, "hello", "", false) == 5);
  CHECK(made.instance->calls == 2);
  discard(made);
}

static void memory_may_move_in_every_guest_call(void) {
  pair made = make(growing_bump, 2, false, SNT_RETURNS_LIST, growing_echo, post);
  CHECK(call_once(made, "hello", "context", false) == 5);
  CHECK(output_is(made.guest, "hello"));
  discard(made);
}

static void the_output_grows_on_demand(void) {
  static const char text[LIMIT + 1] = "";
  pair made = make(bump, 1, false, SNT_RETURNS_LIST, echo, post);
  CHECK(call_once(made, "hello", "", false) == 5);
  CHECK(made.guest->capacity == SNT_FIRST_OUTPUT);
  CHECK(snt_call(made.guest, HOOK, (const uint8_t *)text, LIMIT, NULL, 0, false, "") == LIMIT);
  CHECK(made.guest->capacity == LIMIT && memcmp(snt_guest_output(made.guest), text, LIMIT) == 0);
  discard(made);
}

static void both_lists_arrive(void) {
  pair made = make(bump, 2, false, SNT_RETURNS_LIST, second_list, post);
  CHECK(call_once(made, "head", "context", false) == 7);
  CHECK(output_is(made.guest, "context"));
  discard(made);
}

static void the_flag_stands_between_the_lists(void) {
  pair made = make(bump, 2, true, SNT_RETURNS_LIST, chunk, post);
  CHECK(call_once(made, "chunk", "context", false) == 7 && output_is(made.guest, "context"));
  CHECK(call_once(made, "chunk", "context", true) == 5 && output_is(made.guest, "chunk"));
  discard(made);
}

/* CPython's guests free every pointer that they get, and did not survive one that nothing had
 * allocated. */
static void an_empty_list_is_allocated_too(void) {
  pair made = make(bump, 2, false, SNT_RETURNS_LIST, empty_lists_are_allocated, NULL);
  CHECK(call_once(made, "", "", false) == 0);
  CHECK(made.instance->calls == 3);
  discard(made);
  fails(make(realloc_at_end_of_address_space, 1, false, SNT_RETURNS_LIST, echo, NULL), SNT_REALLOC_OUT_OF_BOUNDS);
}

static void nil_and_empty_answers_are_zero(void) {
  pair made = make(bump, 1, false, SNT_RETURNS_LIST, echo, post);
  CHECK(call_once(made, "\xc0", "", false) == 0);
  CHECK(snt_guest_output(made.guest) == NULL);
  CHECK(call_once(made, "\xc1", "", false) == 1);
  discard(made);
}

static void a_hook_may_return_nothing(void) {
  pair made = make(bump, 2, false, SNT_RETURNS_NOTHING, echo, NULL);
  CHECK(call_once(made, "summary", "context", false) == 0);
  discard(made);
  made = make(bump, 0, false, SNT_RETURNS_NOTHING, echo, NULL);
  CHECK(call_once(made, "ignored", "", false) == 0);
  CHECK(made.instance->calls == 1);
  discard(made);
  made = make(bump, 2, false, SNT_RETURNS_NOTHING, echo, post_without_a_result);
  CHECK(call_once(made, "summary", "context", false) == 0);
  CHECK(made.instance->calls == 4 && made.instance->next == 64);
  discard(made);
  fails(make(bump, 2, false, SNT_RETURNS_NOTHING, echo, traps), SNT_TRAP_IN_POST);
}

static void traps_and_errors_are_kept_apart(void) {
  pair made = make(bump, 1, false, SNT_RETURNS_LIST, traps, post);
  CHECK(call_once(made, "head", "", false) == SNT_TRAP_IN_HOOK);
  uintptr_t trap = snt_guest_take_trap(made.guest);
  CHECK(trap != 0 && strcmp(fake_message((void *)trap), "trap") == 0);
  CHECK(snt_guest_take_trap(made.guest) == 0 && snt_guest_take_error(made.guest) == 0);
  FAKE_ENGINE.wasm_trap_delete((wasm_trap_t *)trap);
  discard(made);

  made = make(bump, 1, false, SNT_RETURNS_LIST, errs, post);
  CHECK(call_once(made, "head", "", false) == SNT_TRAP_IN_HOOK);
  uintptr_t error = snt_guest_take_error(made.guest);
  CHECK(error != 0 && strcmp(fake_message((void *)error), "error") == 0);
  CHECK(snt_guest_take_trap(made.guest) == 0);
  FAKE_ENGINE.wasmtime_error_delete((wasmtime_error_t *)error);
  discard(made);
}

static void a_trap_that_nobody_takes_is_freed(void) {
  fails(make(traps, 1, false, SNT_RETURNS_LIST, echo, post), SNT_TRAP_IN_REALLOC);
  fails(make(errs, 2, false, SNT_RETURNS_LIST, echo, post), SNT_TRAP_IN_REALLOC);
  fails(make(bump, 1, false, SNT_RETURNS_LIST, traps, post), SNT_TRAP_IN_HOOK);
  fails(make(bump, 1, false, SNT_RETURNS_LIST, echo, traps), SNT_TRAP_IN_POST);
  fails(make(bump, 1, false, SNT_RETURNS_LIST, echo, errs), SNT_TRAP_IN_POST);
}

static void realloc_is_checked(void) {
  fails(make(realloc_just_outside, 1, false, SNT_RETURNS_LIST, echo, post), SNT_REALLOC_OUT_OF_BOUNDS);
  fails(make(realloc_at_end_of_address_space, 2, false, SNT_RETURNS_LIST, echo, post), SNT_REALLOC_OUT_OF_BOUNDS);
}

static void answers_with(uint32_t area, uint32_t start, uint32_t length, int64_t expected) {
  answer.area = area, answer.start = start, answer.length = length;
  pair made = make(bump, 1, false, SNT_RETURNS_LIST, answers, NULL);
  if (expected < 0) {
    fails(made, expected);
  } else {
    CHECK(call_once(made, "head", "", false) == expected);
    discard(made);
  }
}

static void the_return_area_is_checked(void) {
  answers_with(MEMORY - 8, 0, 8, 8);
  answers_with(MEMORY - 4, 0, 8, SNT_AREA_OUT_OF_BOUNDS);
  answers_with(MEMORY, 0, 8, SNT_AREA_OUT_OF_BOUNDS);
  answers_with(0xfffffffc, 0, 8, SNT_AREA_OUT_OF_BOUNDS);
  answers_with(AREA + 2, 0, 8, SNT_AREA_MISALIGNED);
  answers_with(0xffffffff, 0, 8, SNT_AREA_MISALIGNED);
  answers_with(0, 0, 8, 8);
}

static void the_result_is_checked(void) {
  answers_with(AREA, MEMORY - 8, 8, 8);
  answers_with(AREA, MEMORY - 7, 8, SNT_RESULT_OUT_OF_BOUNDS);
  answers_with(AREA, MEMORY, 0, 0);
  answers_with(AREA, MEMORY + 1, 0, SNT_RESULT_OUT_OF_BOUNDS);
  answers_with(AREA, 0xffffffff, 1, SNT_RESULT_OUT_OF_BOUNDS);
  answers_with(AREA, 1, 0xffffffff, SNT_RESULT_OUT_OF_BOUNDS);
  answers_with(AREA, 0xffffffff, 0xffffffff, SNT_RESULT_OUT_OF_BOUNDS);
  answers_with(AREA, 0, LIMIT, LIMIT);
  answers_with(AREA, 0, LIMIT + 1, SNT_RESULT_TOO_LONG);
}

static void outcomes_are_read(void) {
  answer.area = AREA, answer.discriminant = 0, answer.start = 0xffffffff, answer.length = 0xffffffff;
  pair made = make(bump, 1, false, SNT_RETURNS_OUTCOME, outcome, post);
  CHECK(call_once(made, "config", "", false) == 0);
  discard(made);

  answer.discriminant = 0x1ff & ~0xfeu; /* only the first byte counts */
  answer.start = 64, answer.length = 6;
  made = make(bump, 1, false, SNT_RETURNS_OUTCOME, outcome, post);
  CHECK(call_once(made, "config", "", false) == SNT_REFUSED);
  CHECK(output_is(made.guest, "config") && made.instance->next == 64);
  CHECK(call_once(made, "config", "", false) == SNT_DISCARDED);
  discard(made);

  fails(make(bump, 1, false, SNT_RETURNS_OUTCOME, outcome, traps), SNT_TRAP_IN_POST);
  answer.discriminant = 2;
  fails(make(bump, 1, false, SNT_RETURNS_OUTCOME, outcome, post), SNT_BAD_DISCRIMINANT);
  answer.discriminant = 1, answer.area = MEMORY - 8;
  fails(make(bump, 1, false, SNT_RETURNS_OUTCOME, outcome, post), SNT_AREA_OUT_OF_BOUNDS);
  answer.area = AREA, answer.start = MEMORY - 1;
  fails(make(bump, 1, false, SNT_RETURNS_OUTCOME, outcome, post), SNT_RESULT_OUT_OF_BOUNDS);
}

static void random_answers_never_read_outside(void) {
  static const uint32_t edges[] = {0, 1, 4, 8, LIMIT, MEMORY - 12, MEMORY - 8, MEMORY - 4, MEMORY - 1, MEMORY, 0x7fffffff,
                                   0x80000000, 0xfffffff8, 0xffffffff};
  uint32_t seed = 1;
  for (int i = 0; i < 50000; i++) {
    uint32_t *fields[] = {&answer.area, &answer.start, &answer.length, &answer.discriminant};
    for (size_t field = 0; field < 4; field++) {
      seed = seed * 1664525 + 1013904223;
      uint32_t edge = edges[(seed >> 8) % (sizeof edges / sizeof *edges)];
      *fields[field] = seed & 0x40000000 ? edge + (seed >> 28) - 8 : seed >> 16;
    }
    bool is_outcome = seed & 1;
    pair made = make(bump, 1, false, is_outcome ? SNT_RETURNS_OUTCOME : SNT_RETURNS_LIST, is_outcome ? outcome : answers,
                     NULL);
    int64_t result = call_once(made, "head", "", false);
    CHECK(result <= LIMIT && result >= SNT_NO_MEMORY);
    discard(made);
  }
}

static void impossible_calls_are_refused(void) {
  pair made = make(bump, 1, false, SNT_RETURNS_LIST, echo, post);
  CHECK(snt_call(made.guest, HOOK + 1, NULL, 0, NULL, 0, false, "") == SNT_NO_HOOK);
  CHECK(snt_call(made.guest, SNT_HOOKS, NULL, 0, NULL, 0, false, "") == SNT_NO_HOOK);
  CHECK(snt_call(made.guest, UINT32_MAX, NULL, 0, NULL, 0, false, "") == SNT_NO_HOOK);
  snt_plan *plan = made.guest->plan;
  CHECK(!snt_plan_hook(plan, SNT_HOOKS, 1, false, SNT_RETURNS_LIST, "a", NULL));
  CHECK(!snt_plan_hook(plan, HOOK + 1, 3, false, SNT_RETURNS_LIST, "a", NULL));
  CHECK(!snt_plan_hook(plan, HOOK + 1, 1, false, 5, "a", NULL));
  CHECK(!snt_plan_hook(plan, HOOK, 1, false, SNT_RETURNS_LIST, "a", NULL));
  CHECK(snt_resume(made.guest) == SNT_NO_HOOK);
  CHECK(snt_guest_start(made.guest, NULL, 0) == SNT_NO_HOOK);
  const uint8_t byte = 0;
  CHECK(snt_call(made.guest, HOOK, &byte, (size_t)UINT32_MAX + 1, NULL, 0, false, "") == SNT_INPUT_TOO_LONG);
  discard(made);
}

static void a_call_during_a_call_is_refused(void) {
  pair made = make(bump, 1, false, SNT_RETURNS_LIST, calls_itself, post);
  CHECK(call_once(made, "head", "", false) == 4);
  discard(made);
}

static void a_guest_that_has_not_started_is_not_called(void) {
  fake_instance *instance = fake_instance_new(MEMORY);
  snt_guest *guest = guest_of(instance, plan_for(instance, &LIMITS));
  CHECK(snt_call(guest, HOOK, NULL, 0, NULL, 0, false, "") == SNT_NO_HOOK);
  CHECK(snt_resume(guest) == SNT_NO_HOOK);
  snt_guest_free(guest);
  snt_guest_free(NULL);
  fake_instance_free(instance);
}

static void an_instance_without_room_for_its_loop_is_not_made(void) {
  fake_instance *instance = fake_instance_new(MEMORY);
  instance->has_no_loop = true;
  snt_plan *plan = plan_for(instance, &LIMITS);
  CHECK(snt_guest_new(plan) == NULL && instance->stores == 0 && counters->instances == 0);
  snt_plan_free(plan);
  fake_instance_free(instance);
}

static void an_export_that_is_missing_ends_the_start(void) {
  fake_instance *instance = fake_instance_new(MEMORY);
  fake_export_function(instance, "cabi_realloc", bump);
  snt_plan *plan = plan_for(instance, &LIMITS);
  CHECK(snt_plan_hook(plan, HOOK, 1, false, SNT_RETURNS_LIST, "hook", NULL));
  snt_guest *guest = guest_of(instance, plan);
  CHECK(snt_guest_start(guest, NULL, 0) == SNT_NO_HOOK);
  CHECK(snt_call(guest, HOOK, NULL, 0, NULL, 0, false, "") == SNT_DISCARDED);
  snt_guest_free(guest);
  instance->exports_memory = false;
  guest = guest_of(instance, plan_for(instance, &LIMITS));
  CHECK(snt_guest_start(guest, NULL, 0) == SNT_NO_HOOK);
  snt_guest_free(guest);
  fake_instance_free(instance);
}

static void a_worn_instance_says_so(void) {
  snt_limits limits = LIMITS;
  limits.retire_calls = 2;
  pair made = make_with(&limits, bump, 1, false, SNT_RETURNS_LIST, echo, post);
  CHECK(call_once(made, "hello", "", false) == 5);
  CHECK(call_once(made, "hello", "", false) == (5 | SNT_RETIRABLE));
  discard(made);

  limits = LIMITS;
  limits.high_water = MEMORY + 65536;
  limits.high_calls = 2;
  made = make_with(&limits, bump, 1, false, SNT_RETURNS_LIST, growing_echo, post);
  CHECK(counters->memory_bytes == MEMORY && counters->instances == 1);
  CHECK(call_once(made, "hello", "", false) == 5);
  CHECK(call_once(made, "hello", "", false) == 5);
  CHECK(call_once(made, "hello", "", false) == (5 | SNT_RETIRABLE));
  CHECK(counters->memory_bytes == MEMORY + 3 * 65536);
  discard(made);
  CHECK(counters->memory_bytes == 0 && counters->instances == 0);
}

static void memory_is_counted_whichever_code_grew_it(void) {
  const fake_function hooks[] = {growing_echo, echo, growing_echo}, posts[] = {NULL, growing_post, growing_post};
  const int pages[] = {1, 1, 2};
  const uint8_t returns[] = {SNT_RETURNS_LIST, SNT_RETURNS_NOTHING};
  for (size_t i = 0; i < 3; i++) {
    for (size_t kind = 0; kind < 2; kind++) {
      pair made = make(bump, 1, false, returns[kind], hooks[i], posts[i]);
      CHECK(call_once(made, "hello", "", false) >= 0);
      CHECK(counters->memory_bytes == (uint64_t)(MEMORY + pages[i] * 65536));
      discard(made);
    }
  }
}

int main(void) {
  guests_begin();
  RUN(an_echo_comes_back);
  RUN(a_guest_that_owns_nothing_for_an_empty_list_is_asked_once);
  RUN(arguments_that_fit_are_put_where_the_guest_lends);
  RUN(a_chunk_has_a_block_of_its_own);
  RUN(memory_that_moves_keeps_what_is_lent);
  RUN(the_lent_place_is_checked);
  RUN(post_return_is_optional);
  RUN(memory_may_move_in_every_guest_call);
  RUN(the_output_grows_on_demand);
  RUN(both_lists_arrive);
  RUN(the_flag_stands_between_the_lists);
  RUN(an_empty_list_is_allocated_too);
  RUN(nil_and_empty_answers_are_zero);
  RUN(a_hook_may_return_nothing);
  RUN(traps_and_errors_are_kept_apart);
  RUN(a_trap_that_nobody_takes_is_freed);
  RUN(realloc_is_checked);
  RUN(the_return_area_is_checked);
  RUN(the_result_is_checked);
  RUN(outcomes_are_read);
  RUN(random_answers_never_read_outside);
  RUN(impossible_calls_are_refused);
  RUN(a_call_during_a_call_is_refused);
  RUN(a_guest_that_has_not_started_is_not_called);
  RUN(an_instance_without_room_for_its_loop_is_not_made);
  RUN(an_export_that_is_missing_ends_the_start);
  RUN(a_worn_instance_says_so);
  RUN(memory_is_counted_whichever_code_grew_it);
  guests_end();
  return 0;
}
