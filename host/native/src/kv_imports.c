/* The import `kv`: a guest's keys in the memory that all workers share. */
#define _POSIX_C_SOURCE 200809L

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host.h"

/* Most values fit; a longer one takes a second look. */
#define ON_STACK 1024
/* Looks at a value that others make longer meanwhile. */
#define LOOKS 4

static uint64_t now_ms(const snt_kv_grant *grant) {
  if (grant->now != NULL) return *grant->now;
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000u + (uint64_t)time.tv_nsec / 1000000u;
}

/* The store's errors in the order of `kv.error`. */
static uint8_t error_case(int64_t error) { return (uint8_t)(-error - 1); }

_Static_assert(SNT_KV_FULL == -1 && SNT_KV_UNAVAILABLE == -4, "errors are numbered as in kv.wit");

/* Who calls, the key, and where the result goes. */
typedef struct {
  snt_host_call call;
  const snt_kv_grant *grant;
  const uint8_t *key;
  uint32_t length, area;
} kv_call;

/* No guest code runs between this and the use of the key. */
static wasm_trap_t *enter(kv_call *kv, void *env, wasmtime_caller_t *caller, const char *what,
                          const wasmtime_val_raw_t *args, uint32_t area) {
  wasm_trap_t *trap = snt_host_enter(&kv->call, env, caller, what);
  if (trap != NULL) return trap;
  if (kv->call.guest == NULL || kv->call.guest->plan->kv.store == NULL) return snt_refuse(env, what, "not granted");
  kv->grant = &kv->call.guest->plan->kv;
  kv->length = (uint32_t)args[1].i32;
  kv->key = snt_host_bytes(&kv->call, (uint32_t)args[0].i32, kv->length);
  kv->area = area;
  return kv->key == NULL ? snt_host_outside(&kv->call) : NULL;
}

static void count(const kv_call *kv, int64_t error) {
  snt_counters *counters = kv->call.guest->plan->counters;
  counters->kv_calls++;
  if (error == SNT_KV_FULL) counters->kv_full++;
  if (error == SNT_KV_UNAVAILABLE) counters->kv_unavailable++;
}

/* `result<T, error>` whose payload stands at `payload` of the area: the discriminant, and an error
 * if it is one. Returns where the payload goes, or NULL for an area outside of memory. */
static uint8_t *write_result(const kv_call *kv, int64_t error, uint32_t size, uint32_t align, uint32_t payload) {
  uint8_t *fields = snt_host_area(&kv->call, kv->area, size, align);
  if (fields == NULL) return NULL;
  fields[0] = error < 0;
  if (error < 0) fields[payload] = error_case(error);
  return fields + payload;
}

/* `result<option<list<u8>>, error>`: discriminant, option's discriminant at 4, pointer and length
 * behind it. */
static wasm_trap_t *write_list(kv_call *kv, int64_t length, const uint8_t *value) {
  uint32_t start = 0, size = length > 0 ? (uint32_t)length : 0;
  if (length >= 0) {
    wasm_trap_t *trap = snt_host_allocate(&kv->call, size, &start);
    if (trap != NULL) return trap;
    if (size > 0) memcpy(snt_host_bytes(&kv->call, start, size), value, size);
  }
  uint8_t *option = write_result(kv, length == SNT_KV_ABSENT ? 0 : length, 16, 4, 4);
  if (option == NULL) return snt_host_no_area(&kv->call);
  if (length < 0 && length != SNT_KV_ABSENT) return NULL;
  option[0] = length >= 0;
  memcpy(option + 4, &start, 4);
  memcpy(option + 8, &size, 4);
  return NULL;
}

wasm_trap_t *snt_import_kv_get(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t number) {
  (void)number;
  kv_call kv;
  wasm_trap_t *trap = enter(&kv, env, caller, "kv.get", args, (uint32_t)args[2].i32);
  if (trap != NULL) return trap;
  uint8_t on_stack[ON_STACK], *value = on_stack, *larger = NULL;
  size_t capacity = sizeof on_stack;
  int64_t length = SNT_KV_UNAVAILABLE;
  for (int look = 0; look < LOOKS; look++) {
    length = snt_kv_get(kv.grant->store, kv.grant->space, kv.key, kv.length, now_ms(kv.grant), value, capacity);
    if (length <= (int64_t)capacity) break;
    free(larger);
    capacity = (size_t)length;
    value = larger = malloc(capacity);
    length = SNT_KV_UNAVAILABLE;
    if (larger == NULL) break;
  }
  count(&kv, length);
  trap = write_list(&kv, length, value);
  free(larger);
  return trap;
}

wasm_trap_t *snt_import_kv_set(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t number) {
  (void)number;
  kv_call kv;
  wasm_trap_t *trap = enter(&kv, env, caller, "kv.set", args, (uint32_t)args[5].i32);
  if (trap != NULL) return trap;
  uint32_t length = (uint32_t)args[3].i32;
  const uint8_t *value = snt_host_bytes(&kv.call, (uint32_t)args[2].i32, length);
  if (value == NULL) return snt_host_outside(&kv.call);
  int error = snt_kv_set(kv.grant->store, kv.grant->space, kv.grant->quota, kv.key, kv.length, value, length,
                         (uint64_t)args[4].i64, now_ms(kv.grant));
  count(&kv, error);
  return write_result(&kv, error, 2, 1, 1) == NULL ? snt_host_no_area(&kv.call) : NULL;
}

wasm_trap_t *snt_import_kv_delete(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t number) {
  (void)number;
  kv_call kv;
  wasm_trap_t *trap = enter(&kv, env, caller, "kv.delete", args, (uint32_t)args[2].i32);
  if (trap != NULL) return trap;
  int found = snt_kv_delete(kv.grant->store, kv.grant->space, kv.key, kv.length, now_ms(kv.grant));
  count(&kv, found);
  uint8_t *payload = write_result(&kv, found < 0 ? found : 0, 2, 1, 1);
  if (payload == NULL) return snt_host_no_area(&kv.call);
  if (found >= 0) *payload = (uint8_t)found;
  return NULL;
}

wasm_trap_t *snt_import_kv_add(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t number) {
  (void)number;
  kv_call kv;
  wasm_trap_t *trap = enter(&kv, env, caller, "kv.add", args, (uint32_t)args[4].i32);
  if (trap != NULL) return trap;
  int64_t sum = 0;
  int error = snt_kv_add(kv.grant->store, kv.grant->space, kv.grant->quota, kv.key, kv.length, args[2].i64,
                         (uint64_t)args[3].i64, now_ms(kv.grant), &sum);
  count(&kv, error);
  uint8_t *payload = write_result(&kv, error, 16, 8, 8);
  if (payload == NULL) return snt_host_no_area(&kv.call);
  if (error == 0) memcpy(payload, &sum, sizeof sum);
  return NULL;
}
