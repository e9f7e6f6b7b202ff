/* An engine of C functions: a "guest function" is a C function that changes the fake instance.
 *
 * The memory is a heap block of exactly its size, and growing moves it and frees the old block, so that the address
 * sanitizer sees every access out of bounds and every use of a stale base. Traps and errors are heap blocks, so that the
 * leak check sees one that nobody owns.
 */
#ifndef SNT_TESTS_FAKE_ENGINE_H
#define SNT_TESTS_FAKE_ENGINE_H

#include "../src/engine.h"

typedef struct {
  uint8_t *memory;
  size_t size;
  void *data;           /* the store's */
  uint32_t next;        /* of the bump allocator */
  bool exports_memory;
  size_t calls;         /* into guest functions */
} fake_instance;

/* A guest function: reads its arguments from, and writes its result to `values`. */
typedef enum { RETURNS, TRAPS, ERRS } fake_outcome;
typedef fake_outcome (*fake_function)(fake_instance *instance, wasmtime_val_raw_t *values);

extern const snt_engine FAKE_ENGINE;

fake_instance *fake_instance_new(size_t size);
void fake_instance_free(fake_instance *instance);
void fake_grow(fake_instance *instance, size_t size);
void fake_store_u32(fake_instance *instance, uint32_t at, uint32_t value);

wasmtime_func_t fake_func(fake_function function);
uintptr_t fake_context(fake_instance *instance);
wasmtime_caller_t *fake_caller(fake_instance *instance);

/* What a trap or an error says. */
const char *fake_message(const void *trap_or_error);

#endif
