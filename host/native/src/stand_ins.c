#include "stand_ins.h"

#include <stdlib.h>
#include <string.h>

#define MOST_RANDOM 65536

/* In the order of snt_import_name. */
enum { WALL, MONOTONIC, BYTES, NUMBER, ADD, OBSERVE, DESCRIBE, GET, SET, DELETE, COUNT, SEND, STAND_INS };

struct snt_stand_ins {
  const snt_engine *engine;
  int64_t wall, monotonic;
  uint64_t now; /* monotonic, in milliseconds */
  uint64_t random;
  int32_t kv_error;
  uint64_t lost;
  size_t used;
  uint8_t record[SNT_RECORD_BYTES];
};

snt_stand_ins *snt_stand_ins_new(const snt_engine *engine) {
  snt_stand_ins *host = calloc(1, sizeof *host);
  if (host == NULL) return NULL;
  host->engine = engine;
  host->kv_error = -1;
  return host;
}

void snt_stand_ins_free(snt_stand_ins *host) { free(host); }

void snt_stand_ins_clock(snt_stand_ins *host, int64_t wall, int64_t monotonic) {
  host->wall = wall;
  host->monotonic = monotonic;
  host->now = (uint64_t)monotonic / 1000000u;
}

const uint64_t *snt_stand_ins_now(const snt_stand_ins *host) { return &host->now; }

void snt_stand_ins_seed(snt_stand_ins *host, uint64_t seed) { host->random = seed; }

void snt_stand_ins_fail_kv(snt_stand_ins *host, int32_t error) { host->kv_error = error; }

size_t snt_stand_ins_take(snt_stand_ins *host, uint8_t *out, uint64_t *lost) {
  size_t used = host->used;
  memcpy(out, host->record, used);
  *lost = host->lost;
  host->used = 0;
  host->lost = 0;
  return used;
}

static void put(snt_stand_ins *host, uint32_t index, const uint8_t *first, uint32_t first_length, const uint8_t *second,
                uint32_t second_length, int64_t number) {
  snt_recorded head = {index, first_length, second_length, 0, number};
  if (SNT_RECORD_BYTES - host->used < sizeof head + (uint64_t)first_length + second_length) {
    host->lost++;
    return;
  }
  uint8_t *at = host->record + host->used;
  memcpy(at, &head, sizeof head);
  at += sizeof head;
  if (first_length > 0) memcpy(at, first, first_length);
  if (second_length > 0) memcpy(at + first_length, second, second_length);
  host->used += sizeof head + first_length + second_length;
}

/* Record a call with up to two lists of the caller's memory. False when they are not all inside:
 * that is for the function to refuse. */
static bool record(snt_stand_ins *host, wasmtime_caller_t *caller, uint32_t index, const wasmtime_val_raw_t *first,
                   const wasmtime_val_raw_t *second, int64_t number) {
  snt_host_call call;
  wasm_trap_t *trap = snt_host_enter(&call, host->engine, caller, "stand-in");
  if (trap != NULL) {
    host->engine->wasm_trap_delete(trap);
    return false;
  }
  const uint8_t *bytes[2] = {NULL, NULL};
  uint32_t lengths[2] = {0, 0};
  const wasmtime_val_raw_t *lists[2] = {first, second};
  for (int i = 0; i < 2; i++) {
    if (lists[i] == NULL) continue;
    lengths[i] = (uint32_t)lists[i][1].i32;
    bytes[i] = snt_host_bytes(&call, (uint32_t)lists[i][0].i32, lengths[i]);
    if (bytes[i] == NULL) return false;
  }
  put(host, index, bytes[0], lengths[0], bytes[1], lengths[1], number);
  return true;
}

static wasm_trap_t *wall(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t count) {
  (void)caller, (void)count;
  snt_stand_ins *host = env;
  put(host, WALL, NULL, 0, NULL, 0, 0);
  args[0].i64 = host->wall;
  return NULL;
}

static wasm_trap_t *monotonic(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t count) {
  (void)caller, (void)count;
  snt_stand_ins *host = env;
  put(host, MONOTONIC, NULL, 0, NULL, 0, 0);
  args[0].i64 = host->monotonic;
  return NULL;
}

/* splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014). */
static uint64_t next_random(snt_stand_ins *host) {
  uint64_t z = host->random += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

static wasm_trap_t *random_bytes(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t count) {
  (void)count;
  snt_stand_ins *host = env;
  snt_host_call call;
  uint32_t length = (uint32_t)args[0].i32, area = (uint32_t)args[1].i32, start;
  wasm_trap_t *trap = snt_host_enter(&call, host->engine, caller, "random.bytes");
  if (trap != NULL) return trap;
  put(host, BYTES, NULL, 0, NULL, 0, length);
  if (length > MOST_RANDOM) return snt_refuse(host->engine, call.what, "more than 65536 bytes");
  trap = snt_host_allocate(&call, length, &start);
  if (trap != NULL) return trap;
  uint8_t *bytes = length > 0 ? snt_host_bytes(&call, start, length) : NULL;
  for (uint32_t i = 0; i < length; i++) bytes[i] = (uint8_t)next_random(host);
  uint8_t *fields = snt_host_area(&call, area, 8, 4);
  if (fields == NULL) return snt_host_no_area(&call);
  memcpy(fields, &start, 4);
  memcpy(fields + 4, &length, 4);
  return NULL;
}

static wasm_trap_t *random_number(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t count) {
  (void)caller, (void)count;
  snt_stand_ins *host = env;
  put(host, NUMBER, NULL, 0, NULL, 0, 0);
  uint64_t number = next_random(host);
  memcpy(&args[0].i64, &number, sizeof number);
  return NULL;
}

static wasm_trap_t *metrics_add(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t count) {
  snt_stand_ins *host = env;
  record(host, caller, ADD, args, NULL, args[4].i64);
  return snt_import_metrics_add((void *)host->engine, caller, args, count);
}

static wasm_trap_t *metrics_observe(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t count) {
  snt_stand_ins *host = env;
  record(host, caller, OBSERVE, args, NULL, 0);
  return snt_import_metrics_observe((void *)host->engine, caller, args, count);
}

/* It is no part of what a hook does, and is not recorded. */
static wasm_trap_t *metrics_describe(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t count) {
  snt_stand_ins *host = env;
  return snt_import_metrics_describe((void *)host->engine, caller, args, count);
}

/* `result<T, kv.error>` of `size` bytes with an error, whose payload stands at `payload`: T is
 * aligned to that. */
static wasm_trap_t *fail_kv(snt_stand_ins *host, wasmtime_caller_t *caller, uint32_t area, uint32_t size,
                            uint32_t payload) {
  snt_host_call call;
  wasm_trap_t *trap = snt_host_enter(&call, host->engine, caller, "kv");
  if (trap != NULL) return trap;
  uint8_t *fields = snt_host_area(&call, area, size, payload);
  if (fields == NULL) return snt_host_no_area(&call);
  fields[0] = 1;
  fields[payload] = (uint8_t)host->kv_error;
  return NULL;
}

static wasm_trap_t *kv_get(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t count) {
  snt_stand_ins *host = env;
  bool inside = record(host, caller, GET, args, NULL, 0);
  if (inside && host->kv_error >= 0) return fail_kv(host, caller, (uint32_t)args[2].i32, 16, 4);
  return snt_import_kv_get((void *)host->engine, caller, args, count);
}

static wasm_trap_t *kv_set(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t count) {
  snt_stand_ins *host = env;
  bool inside = record(host, caller, SET, args, args + 2, args[4].i64);
  if (inside && host->kv_error >= 0) return fail_kv(host, caller, (uint32_t)args[5].i32, 2, 1);
  return snt_import_kv_set((void *)host->engine, caller, args, count);
}

static wasm_trap_t *kv_delete(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t count) {
  snt_stand_ins *host = env;
  bool inside = record(host, caller, DELETE, args, NULL, 0);
  if (inside && host->kv_error >= 0) return fail_kv(host, caller, (uint32_t)args[2].i32, 2, 1);
  return snt_import_kv_delete((void *)host->engine, caller, args, count);
}

static wasm_trap_t *kv_add(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t count) {
  snt_stand_ins *host = env;
  bool inside = record(host, caller, COUNT, args, NULL, args[2].i64);
  if (inside && host->kv_error >= 0) return fail_kv(host, caller, (uint32_t)args[4].i32, 16, 8);
  return snt_import_kv_add((void *)host->engine, caller, args, count);
}

static wasm_trap_t *http_send(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t count) {
  snt_stand_ins *host = env;
  record(host, caller, SEND, args, NULL, 0);
  return snt_import_http_send((void *)host->engine, caller, args, count);
}

static const wasmtime_func_unchecked_callback_t FUNCTIONS[STAND_INS] = {
    [WALL] = wall,
    [MONOTONIC] = monotonic,
    [BYTES] = random_bytes,
    [NUMBER] = random_number,
    [ADD] = metrics_add,
    [OBSERVE] = metrics_observe,
    [DESCRIBE] = metrics_describe,
    [GET] = kv_get,
    [SET] = kv_set,
    [DELETE] = kv_delete,
    [COUNT] = kv_add,
    [SEND] = http_send,
};

uintptr_t snt_stand_in_address(size_t index) { return index < STAND_INS ? (uintptr_t)FUNCTIONS[index] : 0; }
