/* The import `clock`: what time it is. */
#define _POSIX_C_SOURCE 200809L

#include <time.h>

#include "host.h"

static int64_t read_clock(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

wasm_trap_t *snt_clock_wall(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t count) {
  (void)env, (void)caller, (void)count;
  args[0].i64 = read_clock(CLOCK_REALTIME);
  return NULL;
}

wasm_trap_t *snt_clock_monotonic(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t count) {
  (void)env, (void)caller, (void)count;
  args[0].i64 = read_clock(CLOCK_MONOTONIC);
  return NULL;
}
