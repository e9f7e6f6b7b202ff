/* Lines that guests write, kept until Python drains them.
 *
 * Rule 1: writing never blocks on the reader and never allocates. What does not fit is dropped and
 *         counted.
 * Rule 2: a line is copied whole under the lock, so that a reader never sees half of one.
 * Rule 3: bytes are kept as they are; Python escapes them.
 */
#ifndef SNT_LOG_H
#define SNT_LOG_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine.h"
#include "text.h"

/* wit/ABI.md section 4. */
#define SNT_LOG_MESSAGE_MAX 8192
#define SNT_LOG_LEVELS 5
#define SNT_LOG_WARN 3
/* Of a guest's name and of a call's label. Names have at most 64 bytes, and ids of requests at most
 * 128. */
#define SNT_LOG_NAME_MAX 128

/* What stands before the bytes of each line: its level, trace 0 .. error 4, and the lengths of what
 * follows, which are the guest's name, the call's label and the message. */
typedef struct {
  uint16_t level, guest, label, message;
} snt_log_line;

typedef struct {
  const snt_engine *engine;
  pthread_mutex_t lock;
  uint8_t *bytes;
  size_t capacity, used;
  uint64_t dropped; /* since the last drain */
} snt_log;

/* A buffer of `capacity` bytes, headers included; NULL when there is no memory. */
snt_log *snt_log_new(const snt_engine *engine, size_t capacity);
void snt_log_free(snt_log *log);

/* Add one line; texts that are too long are cut. Returns whether there was room; if not, the line
 * is counted. */
bool snt_log_put(snt_log *log, uint32_t level, snt_text guest, snt_text label, snt_text message);

/* Move all lines to `out`, which holds at least the log's capacity, each an snt_log_line and its
 * texts, unpadded, and the count of those dropped since the last time to `dropped`. Returns the
 * number of bytes. */
size_t snt_log_drain(snt_log *log, uint8_t *out, uint64_t *dropped);

/* Write drained lines to `out` as JSON, one object a line, as many as there is `room` for, but for
 * those below the level `least`. Ends before a line that is not all printable ASCII, too. `*offset`
 * is where in the `size` bytes of `lines` to begin, and then where it ended: if nothing was written
 * and there is room for a line, the one there is not plain. Each line tells the time, which is
 * `milliseconds` since 1970. What lies behind the bytes that were written may be overwritten, as far
 * as there is room. Returns the number of bytes written. */
size_t snt_log_render(const uint8_t *lines, size_t size, size_t *offset, uint32_t least, uint64_t milliseconds,
                      uint8_t *out, size_t room);

/* The host function behind the import `log.write`: an unchecked callback
 * `(i32 level, i32 message, i32 length)`. `env` is the snt_log, unless the plan has another; the
 * store's data is the snt_guest, or NULL. Traps for an unknown level, a message outside of the
 * caller's memory, and a caller that has none. Works from a start function, when the instance is
 * not known yet. */
wasm_trap_t *snt_log_write(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t count);

#endif
