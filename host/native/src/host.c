#include "host.h"

#include <stdio.h>
#include <string.h>

#define MESSAGE 128

static const struct {
  const char *name;
  wasmtime_func_unchecked_callback_t function;
} IMPORTS[] = {
    {"clock.wall", snt_clock_wall},
    {"clock.monotonic", snt_clock_monotonic},
    {"random.bytes", snt_random_bytes},
    {"random.number", snt_random_number},
    {"metrics.add", snt_import_metrics_add},
    {"metrics.observe", snt_import_metrics_observe},
    {"metrics.describe", snt_import_metrics_describe},
    {"kv.get", snt_import_kv_get},
    {"kv.set", snt_import_kv_set},
    {"kv.delete", snt_import_kv_delete},
    {"kv.add", snt_import_kv_add},
    {"http-client.send", snt_import_http_send},
};

#define COUNT (sizeof IMPORTS / sizeof *IMPORTS)

const char *snt_import_name(size_t index) { return index < COUNT ? IMPORTS[index].name : NULL; }

uintptr_t snt_import_address(size_t index) { return index < COUNT ? (uintptr_t)IMPORTS[index].function : 0; }

wasm_trap_t *snt_refuse(const snt_engine *engine, const char *what, const char *why) {
  char message[MESSAGE];
  int length = snprintf(message, sizeof message, "%s: %s", what, why);
  return engine->wasmtime_trap_new(message, length < MESSAGE ? (size_t)length : MESSAGE - 1);
}

static bool is_serving(const snt_host_call *call) { return call->guest != NULL && call->guest->bound; }

wasm_trap_t *snt_host_enter(snt_host_call *call, const snt_engine *engine, wasmtime_caller_t *caller, const char *what) {
  wasmtime_context_t *context = engine->wasmtime_caller_context(caller);
  *call = (snt_host_call){what, engine, caller, context, engine->wasmtime_context_get_data(context), {{0, 0}, 0}};
  if (is_serving(call)) {
    call->memory = call->guest->memory;
    return NULL;
  }
  wasmtime_extern_t found;
  if (!engine->wasmtime_caller_export_get(caller, "memory", 6, &found) || found.kind != WASMTIME_EXTERN_MEMORY) {
    return snt_refuse(engine, what, "the caller exports no memory");
  }
  call->memory = found.of.memory;
  return NULL;
}

uint8_t *snt_host_bytes(const snt_host_call *call, uint32_t start, uint32_t length) {
  if ((uint64_t)start + length > call->engine->wasmtime_memory_data_size(call->context, &call->memory)) return NULL;
  return call->engine->wasmtime_memory_data(call->context, &call->memory) + start;
}

uint8_t *snt_host_area(const snt_host_call *call, uint32_t start, uint32_t size, uint32_t align) {
  return start % align == 0 ? snt_host_bytes(call, start, size) : NULL;
}

/* An error that was only dropped would make the outer call look fine. */
wasm_trap_t *snt_host_nested(const snt_host_call *call, wasm_trap_t *trap, wasmtime_error_t *error) {
  if (error != NULL) {
    if (trap != NULL) call->engine->wasm_trap_delete(trap);
    call->engine->wasmtime_error_delete(error);
    if (call->guest != NULL && call->guest->timed_out) {
      return call->engine->wasmtime_trap_new("deadline exceeded", strlen("deadline exceeded"));
    }
    return snt_refuse(call->engine, call->what, "the call was broken off");
  }
  return trap;
}

wasm_trap_t *snt_host_allocate(const snt_host_call *call, uint32_t length, uint32_t *start) {
  wasmtime_extern_t found;
  const wasmtime_func_t *function = &found.of.func;
  if (is_serving(call)) {
    function = &call->guest->realloc_;
  } else if (!call->engine->wasmtime_caller_export_get(call->caller, "cabi_realloc", 12, &found) ||
             found.kind != WASMTIME_EXTERN_FUNC) {
    return snt_refuse(call->engine, call->what, "the caller exports no cabi_realloc");
  }
  wasmtime_val_raw_t values[4] = {{.i32 = 0}, {.i32 = 0}, {.i32 = 1}, {.i32 = (int32_t)length}};
  wasm_trap_t *trap = NULL;
  wasmtime_error_t *error = call->engine->wasmtime_func_call_unchecked(call->context, function, values, 4, &trap);
  if (error != NULL || trap != NULL) return snt_host_nested(call, trap, error);
  *start = (uint32_t)values[0].i32;
  if (snt_host_bytes(call, *start, length) != NULL) return NULL;
  return snt_refuse(call->engine, call->what, "cabi_realloc returned memory out of bounds");
}

wasm_trap_t *snt_host_outside(const snt_host_call *call) {
  return snt_refuse(call->engine, call->what, "an argument lies outside of memory");
}

wasm_trap_t *snt_host_no_area(const snt_host_call *call) {
  return snt_refuse(call->engine, call->what, "the return area is misaligned or lies outside of memory");
}
