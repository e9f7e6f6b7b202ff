#include "log.h"

#include <stdlib.h>
#include <string.h>

#include "host.h"

snt_log *snt_log_new(const snt_engine *engine, size_t capacity) {
  snt_log *log = calloc(1, sizeof *log);
  if (log == NULL) return NULL;
  log->bytes = malloc(capacity);
  if (log->bytes == NULL || pthread_mutex_init(&log->lock, NULL) != 0) {
    free(log->bytes);
    free(log);
    return NULL;
  }
  log->engine = engine;
  log->capacity = capacity;
  return log;
}

void snt_log_free(snt_log *log) {
  if (log == NULL) return;
  pthread_mutex_destroy(&log->lock);
  free(log->bytes);
  free(log);
}

bool snt_log_put(snt_log *log, uint64_t guest, uint64_t call, uint32_t level, const uint8_t *text, size_t length) {
  if (length > SNT_LOG_MESSAGE_MAX) length = SNT_LOG_MESSAGE_MAX;
  snt_log_line line = {.guest = guest, .call = call, .length = (uint32_t)length, .level = level};
  pthread_mutex_lock(&log->lock);
  bool fits = sizeof line + length <= log->capacity - log->used;
  if (fits) {
    memcpy(log->bytes + log->used, &line, sizeof line);
    if (length > 0) memcpy(log->bytes + log->used + sizeof line, text, length);
    log->used += sizeof line + length;
  } else {
    log->dropped++;
  }
  pthread_mutex_unlock(&log->lock);
  return fits;
}

size_t snt_log_drain(snt_log *log, uint8_t *out, uint64_t *dropped) {
  pthread_mutex_lock(&log->lock);
  size_t used = log->used;
  memcpy(out, log->bytes, used);
  *dropped = log->dropped;
  log->used = 0;
  log->dropped = 0;
  pthread_mutex_unlock(&log->lock);
  return used;
}

wasm_trap_t *snt_log_write(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t count) {
  (void)count; /* the linker has checked the type */
  snt_log *log = env;
  snt_host_call call;
  uint32_t level = (uint32_t)args[0].i32, start = (uint32_t)args[1].i32, length = (uint32_t)args[2].i32;
  if (level >= SNT_LOG_LEVELS) return snt_refuse(log->engine, "log.write", "unknown level");
  wasm_trap_t *trap = snt_host_enter(&call, log->engine, caller, "log.write");
  if (trap != NULL) return trap;
  const uint8_t *text = snt_host_bytes(&call, start, length);
  if (text == NULL) return snt_refuse(log->engine, call.what, "the message lies outside of memory");
  snt_guest *guest = call.guest;
  if (guest != NULL && guest->lines++ >= guest->plan->limits.lines) {
    guest->plan->counters->lines_cut++;
    return NULL;
  }
  bool kept = snt_log_put(log, guest == NULL ? 0 : guest->plan->id, guest == NULL ? 0 : guest->calls, level, text, length);
  if (kept && guest != NULL) guest->wrote = true;
  return NULL;
}
