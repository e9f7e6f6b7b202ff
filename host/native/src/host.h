/* What the functions that guests import have in common: who calls, and the caller's memory.
 *
 * Rule 1: the linker has checked the core type of every import, and nothing else: pointers and
 *         lengths are a guest's word. They are checked in 64-bit arithmetic against a size read
 *         after the last guest code ran.
 * Rule 2: a function that returns bytes calls the guest's cabi_realloc in the middle of the guest's
 *         own call. That may grow the memory, loop until the deadline, trap, or call this host
 *         again: nothing read before it is used after.
 * Rule 3: a wrong pointer is a trap, like any access out of bounds. What a correct guest may run
 *         into is a value that the function returns.
 * Rule 4: these functions work in start functions too, when the instance is not bound yet and its
 *         exports are looked up.
 */
#ifndef SNT_HOST_H
#define SNT_HOST_H

#include "guest.h"

typedef struct {
  const char *what; /* the function, for messages: `random.bytes` */
  const snt_engine *engine;
  wasmtime_caller_t *caller;
  wasmtime_context_t *context;
  snt_guest *guest;
  wasmtime_memory_t memory;
} snt_host_call;

/* A trap that says `what: why`. */
wasm_trap_t *snt_refuse(const snt_engine *engine, const char *what, const char *why);

/* Learn who calls. Returns NULL, or a trap for a caller that has no memory. */
wasm_trap_t *snt_host_enter(snt_host_call *call, const snt_engine *engine, wasmtime_caller_t *caller, const char *what);

/* Where `length` bytes at `start` of the caller's memory are, until guest code runs; NULL when they
 * are not all inside. */
uint8_t *snt_host_bytes(const snt_host_call *call, uint32_t start, uint32_t length);

/* The return area of `size` bytes at `start`, which must be aligned to `align`; as above. */
uint8_t *snt_host_area(const snt_host_call *call, uint32_t start, uint32_t size, uint32_t align);

/* Memory of the guest's own for `length` bytes, which may be none, from its cabi_realloc. Returns
 * NULL, or the trap to return. */
wasm_trap_t *snt_host_allocate(const snt_host_call *call, uint32_t length, uint32_t *start);

/* For a nested call that ended in a trap or an error, one of them NULL: what the outer function
 * must return. */
wasm_trap_t *snt_host_nested(const snt_host_call *call, wasm_trap_t *trap, wasmtime_error_t *error);

/* The traps that most functions may end in. */
wasm_trap_t *snt_host_outside(const snt_host_call *call);
wasm_trap_t *snt_host_no_area(const snt_host_call *call);

/* A function that guests may import, by its place in a list that ends where this returns NULL: its
 * interface and name with a full stop between, and its address, an unchecked callback whose `env`
 * is the snt_engine. */
const char *snt_import_name(size_t index);
uintptr_t snt_import_address(size_t index);

wasm_trap_t *snt_clock_wall(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t count);
wasm_trap_t *snt_clock_monotonic(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t count);
wasm_trap_t *snt_random_bytes(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t count);
wasm_trap_t *snt_random_number(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t count);
wasm_trap_t *snt_import_metrics_add(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t count);
wasm_trap_t *snt_import_metrics_observe(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t count);
wasm_trap_t *snt_import_metrics_describe(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t count);
wasm_trap_t *snt_import_kv_get(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t count);
wasm_trap_t *snt_import_kv_set(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t count);
wasm_trap_t *snt_import_kv_delete(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t count);
wasm_trap_t *snt_import_kv_add(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t count);
wasm_trap_t *snt_import_http_send(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t count);

/* The asynchronous host function `wait` of snt_http_grant.linker; `env` is the snt_engine. */
void snt_http_wait(void *env, wasmtime_caller_t *caller, const wasmtime_val_t *args, size_t arg_count,
                   wasmtime_val_t *results, size_t result_count, wasm_trap_t **trap,
                   wasmtime_async_continuation_t *continuation);

#endif
