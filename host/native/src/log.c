#define _POSIX_C_SOURCE 200809L

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

static snt_text cut(snt_text text, size_t most) {
  return (snt_text){text.bytes, text.length < most ? text.length : most};
}

/* Compiled into its callers, which know how long a text can be, it would become an instruction that
 * takes as long to begin as most texts take. */
static __attribute__((noinline)) uint8_t *put(uint8_t *to, snt_text text) {
  if (text.length > 0) memcpy(to, text.bytes, text.length);
  return to + text.length;
}

bool snt_log_put(snt_log *log, uint32_t level, snt_text guest, snt_text label, snt_text message) {
  guest = cut(guest, SNT_LOG_NAME_MAX);
  label = cut(label, SNT_LOG_NAME_MAX);
  message = cut(message, SNT_LOG_MESSAGE_MAX);
  snt_log_line line = {(uint16_t)level, (uint16_t)guest.length, (uint16_t)label.length, (uint16_t)message.length};
  size_t size = sizeof line + guest.length + label.length + message.length;
  pthread_mutex_lock(&log->lock);
  bool fits = size <= log->capacity - log->used;
  if (fits) {
    uint8_t *end = log->bytes + log->used;
    memcpy(end, &line, sizeof line);
    put(put(put(end + sizeof line, guest), label), message);
    log->used += size;
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

static snt_text until_zero(const char *text) {
  return (snt_text){(const uint8_t *)text, strnlen(text, SNT_LOG_NAME_MAX)};
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
  if (guest != NULL && level < guest->plan->limits.level) return NULL;
  if (guest != NULL && guest->lines++ >= guest->plan->limits.lines) {
    guest->plan->counters->lines_cut++;
    return NULL;
  }
  const char *name = guest == NULL ? "" : guest->plan->name, *label = guest == NULL ? "" : guest->label;
  if (guest != NULL && guest->plan->log != NULL) log = guest->plan->log;
  snt_log_put(log, level, until_zero(name), until_zero(label), (snt_text){text, length});
  return NULL;
}
