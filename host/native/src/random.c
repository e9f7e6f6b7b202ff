/* The import `random`: bytes of the kernel's generator. */
#define _DEFAULT_SOURCE

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "host.h"

/* What one request of the Web Crypto API may ask for. */
#define MOST 65536

/* Short answers and interruptions happen beyond 256 bytes. Returns whether all are there. */
static bool fill(uint8_t *at, size_t length) {
  while (length > 0) {
    ssize_t got = getrandom(at, length, 0);
    if (got < 0 && errno != EINTR) return false;
    if (got < 0) continue;
    at += got;
    length -= (size_t)got;
  }
  return true;
}

wasm_trap_t *snt_random_bytes(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t count) {
  (void)count;
  snt_host_call call;
  uint32_t length = (uint32_t)args[0].i32, area = (uint32_t)args[1].i32, start;
  wasm_trap_t *trap = snt_host_enter(&call, env, caller, "random.bytes");
  if (trap != NULL) return trap;
  if (length > MOST) return snt_refuse(env, call.what, "more than 65536 bytes");
  trap = snt_host_allocate(&call, length, &start);
  if (trap != NULL) return trap;
  if (length > 0 && !fill(snt_host_bytes(&call, start, length), length)) return snt_refuse(env, call.what, "none to be had");
  uint8_t *fields = snt_host_area(&call, area, 8, 4);
  if (fields == NULL) return snt_host_no_area(&call);
  memcpy(fields, &start, 4);
  memcpy(fields + 4, &length, 4);
  return NULL;
}

wasm_trap_t *snt_random_number(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t count) {
  (void)caller, (void)count;
  uint64_t number;
  if (!fill((uint8_t *)&number, sizeof number)) return snt_refuse(env, "random.number", "none to be had");
  memcpy(&args[0].i64, &number, sizeof number);
  return NULL;
}
