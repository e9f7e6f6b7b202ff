/* Guests for tests: C functions that the fake engine calls as it would a guest's, and how an
 * instance of them is made. */
#ifndef SNT_TESTS_GUESTS_H
#define SNT_TESTS_GUESTS_H

#include <string.h>

#include "../src/guest.h"
#include "fake_engine.h"
#include "harness.h"

#define LIMIT 4096
#define MEMORY 65536
#define AREA 16

/* Not a slot that starting calls. */
enum { HOOK = 1 };

typedef struct {
  fake_instance *instance;
  snt_guest *guest;
} pair;

/* What all guests of a program share; `guests_end` sees to it that nothing is left. */
extern snt_ticker *ticker;
extern snt_counters *counters;
extern const snt_limits LIMITS;

void guests_begin(void);
void guests_end(void);

/* What the next hook call puts into its return area, and where it says that is. */
extern struct guest_answer {
  uint32_t area, start, length, discriminant;
} answer;

/* Guest functions. */
fake_outcome bump(fake_instance *instance, wasmtime_val_raw_t *values); /* cabi_realloc */
fake_outcome traps(fake_instance *instance, wasmtime_val_raw_t *values);
fake_outcome errs(fake_instance *instance, wasmtime_val_raw_t *values);
fake_outcome echo(fake_instance *instance, wasmtime_val_raw_t *values);
fake_outcome outcome(fake_instance *instance, wasmtime_val_raw_t *values);
fake_outcome post(fake_instance *instance, wasmtime_val_raw_t *values);

snt_plan *plan_for(fake_instance *instance, const snt_limits *limits);

/* A guest that has not started; it owns its plan. */
snt_guest *guest_of(fake_instance *instance, snt_plan *plan);

/* A guest that has started, with one hook. */
pair make(fake_function realloc_, uint32_t lists, bool flag, uint32_t returns, fake_function hook,
          fake_function post_return);
pair make_with(const snt_limits *limits, fake_function realloc_, uint32_t lists, bool flag, uint32_t returns,
               fake_function hook, fake_function post_return);
void discard(pair made);

int64_t call_once(pair made, const char *first, const char *second, bool flag);
bool output_is(const snt_guest *guest, const char *expected);

#endif
