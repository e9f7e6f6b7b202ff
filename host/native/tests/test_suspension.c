#include "guests.h"

/* Guest functions that are left at a tick: each says in which step it is. */
static char steps[32];

static void step(char name) {
  size_t length = strlen(steps);
  CHECK(length + 1 < sizeof steps);
  steps[length] = name;
  steps[length + 1] = 0;
}

static fake_outcome ticking(fake_instance *instance, char name, fake_function function, wasmtime_val_raw_t *values) {
  step(name);
  for (int i = 0; i < 2; i++) {
    if (!fake_tick(instance)) return ERRS;
  }
  step(name);
  return function == NULL ? RETURNS : function(instance, values);
}

static fake_outcome ticking_realloc(fake_instance *instance, wasmtime_val_raw_t *values) {
  return ticking(instance, 'r', bump, values);
}

static fake_outcome ticking_echo(fake_instance *instance, wasmtime_val_raw_t *values) {
  return ticking(instance, 'h', echo, values);
}

static fake_outcome ticking_post(fake_instance *instance, wasmtime_val_raw_t *values) {
  return ticking(instance, 'p', post, values);
}

static fake_outcome ticking_start(fake_instance *instance, wasmtime_val_raw_t *values) {
  return ticking(instance, 's', NULL, values);
}

static fake_outcome ticking_initialize(fake_instance *instance, wasmtime_val_raw_t *values) {
  return ticking(instance, 'i', NULL, values);
}

static fake_outcome ticking_configure(fake_instance *instance, wasmtime_val_raw_t *values) {
  answer.area = AREA, answer.discriminant = 0;
  return ticking(instance, 'c', outcome, values);
}

static fake_outcome needs_two_hooks(fake_instance *instance, wasmtime_val_raw_t *values) {
  (void)instance;
  step('n');
  values[0].i32 = 5;
  return RETURNS;
}

static fake_outcome lends(fake_instance *instance, wasmtime_val_raw_t *values) {
  (void)instance;
  step('l');
  values[0].i64 = (int64_t)1 << 32 | AREA;
  return RETURNS;
}

static void a_call_is_left_and_gone_on_with(void) {
  pair made = make(ticking_realloc, 1, false, SNT_RETURNS_LIST, ticking_echo, ticking_post);
  made.instance->has_fibers = true;
  for (int round = 0; round < 2; round++) {
    steps[0] = 0;
    char input[] = "hello";
    CHECK(call_once(made, input, "", false) == SNT_SUSPENDED);
    CHECK(made.instance->epoch_deadline == SNT_FIRST_TICKS);
    CHECK(call_once(made, input, "", false) == SNT_BUSY);
    for (int i = 0; i < 5; i++) CHECK(snt_resume(made.guest) == SNT_SUSPENDED);
    CHECK(snt_resume(made.guest) == 5);
    CHECK(output_is(made.guest, "hello") && strcmp(steps, "rrhhpp") == 0);
    CHECK(snt_resume(made.guest) == SNT_NO_HOOK);
  }
  discard(made);
}

static void a_list_that_has_moved_is_read_where_it_is(void) {
  pair made = make(ticking_realloc, 1, false, SNT_RETURNS_LIST, echo, NULL);
  made.instance->has_fibers = true;
  steps[0] = 0;
  char input[] = "hello";
  CHECK(call_once(made, input, "", false) == SNT_SUSPENDED);
  char moved[] = "hello";
  memset(input, 'x', sizeof input - 1);
  snt_guest_move(made.guest, (const uint8_t *)moved);
  CHECK(snt_resume(made.guest) == SNT_SUSPENDED);
  CHECK(snt_resume(made.guest) == 5 && output_is(made.guest, "hello"));
  discard(made);
}

static fake_outcome lends_much(fake_instance *instance, wasmtime_val_raw_t *values) {
  (void)instance;
  values[0].i64 = (int64_t)64 << 32 | 1024;
  return RETURNS;
}

static void arguments_stay_where_they_are_lent_while_a_call_is_left(void) {
  fake_instance *instance = fake_instance_new(MEMORY);
  fake_export_function(instance, "cabi_realloc", traps);
  fake_export_function(instance, "hook", ticking_echo);
  fake_export_function(instance, "lent", lends_much);
  snt_plan *plan = plan_for(instance, &LIMITS);
  CHECK(snt_plan_hook(plan, HOOK, 1, false, SNT_RETURNS_LIST, "hook", NULL));
  CHECK(snt_plan_hook(plan, SNT_SLOT_ARGUMENT_AREA, 0, false, SNT_RETURNS_AREA, "lent", NULL));
  pair made = {instance, guest_of(instance, plan)};
  CHECK(snt_guest_start(made.guest, NULL, 0) == 0);
  instance->has_fibers = true;
  steps[0] = 0;
  CHECK(call_once(made, "hello", "", false) == SNT_SUSPENDED);
  CHECK(call_once(made, "other", "", false) == SNT_BUSY);
  CHECK(snt_resume(made.guest) == SNT_SUSPENDED);
  CHECK(snt_resume(made.guest) == 5 && output_is(made.guest, "hello"));
  CHECK(memcmp(instance->memory + 1024, "hello", 5) == 0);
  discard(made);
}

static void a_call_that_is_dropped_runs_no_more_guest_code(void) {
  for (int resumes = 0; resumes < 6; resumes++) {
    pair made = make(ticking_realloc, 1, false, SNT_RETURNS_LIST, ticking_echo, ticking_post);
    made.instance->has_fibers = true;
    steps[0] = 0;
    CHECK(call_once(made, "hello", "", false) == SNT_SUSPENDED);
    for (int i = 0; i < resumes; i++) CHECK(snt_resume(made.guest) == SNT_SUSPENDED);
    size_t calls = made.instance->calls;
    char before[sizeof steps];
    memcpy(before, steps, sizeof steps);
    snt_guest_free(made.guest);
    CHECK(made.instance->calls == calls && strcmp(steps, before) == 0 && made.instance->stores == 0);
    fake_instance_free(made.instance);
  }
}

static void a_deadline_ends_a_call_wherever_it_is(void) {
  snt_limits limits = LIMITS;
  limits.deadline = 0;
  const fake_function reallocs[] = {ticking_realloc, bump, bump}, hooks[] = {echo, ticking_echo, echo},
                      posts[] = {post, post, ticking_post};
  const int64_t failures[] = {SNT_TRAP_IN_REALLOC, SNT_TRAP_IN_HOOK, SNT_TRAP_IN_POST};
  for (int i = 0; i < 3; i++) {
    pair made = make_with(&limits, reallocs[i], 1, false, SNT_RETURNS_LIST, hooks[i], posts[i]);
    steps[0] = 0;
    CHECK(!snt_guest_timed_out(made.guest));
    CHECK(call_once(made, "hello", "", false) == failures[i]);
    CHECK(snt_guest_timed_out(made.guest) && strlen(steps) == 1);
    uintptr_t error = snt_guest_take_error(made.guest);
    CHECK(error != 0 && strcmp(fake_message((void *)error), "deadline exceeded") == 0);
    FAKE_ENGINE.wasmtime_error_delete((wasmtime_error_t *)error);
    discard(made);
  }
}

static void starting_goes_from_step_to_step(void) {
  fake_instance *instance = fake_instance_new(MEMORY);
  instance->has_fibers = true;
  instance->start = ticking_start;
  fake_export_function(instance, "cabi_realloc", bump);
  fake_export_function(instance, "initialize", ticking_initialize);
  fake_export_function(instance, "configure", ticking_configure);
  fake_export_function(instance, "needed", needs_two_hooks);
  fake_export_function(instance, "lent", lends);
  snt_plan *plan = plan_for(instance, &LIMITS);
  CHECK(snt_plan_hook(plan, SNT_SLOT_INITIALIZE, 0, false, SNT_RETURNS_NOTHING, "initialize", NULL));
  CHECK(snt_plan_hook(plan, SNT_SLOT_CONFIGURE, 1, false, SNT_RETURNS_OUTCOME, "configure", NULL));
  CHECK(snt_plan_hook(plan, SNT_SLOT_NEEDED_HOOKS, 0, false, SNT_RETURNS_NUMBER, "needed", NULL));
  CHECK(snt_plan_hook(plan, SNT_SLOT_ARGUMENT_AREA, 0, false, SNT_RETURNS_AREA, "lent", NULL));
  for (int ticks = 0; ticks < 7; ticks++) {
    snt_plan_keep(plan);
    snt_guest *guest = guest_of(instance, plan);
    instance->next = 64;
    steps[0] = 0;
    CHECK(snt_guest_start(guest, (const uint8_t *)"config", 6) == SNT_SUSPENDED);
    CHECK(snt_guest_start(guest, NULL, 0) == SNT_BUSY);
    CHECK(snt_guest_phase(guest) == SNT_STARTING);
    for (int i = 1; i < ticks; i++) CHECK(snt_resume(guest) == (i == 6 ? 0 : SNT_SUSPENDED));
    CHECK(snt_guest_needed_hooks(guest) == UINT32_MAX);
    if (ticks == 6) CHECK(snt_resume(guest) == 0 && strcmp(steps, "ssiiccnl") == 0);
    if (ticks == 6) CHECK(snt_guest_phase(guest) == SNT_SERVING && snt_guest_needed_hooks(guest) == 5);
    snt_guest_free(guest);
  }
  snt_plan_free(plan);
  fake_instance_free(instance);
}

static void a_start_function_that_fails(void) {
  const fake_function starts[] = {traps, errs, ticking_start};
  snt_limits limits = LIMITS;
  limits.start_deadline = 0;
  for (int i = 0; i < 3; i++) {
    fake_instance *instance = fake_instance_new(MEMORY);
    instance->start = starts[i];
    snt_guest *guest = guest_of(instance, plan_for(instance, &limits));
    steps[0] = 0;
    CHECK(snt_guest_start(guest, NULL, 0) == SNT_TRAP_IN_START);
    CHECK(snt_guest_timed_out(guest) == (i == 2) && snt_guest_phase(guest) == SNT_STARTING);
    uintptr_t trap = snt_guest_take_trap(guest), error = snt_guest_take_error(guest);
    CHECK((trap != 0) == (i == 0) && (error != 0) == (i != 0));
    free((void *)trap);
    free((void *)error);
    snt_guest_free(guest);
    fake_instance_free(instance);
  }
}

static void the_counts_count(void) {
  snt_counters before = *counters;
  pair made = make(bump, 1, false, SNT_RETURNS_LIST, ticking_echo, post);
  CHECK(counters->cpu_ns > before.cpu_ns);
  made.instance->has_fibers = true;
  CHECK(call_once(made, "hello", "", false) == SNT_SUSPENDED);
  CHECK(snt_resume(made.guest) == SNT_SUSPENDED);
  steps[0] = 0;
  CHECK(snt_resume(made.guest) == 5);
  CHECK(counters->calls == before.calls + 1 && counters->suspensions == before.suspensions + 2);
  CHECK(counters->started == before.started + 1);
  CHECK(snt_plan_calls(made.guest->plan) == 1);
  discard(made);
}

int main(void) {
  guests_begin();
  RUN(a_call_is_left_and_gone_on_with);
  RUN(a_list_that_has_moved_is_read_where_it_is);
  RUN(arguments_stay_where_they_are_lent_while_a_call_is_left);
  RUN(a_call_that_is_dropped_runs_no_more_guest_code);
  RUN(a_deadline_ends_a_call_wherever_it_is);
  RUN(starting_goes_from_step_to_step);
  RUN(a_start_function_that_fails);
  RUN(the_counts_count);
  guests_end();
  return 0;
}
