#include "fake_engine.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "../src/host.h"
#include "harness.h"

static wasmtime_func_t fake_func(fake_function function) {
  return (wasmtime_func_t){.store_id = 1, .private_ = (void *)function};
}

static wasmtime_context_t *fake_context(fake_instance *instance) { return (wasmtime_context_t *)instance; }

/* The store of the one asynchronous function that there is. */
#define WAIT 4
/* The instance that is the loop. */
#define LOOP 5

const int FAKE_LOOP = 0;

static wasmtime_error_t *wait_on(fake_instance *instance);

static void *message_new(const char *text, size_t length) {
  char *copy = malloc(length + 1);
  CHECK(copy != NULL);
  memcpy(copy, text, length);
  copy[length] = 0;
  return copy;
}

static wasmtime_error_t *call(wasmtime_context_t *context, const wasmtime_func_t *func, wasmtime_val_raw_t *values,
                              size_t count, wasm_trap_t **trap) {
  fake_instance *instance = (fake_instance *)context;
  fake_function function = (fake_function)func->private_;
  CHECK(count >= 1); /* the engine writes results to the same place */
  if (func->store_id == WAIT) return wait_on(instance);
  instance->calls++;
  switch (function(instance, values)) {
  case TRAPS:
    *trap = message_new("trap", 4);
    return NULL;
  case ERRS: {
    wasmtime_error_t *thrown = instance->thrown == NULL ? message_new("error", 5) : instance->thrown;
    instance->thrown = NULL;
    return thrown;
  }
  default:
    return NULL;
  }
}

static uint8_t *memory_data(const wasmtime_context_t *context, const wasmtime_memory_t *memory) {
  (void)memory;
  return ((const fake_instance *)context)->memory;
}

static size_t memory_size(const wasmtime_context_t *context, const wasmtime_memory_t *memory) {
  (void)memory;
  return ((const fake_instance *)context)->size;
}

static wasmtime_context_t *caller_context(wasmtime_caller_t *caller) { return (wasmtime_context_t *)caller; }

static bool find_function(const fake_instance *instance, const char *name, size_t length, wasmtime_extern_t *found) {
  for (size_t i = 0; i < FAKE_EXPORTS && instance->exports[i].name != NULL; i++) {
    const fake_export *entry = &instance->exports[i];
    if (strlen(entry->name) != length || memcmp(entry->name, name, length) != 0) continue;
    found->kind = WASMTIME_EXTERN_FUNC;
    found->of.func = fake_func(entry->function);
    return true;
  }
  return false;
}

static bool caller_export(wasmtime_caller_t *caller, const char *name, size_t length, wasmtime_extern_t *found) {
  const fake_instance *instance = (const fake_instance *)caller;
  if (length != 6 || memcmp(name, "memory", 6) != 0) return find_function(instance, name, length, found);
  found->kind = instance->exports_memory ? WASMTIME_EXTERN_MEMORY : 0;
  return true;
}

static void *get_data(const wasmtime_context_t *context) { return ((const fake_instance *)context)->data; }

static wasm_trap_t *trap_new(const char *text, size_t length) { return message_new(text, length); }

static void trap_delete(wasm_trap_t *trap) { free(trap); }

static wasmtime_error_t *error_new(const char *text) { return message_new(text, strlen(text)); }

static void error_delete(wasmtime_error_t *error) { free(error); }

static atomic_size_t epochs, engines;

size_t fake_epochs(void) { return atomic_load(&epochs); }

size_t fake_engines(void) { return atomic_load(&engines); }

static wasm_engine_t *engine_clone(wasm_engine_t *engine) {
  atomic_fetch_add(&engines, 1);
  return engine;
}

static void engine_delete(wasm_engine_t *engine) {
  (void)engine;
  atomic_fetch_sub(&engines, 1);
}

static void increment_epoch(wasm_engine_t *engine) {
  (void)engine;
  atomic_fetch_add(&epochs, 1);
}

/* The engine of a plan is the instance itself, and so are its store, its context and its linked
 * module. */
static wasmtime_store_t *store_new(wasm_engine_t *engine, void *data, void (*finalize)(void *)) {
  CHECK(finalize == NULL);
  fake_instance *instance = (fake_instance *)engine;
  instance->data = data;
  instance->stores++;
  return (wasmtime_store_t *)engine;
}

static void store_delete(wasmtime_store_t *store) {
  CHECK(((fake_instance *)store)->running == NULL);
  ((fake_instance *)store)->stores--;
}

static wasmtime_context_t *store_context(wasmtime_store_t *store) { return (wasmtime_context_t *)store; }

static void store_limiter(wasmtime_store_t *store, int64_t memory, int64_t elements, int64_t instances, int64_t tables,
                          int64_t memories) {
  (void)elements, (void)tables;
  CHECK(instances == 2 && memories == 1);
  ((fake_instance *)store)->memory_limit = memory;
}

static void set_epoch_callback(wasmtime_store_t *store, snt_epoch_callback callback, void *data,
                               void (*finalize)(void *)) {
  CHECK(finalize == NULL);
  ((fake_instance *)store)->on_epoch = callback;
  ((fake_instance *)store)->on_epoch_data = data;
}

static void set_epoch_deadline(wasmtime_context_t *context, uint64_t ticks) {
  ((fake_instance *)context)->epoch_deadline = ticks;
}

/* The one instance that is made at once is the loop. */
static wasmtime_error_t *instantiate_loop(const wasmtime_instance_pre_t *pre, wasmtime_context_t *context,
                                          wasmtime_instance_t *made, wasm_trap_t **trap) {
  CHECK((const void *)pre == &FAKE_LOOP && *trap == NULL);
  if (((fake_instance *)context)->has_no_loop) return message_new("no memory", 9);
  *made = (wasmtime_instance_t){.store_id = LOOP};
  return NULL;
}

static bool export_get(wasmtime_context_t *context, const wasmtime_instance_t *which, const char *name, size_t length,
                       wasmtime_extern_t *found) {
  fake_instance *instance = (fake_instance *)context;
  if (which->store_id == LOOP) {
    found->kind = WASMTIME_EXTERN_FUNC;
    found->of.func = (wasmtime_func_t){.store_id = 2};
    return length == 4 && memcmp(name, "loop", 4) == 0;
  }
  CHECK(which->store_id == 3);
  if (length == 6 && memcmp(name, "memory", 6) == 0) {
    found->kind = WASMTIME_EXTERN_MEMORY;
    found->of.memory = (wasmtime_memory_t){.private2 = 0};
    return instance->exports_memory;
  }
  return find_function(instance, name, length, found);
}

/* The deadline that has passed leaves the loop. */
static void park(fake_instance *instance) {
  uint64_t delta = 0;
  uint8_t kind = 0;
  CHECK(instance->epoch_deadline == 0);
  CHECK(instance->on_epoch(fake_context(instance), instance->on_epoch_data, &delta, &kind) == NULL);
  CHECK(kind == WASMTIME_UPDATE_DEADLINE_YIELD);
  instance->epoch_deadline = delta;
}

/* A begun call. With fibers its thread and the poller take turns: `turn` says whose it is. */
struct wasmtime_call_future {
  fake_instance *instance;
  bool instantiates, begun, done, cancelled;
  wasm_trap_t **trap;
  wasmtime_error_t **error;
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  enum { POLLER, FIBER } turn;
};

/* Instantiates, or goes once around the loop. */
static void body(wasmtime_call_future_t *future) {
  fake_instance *instance = future->instance;
  if (!future->instantiates) {
    wasmtime_val_raw_t goes_on[1] = {{.i32 = -1}};
    CHECK(snt_run_call((void *)&FAKE_ENGINE, fake_caller(instance), goes_on, 1) == NULL);
    CHECK(goes_on[0].i32 == 0 || goes_on[0].i32 == 1);
    future->done = goes_on[0].i32 == 0;
    if (!future->done) park(instance);
    return;
  }
  if (instance->start != NULL) {
    wasmtime_val_raw_t values[1] = {{.i32 = 0}};
    wasmtime_func_t function = fake_func(instance->start);
    *future->error = call(fake_context(instance), &function, values, 1, future->trap);
  }
  future->done = true;
}

static void give_turn(wasmtime_call_future_t *future, int to) {
  pthread_mutex_lock(&future->lock);
  future->turn = to;
  pthread_cond_broadcast(&future->changed);
  pthread_mutex_unlock(&future->lock);
}

static void await_turn(wasmtime_call_future_t *future, int whose) {
  pthread_mutex_lock(&future->lock);
  while ((int)future->turn != whose) pthread_cond_wait(&future->changed, &future->lock);
  pthread_mutex_unlock(&future->lock);
}

static void *fiber(void *argument) {
  wasmtime_call_future_t *future = argument;
  await_turn(future, FIBER);
  for (body(future); !future->done; body(future)) {
    give_turn(future, POLLER);
    await_turn(future, FIBER);
    if (future->cancelled) break;
  }
  future->done = true;
  give_turn(future, POLLER);
  return NULL;
}

static wasmtime_call_future_t *future_new(fake_instance *instance, bool instantiates, wasm_trap_t **trap,
                                          wasmtime_error_t **error) {
  wasmtime_call_future_t *future = calloc(1, sizeof *future);
  CHECK(future != NULL && instance->running == NULL);
  *future = (wasmtime_call_future_t){.instance = instance, .instantiates = instantiates, .trap = trap, .error = error};
  pthread_mutex_init(&future->lock, NULL);
  pthread_cond_init(&future->changed, NULL);
  instance->running = future;
  return future;
}

static wasmtime_call_future_t *instantiate(const wasmtime_instance_pre_t *pre, wasmtime_context_t *context,
                                           wasmtime_instance_t *made, wasm_trap_t **trap, wasmtime_error_t **error) {
  CHECK((const void *)pre == (const void *)context);
  *made = (wasmtime_instance_t){.store_id = 3};
  return future_new((fake_instance *)context, true, trap, error);
}

static wasmtime_call_future_t *call_async(wasmtime_context_t *context, const wasmtime_func_t *func,
                                          const wasmtime_val_t *args, size_t arg_count, wasmtime_val_t *results,
                                          size_t result_count, wasm_trap_t **trap, wasmtime_error_t **error) {
  CHECK(func->store_id == 2 && args == NULL && arg_count == 0 && results == NULL && result_count == 0);
  return future_new((fake_instance *)context, false, trap, error);
}

static bool future_poll(wasmtime_call_future_t *future) {
  CHECK(!future->done);
  if (!future->instance->has_fibers) {
    body(future);
    return future->done;
  }
  if (!future->begun) CHECK(pthread_create(&future->thread, NULL, fiber, future) == 0);
  future->begun = true;
  give_turn(future, FIBER);
  await_turn(future, POLLER);
  return future->done;
}

static void future_delete(wasmtime_call_future_t *future) {
  if (future->begun) {
    if (!future->done) {
      future->cancelled = true;
      give_turn(future, FIBER);
      await_turn(future, POLLER);
      CHECK(future->done);
    }
    pthread_join(future->thread, NULL);
  }
  pthread_cond_destroy(&future->changed);
  pthread_mutex_destroy(&future->lock);
  future->instance->running = NULL;
  free(future);
}

static bool linker_get(const wasmtime_linker_t *linker, wasmtime_context_t *context, const char *module,
                       size_t module_length, const char *name, size_t length, wasmtime_extern_t *found) {
  (void)linker, (void)context, (void)module;
  if (module_length != 0 || length != 4 || memcmp(name, "wait", 4) != 0) return false;
  found->kind = WASMTIME_EXTERN_FUNC;
  found->of.func = (wasmtime_func_t){.store_id = WAIT};
  return true;
}

static wasmtime_error_t *wait_on(fake_instance *instance) {
  wasmtime_async_continuation_t continuation = {NULL, NULL, NULL};
  wasm_trap_t *trap = NULL;
  snt_http_wait((void *)&FAKE_ENGINE, fake_caller(instance), NULL, 0, NULL, 0, &trap, &continuation);
  CHECK(trap == NULL && continuation.finalizer == NULL);
  wasmtime_call_future_t *future = instance->running;
  while (!continuation.callback(continuation.env)) {
    give_turn(future, POLLER);
    await_turn(future, FIBER);
    if (future->cancelled) return message_new("dropped", 7);
  }
  return NULL;
}

bool fake_tick(fake_instance *instance) {
  uint64_t delta = 0;
  uint8_t kind = 0;
  instance->thrown = instance->on_epoch(fake_context(instance), instance->on_epoch_data, &delta, &kind);
  if (instance->thrown != NULL) return false;
  CHECK(delta == SNT_MORE_TICKS && kind == WASMTIME_UPDATE_DEADLINE_YIELD);
  wasmtime_call_future_t *future = instance->running;
  give_turn(future, POLLER);
  await_turn(future, FIBER);
  if (future->cancelled) instance->thrown = message_new("dropped", 7);
  return !future->cancelled;
}

const snt_engine FAKE_ENGINE = {
    .wasmtime_func_call_unchecked = call,
    .wasmtime_memory_data = memory_data,
    .wasmtime_memory_data_size = memory_size,
    .wasmtime_caller_context = caller_context,
    .wasmtime_caller_export_get = caller_export,
    .wasmtime_context_get_data = get_data,
    .wasmtime_trap_new = trap_new,
    .wasm_trap_delete = trap_delete,
    .wasmtime_error_new = error_new,
    .wasmtime_error_delete = error_delete,
    .wasmtime_engine_clone = engine_clone,
    .wasm_engine_delete = engine_delete,
    .wasmtime_engine_increment_epoch = increment_epoch,
    .wasmtime_store_new = store_new,
    .wasmtime_store_delete = store_delete,
    .wasmtime_store_context = store_context,
    .wasmtime_store_limiter = store_limiter,
    .wasmtime_store_epoch_deadline_callback = set_epoch_callback,
    .wasmtime_context_set_epoch_deadline = set_epoch_deadline,
    .wasmtime_instance_pre_instantiate = instantiate_loop,
    .wasmtime_instance_export_get = export_get,
    .wasmtime_linker_get = linker_get,
    .wasmtime_instance_pre_instantiate_async = instantiate,
    .wasmtime_func_call_async = call_async,
    .wasmtime_call_future_poll = future_poll,
    .wasmtime_call_future_delete = future_delete,
};

fake_instance *fake_instance_new(size_t size) {
  fake_instance *instance = calloc(1, sizeof *instance);
  CHECK(instance != NULL);
  instance->memory = calloc(1, size);
  CHECK(instance->memory != NULL);
  instance->size = size;
  instance->next = 64;
  instance->exports_memory = true;
  return instance;
}

void fake_instance_free(fake_instance *instance) {
  free(instance->memory);
  free(instance);
}

void fake_grow(fake_instance *instance, size_t size) {
  uint8_t *moved = calloc(1, size);
  CHECK(moved != NULL && size >= instance->size);
  memcpy(moved, instance->memory, instance->size);
  free(instance->memory);
  instance->memory = moved;
  instance->size = size;
}

void fake_store_u32(fake_instance *instance, uint32_t at, uint32_t value) {
  CHECK((size_t)at + 4 <= instance->size);
  memcpy(instance->memory + at, &value, 4);
}

void fake_export_function(fake_instance *instance, const char *name, fake_function function) {
  size_t i = 0;
  while (instance->exports[i].name != NULL) i++;
  CHECK(i < FAKE_EXPORTS);
  instance->exports[i] = (fake_export){name, function};
}

wasmtime_caller_t *fake_caller(fake_instance *instance) { return (wasmtime_caller_t *)instance; }

const char *fake_message(const void *trap_or_error) { return trap_or_error; }
