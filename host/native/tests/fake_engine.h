/* An engine of C functions: a "guest function" is a C function that changes the fake instance.
 *
 * The memory is a heap block of exactly its size, and growing moves it and frees the old block, so
 * that the address sanitizer sees every access out of bounds and every use of a stale base. Traps
 * and errors are heap blocks, so that the leak check sees one that nobody owns. Calls run on the
 * poller's stack or, for an instance that has fibers, on a thread that takes turns with the poller,
 * and can be left in the middle of a guest function.
 */
#ifndef SNT_TESTS_FAKE_ENGINE_H
#define SNT_TESTS_FAKE_ENGINE_H

#include "../src/engine.h"

typedef struct fake_instance fake_instance;

/* A guest function: reads its arguments from, and writes its result to `values`. */
typedef enum { RETURNS, TRAPS, ERRS } fake_outcome;
typedef fake_outcome (*fake_function)(fake_instance *instance, wasmtime_val_raw_t *values);

typedef struct {
  const char *name;
  fake_function function;
} fake_export;

#define FAKE_EXPORTS 8

struct fake_instance {
  uint8_t *memory;
  size_t size;
  void *data;           /* the store's */
  uint32_t next;        /* of the bump allocator */
  bool exports_memory, has_fibers, has_no_loop;
  size_t calls;         /* into guest functions */
  size_t stores;        /* alive */
  fake_function start;  /* its start function, or NULL */
  fake_export exports[FAKE_EXPORTS];
  int64_t memory_limit;
  uint64_t epoch_deadline;
  snt_epoch_callback on_epoch;
  void *on_epoch_data;
  wasmtime_call_future_t *running;
  wasmtime_error_t *thrown; /* by the epoch callback, or because the call was dropped */
};

extern const snt_engine FAKE_ENGINE;
/* The linked module in which calls are made. */
extern const int FAKE_LOOP;

fake_instance *fake_instance_new(size_t size);
void fake_instance_free(fake_instance *instance);
void fake_grow(fake_instance *instance, size_t size);
void fake_store_u32(fake_instance *instance, uint32_t at, uint32_t value);

void fake_export_function(fake_instance *instance, const char *name, fake_function function);

/* From a guest function: as if the epoch's deadline were reached there. Returns false when the
 * guest must return ERRS. */
bool fake_tick(fake_instance *instance);

/* How often any engine's epoch was advanced, and how many engines are cloned. */
size_t fake_epochs(void);
size_t fake_engines(void);

wasmtime_caller_t *fake_caller(fake_instance *instance);

/* What a trap or an error says. */
const char *fake_message(const void *trap_or_error);

#endif
