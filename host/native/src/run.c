/* An instance's life, and its calls as something that can be left and gone on with; guest.h has the
 * rules. */
#define _POSIX_C_SOURCE 200809L

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "guest.h"

/* The guest and the loop. */
#define INSTANCES 2

static uint64_t clock_ns(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* Reading the thread's clock is a system call. A call that ends before its first tick, as nearly
 * all do, does without. */
static void charge(snt_guest *guest) {
  uint64_t cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
  if (guest->ticked) {
    guest->used_ns += cpu - guest->cpu_base_ns;
  } else {
    /* Whatever the wall clock says, it is charged for no more than its first ticks: it may have
     * been kept from running, or the first of them was a quiet worker's. */
    uint64_t passed = clock_ns(CLOCK_MONOTONIC) - guest->began_ns;
    guest->used_ns += passed < SNT_FIRST_TICKS * SNT_TICK_NS ? passed : SNT_FIRST_TICKS * SNT_TICK_NS;
    guest->ticked = true;
  }
  guest->cpu_base_ns = cpu;
}

static wasmtime_error_t *on_epoch(wasmtime_context_t *context, void *data, uint64_t *delta, uint8_t *kind) {
  (void)context;
  snt_guest *guest = data;
  if (guest->ended) {
    /* Of the next call. */
    *delta = SNT_FIRST_TICKS;
    *kind = WASMTIME_UPDATE_DEADLINE_YIELD;
    return NULL;
  }
  charge(guest);
  if (guest->used_ns >= guest->budget_ns) {
    guest->timed_out = true;
    return guest->engine->wasmtime_error_new("deadline exceeded");
  }
  *delta = SNT_MORE_TICKS;
  *kind = WASMTIME_UPDATE_DEADLINE_YIELD;
  return NULL;
}

wasm_trap_t *snt_run_call(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t count) {
  (void)count;
  const snt_engine *engine = env;
  snt_guest *guest = engine->wasmtime_context_get_data(engine->wasmtime_caller_context(caller));
  args[0].i32 = 0;
  if (guest->leaving) return NULL;
  guest->result = snt_run_hook(guest);
  guest->ended = true;
  /* Also one that was dropped, whose fiber must not be parked any more. */
  if (guest->result < 0) return NULL;
  args[0].i32 = 1;
  engine->wasmtime_context_set_epoch_deadline(guest->context, 0);
  return NULL;
}

/* The export by which the loop is entered. */
static bool find_loop(snt_guest *guest) {
  const snt_engine *engine = guest->engine;
  wasmtime_instance_t instance;
  wasmtime_extern_t found;
  wasm_trap_t *trap = NULL;
  wasmtime_error_t *error = engine->wasmtime_instance_pre_instantiate(guest->plan->loop, guest->context, &instance, &trap);
  if (error != NULL) engine->wasmtime_error_delete(error);
  if (trap != NULL) engine->wasm_trap_delete(trap);
  if (error != NULL || trap != NULL ||
      !engine->wasmtime_instance_export_get(guest->context, &instance, "loop", 4, &found) ||
      found.kind != WASMTIME_EXTERN_FUNC)
    return false;
  guest->loop = found.of.func;
  return true;
}

snt_guest *snt_guest_new(snt_plan *plan) {
  const snt_engine *engine = plan->engine;
  snt_guest *guest = calloc(1, sizeof *guest);
  if (guest == NULL) return NULL;
  guest->store = engine->wasmtime_store_new(plan->wasm_engine, guest, NULL);
  guest->context = engine->wasmtime_store_context(guest->store);
  guest->plan = plan;
  guest->engine = engine;
  guest->label = "";
  guest->needed_hooks = UINT32_MAX;
  snt_plan_keep(plan);
  const snt_limits *limits = &plan->limits;
  engine->wasmtime_store_limiter(guest->store, limits->memory, limits->table_elements, INSTANCES, limits->tables, 1);
  engine->wasmtime_store_epoch_deadline_callback(guest->store, on_epoch, guest, NULL);
  plan->counters->instances++;
  plan->counters->started++;
  if (find_loop(guest)) return guest;
  snt_guest_free(guest);
  return NULL;
}

static void drop_failure(snt_guest *guest) {
  const snt_engine *engine = guest->engine;
  if (guest->trap != NULL) engine->wasm_trap_delete(guest->trap);
  if (guest->error != NULL) engine->wasmtime_error_delete(guest->error);
  guest->trap = NULL;
  guest->error = NULL;
}

static void drop_outer_failure(snt_guest *guest) {
  const snt_engine *engine = guest->engine;
  if (guest->outer_trap != NULL) engine->wasm_trap_delete(guest->outer_trap);
  if (guest->outer_error != NULL) engine->wasmtime_error_delete(guest->outer_error);
  guest->outer_trap = NULL;
  guest->outer_error = NULL;
}

/* End the fiber. One that is parked ends the loop, which costs a fifth of unwinding it. Otherwise it
 * is unwound: the nested call fails, and `snt_run_hook` returns at once. */
static void leave(snt_guest *guest) {
  guest->leaving = true;
  if (guest->ended) guest->engine->wasmtime_call_future_poll(guest->future);
  guest->engine->wasmtime_call_future_delete(guest->future);
}

void snt_guest_free(snt_guest *guest) {
  if (guest == NULL) return;
  const snt_engine *engine = guest->engine;
  if (guest->future != NULL) leave(guest);
  if (guest->busy) guest->plan->counters->cpu_ns += guest->used_ns;
  drop_failure(guest);
  drop_outer_failure(guest);
  engine->wasmtime_store_delete(guest->store);
  guest->plan->counters->instances--;
  guest->plan->counters->memory_bytes -= guest->memory_size;
  snt_plan_free(guest->plan);
  free(guest->exchange.request);
  free(guest->exchange.answer);
  free(guest->output);
  free(guest);
}

static bool find(snt_guest *guest, const char *name, uint8_t kind, wasmtime_extern_t *found) {
  return guest->engine->wasmtime_instance_export_get(guest->context, &guest->instance, name, strlen(name), found) &&
         found->kind == kind;
}

static bool find_function(snt_guest *guest, const char *name, wasmtime_func_t *function) {
  wasmtime_extern_t found;
  if (!find(guest, name, WASMTIME_EXTERN_FUNC, &found)) return false;
  *function = found.of.func;
  return true;
}

/* Returns whether everything that the plan names is there. */
static bool bind(snt_guest *guest) {
  wasmtime_extern_t memory;
  if (!find(guest, "memory", WASMTIME_EXTERN_MEMORY, &memory)) return false;
  guest->memory = memory.of.memory;
  if (!find_function(guest, "cabi_realloc", &guest->realloc_)) return false;
  for (size_t i = 0; i < SNT_HOOKS; i++) {
    const snt_shape *shape = &guest->plan->hooks[i];
    snt_hook *hook = &guest->hooks[i];
    if (!shape->bound) continue;
    if (!find_function(guest, shape->name, &hook->function)) return false;
    hook->has_post = shape->post != NULL;
    if (hook->has_post && !find_function(guest, shape->post, &hook->post)) return false;
    hook->lists = shape->lists;
    hook->takes_flag = shape->takes_flag;
    hook->returns = shape->returns;
    hook->bound = true;
  }
  guest->bound = true;
  snt_memory_size(guest);
  return true;
}

/* Whether the instance has served enough with the call that has just ended. */
static bool is_retirable(snt_guest *guest) {
  const snt_limits *limits = &guest->plan->limits;
  if (guest->memory_size > limits->high_water) guest->above_high_water++;
  return ++guest->served >= limits->retire_calls || guest->above_high_water >= limits->high_calls;
}

/* The loop is entered by the first call, and stays entered. */
static void begin_call(snt_guest *guest, uint32_t index) {
  guest->hook = &guest->hooks[index];
  guest->ended = false;
  if (guest->future != NULL) return;
  guest->future = guest->engine->wasmtime_func_call_async(guest->context, &guest->loop, NULL, 0, NULL, 0,
                                                          &guest->outer_trap, &guest->outer_error);
}

/* The next step of starting, once the one before has ended well. Returns whether there is one. */
static bool begin_next(snt_guest *guest) {
  /* It has ticks of its own, of which those of the steps before know nothing. */
  charge(guest);
  if (guest->phase < SNT_INITIALIZING && guest->hooks[SNT_SLOT_INITIALIZE].bound) {
    guest->phase = SNT_INITIALIZING;
    begin_call(guest, SNT_SLOT_INITIALIZE);
    return true;
  }
  if (guest->phase < SNT_CONFIGURING && guest->hooks[SNT_SLOT_CONFIGURE].bound) {
    guest->phase = SNT_CONFIGURING;
    begin_call(guest, SNT_SLOT_CONFIGURE);
    return true;
  }
  if (guest->phase < SNT_SELECTING && guest->hooks[SNT_SLOT_NEEDED_HOOKS].bound) {
    guest->phase = SNT_SELECTING;
    begin_call(guest, SNT_SLOT_NEEDED_HOOKS);
    return true;
  }
  if (guest->phase < SNT_LENDING && guest->hooks[SNT_SLOT_ARGUMENT_AREA].bound) {
    guest->phase = SNT_LENDING;
    begin_call(guest, SNT_SLOT_ARGUMENT_AREA);
    return true;
  }
  return false;
}

/* The result of the engine call that has just ended: the instance was made, or the loop was left. */
static int64_t outcome(snt_guest *guest) {
  bool is_start = guest->phase == SNT_STARTING;
  if (guest->ended) return guest->result;
  if (guest->outer_trap == NULL && guest->outer_error == NULL) return bind(guest) ? 0 : SNT_NO_HOOK;
  drop_failure(guest);
  guest->trap = guest->outer_trap;
  guest->error = guest->outer_error;
  guest->outer_trap = NULL;
  guest->outer_error = NULL;
  return is_start ? SNT_TRAP_IN_START : SNT_TRAP_IN_HOOK;
}

static void note_call(snt_guest *guest, int64_t result) {
  const snt_plan *plan = guest->plan;
  snt_trail_call call = {.began_ns = guest->began_ns,
                         .ended_ns = guest->ticked ? clock_ns(CLOCK_MONOTONIC) : guest->began_ns + guest->used_ns,
                         .used_ns = guest->used_ns,
                         .result = result,
                         .taken = (uint32_t)guest->lists[0].length,
                         .mark = plan->mark,
                         .hook = (uint16_t)(guest->hook - guest->hooks)};
  snt_trail_put(plan->trail, guest->label, &call);
}

static int64_t finish(snt_guest *guest, int64_t result) {
  guest->busy = false;
  if (guest->ticked) {
    guest->used_ns += clock_ns(CLOCK_THREAD_CPUTIME_ID) - guest->cpu_base_ns;
  } else {
    guest->used_ns += clock_ns(CLOCK_MONOTONIC) - guest->began_ns;
  }
  guest->plan->counters->cpu_ns += guest->used_ns;
  if (guest->plan->trail != NULL && guest->plan->trail->enabled && guest->phase == SNT_SERVING) note_call(guest, result);
  if (result < 0) {
    guest->discarded = true;
    return result;
  }
  if (guest->phase == SNT_SERVING) return is_retirable(guest) ? result | SNT_RETIRABLE : result;
  guest->phase = SNT_SERVING;
  return result;
}

/* Run the begun call until it ends or its ticks do; a start goes from step to step. */
static int64_t go(snt_guest *guest) {
  const snt_engine *engine = guest->engine;
  for (;;) {
    snt_ticker_enter(guest->plan->ticker);
    bool done = engine->wasmtime_call_future_poll(guest->future);
    snt_ticker_leave(guest->plan->ticker);
    if (!done && !guest->ended) {
      if (guest->exchange.waits) {
        charge(guest);
        return SNT_WAITING;
      }
      guest->plan->counters->suspensions++;
      return SNT_SUSPENDED;
    }
    int64_t result = guest->result;
    if (done) {
      engine->wasmtime_call_future_delete(guest->future);
      guest->future = NULL;
      result = outcome(guest);
    }
    if (result < 0 || guest->phase == SNT_SERVING || !begin_next(guest)) return finish(guest, result);
  }
}

static void begin(snt_guest *guest, uint64_t budget, const char *label) {
  guest->label = label;
  guest->length = 0;
  guest->lines = 0;
  guest->fetches = 0;
  guest->busy = true;
  guest->ticked = false;
  guest->used_ns = 0;
  guest->budget_ns = budget;
  guest->began_ns = clock_ns(CLOCK_MONOTONIC);
  /* A parked fiber is given them as it is resumed. */
  if (guest->future == NULL) guest->engine->wasmtime_context_set_epoch_deadline(guest->context, SNT_FIRST_TICKS);
}

int64_t snt_guest_start(snt_guest *guest, const uint8_t *config, size_t length) {
  if (guest->busy) return SNT_BUSY;
  if (guest->discarded) return SNT_DISCARDED;
  if (guest->phase != SNT_NEW) return SNT_NO_HOOK;
  begin(guest, guest->plan->limits.start_deadline, "");
  guest->phase = SNT_STARTING;
  guest->lists[0] = (snt_list){config, length};
  guest->future = guest->engine->wasmtime_instance_pre_instantiate_async(
      guest->plan->pre, guest->context, &guest->instance, &guest->outer_trap, &guest->outer_error);
  return go(guest);
}

int64_t snt_call(snt_guest *guest, uint32_t index, const uint8_t *first, size_t first_length, const uint8_t *second,
                 size_t second_length, bool flag, const char *label) {
  if (guest->busy) return SNT_BUSY;
  if (guest->discarded) return SNT_DISCARDED;
  if (index >= SNT_HOOKS || guest->phase != SNT_SERVING || !guest->hooks[index].bound) return SNT_NO_HOOK;
  begin(guest, guest->plan->limits.deadline, label);
  guest->plan->calls++;
  guest->plan->counters->calls++;
  guest->lists[0] = (snt_list){first, first_length};
  guest->lists[1] = (snt_list){second, second_length};
  guest->flag = flag;
  begin_call(guest, index);
  return go(guest);
}

void snt_guest_move(snt_guest *guest, const uint8_t *first) { guest->lists[0].bytes = first; }

int64_t snt_resume(snt_guest *guest) {
  if (guest->discarded) return SNT_DISCARDED;
  if (!guest->busy) return SNT_NO_HOOK;
  if (guest->ticked) guest->cpu_base_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
  return go(guest);
}

const uint8_t *snt_guest_output(const snt_guest *guest) { return guest->output; }

size_t snt_guest_length(const snt_guest *guest) { return guest->length; }

uint32_t snt_guest_needed_hooks(const snt_guest *guest) { return guest->needed_hooks; }

int snt_guest_phase(const snt_guest *guest) { return (int)guest->phase; }

bool snt_guest_timed_out(const snt_guest *guest) { return guest->timed_out; }

uintptr_t snt_guest_take_trap(snt_guest *guest) {
  uintptr_t trap = (uintptr_t)guest->trap;
  guest->trap = NULL;
  return trap;
}

uintptr_t snt_guest_take_error(snt_guest *guest) {
  uintptr_t error = (uintptr_t)guest->error;
  guest->error = NULL;
  return error;
}
