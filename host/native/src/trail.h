/* The calls of hooks that ended last, so that a request can be looked into after it was slow or
 * failed.
 *
 * Rule 1: nothing is written unless `enabled`; then the oldest entry makes room for the newest.
 * Rule 2: one thread writes and reads.
 */
#ifndef SNT_TRAIL_H
#define SNT_TRAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of a call's label; a longer one is cut. Ids that the gateway makes have 32 digits. */
#define SNT_TRAIL_LABEL 32

/* Times are CLOCK_MONOTONIC's nanoseconds; `used_ns` is the guest's own running time. `mark` is the
 * plan's, `hook` the slot, `result` bytes of the answer or a failure, `taken` bytes of the first
 * list. */
typedef struct {
  char label[SNT_TRAIL_LABEL];
  uint64_t began_ns, ended_ns, used_ns;
  int64_t result;
  uint32_t taken;
  uint16_t mark, hook;
} snt_trail_call;

typedef struct {
  bool enabled;
  size_t capacity;
  uint64_t count; /* calls, ever */
  snt_trail_call *calls;
} snt_trail;

/* Room for so many calls; NULL when there is no memory. */
snt_trail *snt_trail_new(size_t capacity);
void snt_trail_free(snt_trail *trail);

/* Note a call that has ended. */
void snt_trail_put(snt_trail *trail, const char *label, const snt_trail_call *call);

/* The calls with that label that ended at `since_ns` or later, newest first, as many as there is
 * `room` for. Returns their number. */
size_t snt_trail_find(const snt_trail *trail, const char *label, uint64_t since_ns, snt_trail_call *out, size_t room);

#endif
