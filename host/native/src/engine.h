/* The part of wasmtime's C API that Sentinel calls, declared here because the wheel ships no
 * headers.
 *
 * Rule 1: nothing links against wasmtime. Every function is reached through a table that Python
 *         fills, at import, with addresses from the library that wasmtime-py has already loaded, so
 *         that a test can pass a fake table.
 * Rule 2: what is declared here is checked: Python compares every size and offset below with the
 *         wheel's own definitions and refuses another major version.
 */
#ifndef SNT_ENGINE_H
#define SNT_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "linear memory is little-endian, and so must be the host that reads it in place"
#endif

typedef struct wasmtime_context wasmtime_context_t;
typedef struct wasmtime_caller wasmtime_caller_t;
typedef struct wasmtime_error wasmtime_error_t;
typedef struct wasm_trap wasm_trap_t;
typedef struct wasm_engine wasm_engine_t;
typedef struct wasmtime_store wasmtime_store_t;
typedef struct wasmtime_instance_pre wasmtime_instance_pre_t;
typedef struct wasmtime_call_future wasmtime_call_future_t;
typedef struct wasmtime_val wasmtime_val_t;
typedef struct wasmtime_linker wasmtime_linker_t;

typedef struct {
  uint64_t store_id;
  void *private_;
} wasmtime_func_t;

typedef struct {
  struct {
    uint64_t store_id;
    uint32_t private1;
  } head;
  uint32_t private2;
} wasmtime_memory_t;

typedef struct {
  uint64_t store_id;
  size_t private_;
} wasmtime_instance_t;

typedef union {
  int32_t i32;
  int64_t i64;
  double f64;
  uint8_t v128[16];
} wasmtime_val_raw_t;

typedef struct {
  uint8_t kind;
  union {
    wasmtime_func_t func;
    wasmtime_memory_t memory;
    uint64_t largest[3];
  } of;
} wasmtime_extern_t;

enum { WASMTIME_EXTERN_FUNC = 0, WASMTIME_EXTERN_MEMORY = 3 };

/* What goes on with an asynchronous host function: asked whenever the fiber is resumed. */
typedef struct {
  bool (*callback)(void *);
  void *env;
  void (*finalizer)(void *);
} wasmtime_async_continuation_t;

/* What an epoch callback may answer beside an error. */
enum { WASMTIME_UPDATE_DEADLINE_YIELD = 1 };

typedef wasm_trap_t *(*wasmtime_func_unchecked_callback_t)(void *, wasmtime_caller_t *, wasmtime_val_raw_t *, size_t);
typedef wasmtime_error_t *(*snt_epoch_callback)(wasmtime_context_t *, void *, uint64_t *, uint8_t *);

/* F(return type, name, parameters): the table, its names and its setter are all made from this
 * list. */
#define SNT_ENGINE_FUNCTIONS(F)                                                                                    \
  F(wasmtime_error_t *, wasmtime_func_call_unchecked,                                                              \
    (wasmtime_context_t *, const wasmtime_func_t *, wasmtime_val_raw_t *, size_t, wasm_trap_t **))                 \
  F(uint8_t *, wasmtime_memory_data, (const wasmtime_context_t *, const wasmtime_memory_t *))                      \
  F(size_t, wasmtime_memory_data_size, (const wasmtime_context_t *, const wasmtime_memory_t *))                    \
  F(wasmtime_context_t *, wasmtime_caller_context, (wasmtime_caller_t *))                                          \
  F(bool, wasmtime_caller_export_get, (wasmtime_caller_t *, const char *, size_t, wasmtime_extern_t *))            \
  F(void *, wasmtime_context_get_data, (const wasmtime_context_t *))                                               \
  F(wasm_trap_t *, wasmtime_trap_new, (const char *, size_t))                                                      \
  F(void, wasm_trap_delete, (wasm_trap_t *))                                                                       \
  F(wasmtime_error_t *, wasmtime_error_new, (const char *))                                                        \
  F(void, wasmtime_error_delete, (wasmtime_error_t *))                                                             \
  F(wasm_engine_t *, wasmtime_engine_clone, (wasm_engine_t *))                                                     \
  F(void, wasm_engine_delete, (wasm_engine_t *))                                                                   \
  F(void, wasmtime_engine_increment_epoch, (wasm_engine_t *))                                                      \
  F(wasmtime_store_t *, wasmtime_store_new, (wasm_engine_t *, void *, void (*)(void *)))                           \
  F(void, wasmtime_store_delete, (wasmtime_store_t *))                                                             \
  F(wasmtime_context_t *, wasmtime_store_context, (wasmtime_store_t *))                                            \
  F(void, wasmtime_store_limiter, (wasmtime_store_t *, int64_t, int64_t, int64_t, int64_t, int64_t))               \
  F(void, wasmtime_store_epoch_deadline_callback,                                                                  \
    (wasmtime_store_t *, snt_epoch_callback, void *, void (*)(void *)))                                            \
  F(void, wasmtime_context_set_epoch_deadline, (wasmtime_context_t *, uint64_t))                                   \
  F(wasmtime_error_t *, wasmtime_instance_pre_instantiate,                                                         \
    (const wasmtime_instance_pre_t *, wasmtime_context_t *, wasmtime_instance_t *, wasm_trap_t **))                \
  F(bool, wasmtime_instance_export_get,                                                                            \
    (wasmtime_context_t *, const wasmtime_instance_t *, const char *, size_t, wasmtime_extern_t *))                \
  F(bool, wasmtime_linker_get,                                                                                     \
    (const wasmtime_linker_t *, wasmtime_context_t *, const char *, size_t, const char *, size_t,                  \
     wasmtime_extern_t *))                                                                                         \
  F(wasmtime_call_future_t *, wasmtime_instance_pre_instantiate_async,                                             \
    (const wasmtime_instance_pre_t *, wasmtime_context_t *, wasmtime_instance_t *, wasm_trap_t **,                 \
     wasmtime_error_t **))                                                                                         \
  F(wasmtime_call_future_t *, wasmtime_func_call_async,                                                            \
    (wasmtime_context_t *, const wasmtime_func_t *, const wasmtime_val_t *, size_t, wasmtime_val_t *, size_t,      \
     wasm_trap_t **, wasmtime_error_t **))                                                                         \
  F(bool, wasmtime_call_future_poll, (wasmtime_call_future_t *))                                                   \
  F(void, wasmtime_call_future_delete, (wasmtime_call_future_t *))

typedef struct {
#define SNT_FIELD(result, name, parameters) result(*name) parameters;
  SNT_ENGINE_FUNCTIONS(SNT_FIELD)
#undef SNT_FIELD
} snt_engine;

/* An empty table, which lives as long as the process; NULL when there is no memory. */
snt_engine *snt_engine_new(void);

/* The name of the table's entry `index`, or NULL behind the last one. */
const char *snt_engine_name(size_t index);

/* Put the function at `address` into entry `index`. Returns whether there is such an entry. */
bool snt_engine_set(snt_engine *engine, size_t index, uintptr_t address);

#endif
