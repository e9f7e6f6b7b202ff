#include "fake_engine.h"

#include <stdlib.h>
#include <string.h>

#include "harness.h"

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
  instance->calls++;
  switch (function(instance, values)) {
  case TRAPS:
    *trap = message_new("trap", 4);
    return NULL;
  case ERRS:
    return message_new("error", 5);
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

static bool caller_export(wasmtime_caller_t *caller, const char *name, size_t length, wasmtime_extern_t *found) {
  if (length != 6 || memcmp(name, "memory", 6) != 0) return false;
  found->kind = ((const fake_instance *)caller)->exports_memory ? WASMTIME_EXTERN_MEMORY : 0;
  return true;
}

static void *get_data(const wasmtime_context_t *context) { return ((const fake_instance *)context)->data; }

static void set_data(wasmtime_context_t *context, void *data) { ((fake_instance *)context)->data = data; }

static wasm_trap_t *trap_new(const char *text, size_t length) { return message_new(text, length); }

static void trap_delete(wasm_trap_t *trap) { free(trap); }

static void error_delete(wasmtime_error_t *error) { free(error); }

const snt_engine FAKE_ENGINE = {
    .wasmtime_func_call_unchecked = call,
    .wasmtime_memory_data = memory_data,
    .wasmtime_memory_data_size = memory_size,
    .wasmtime_caller_context = caller_context,
    .wasmtime_caller_export_get = caller_export,
    .wasmtime_context_get_data = get_data,
    .wasmtime_context_set_data = set_data,
    .wasmtime_trap_new = trap_new,
    .wasm_trap_delete = trap_delete,
    .wasmtime_error_delete = error_delete,
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

wasmtime_func_t fake_func(fake_function function) { return (wasmtime_func_t){.store_id = 1, .private_ = (void *)function}; }

uintptr_t fake_context(fake_instance *instance) { return (uintptr_t)instance; }

wasmtime_caller_t *fake_caller(fake_instance *instance) { return (wasmtime_caller_t *)instance; }

const char *fake_message(const void *trap_or_error) { return trap_or_error; }
