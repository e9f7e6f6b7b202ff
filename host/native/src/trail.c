#define _POSIX_C_SOURCE 200809L

#include "trail.h"

#include <stdlib.h>
#include <string.h>

snt_trail *snt_trail_new(size_t capacity) {
  snt_trail *trail = calloc(1, sizeof *trail);
  if (trail == NULL) return NULL;
  /* The system gives the pages when they are written. */
  trail->calls = calloc(capacity, sizeof *trail->calls);
  if (trail->calls == NULL) {
    free(trail);
    return NULL;
  }
  trail->capacity = capacity;
  return trail;
}

void snt_trail_free(snt_trail *trail) {
  if (trail == NULL) return;
  free(trail->calls);
  free(trail);
}

void snt_trail_put(snt_trail *trail, const char *label, const snt_trail_call *call) {
  snt_trail_call *place = &trail->calls[trail->count++ % trail->capacity];
  *place = *call;
  size_t length = strnlen(label, SNT_TRAIL_LABEL);
  /* Ids that the gateway makes: a copy of a size that the compiler knows is no call. */
  if (length == SNT_TRAIL_LABEL) {
    memcpy(place->label, label, SNT_TRAIL_LABEL);
    return;
  }
  memcpy(place->label, label, length);
  memset(place->label + length, 0, SNT_TRAIL_LABEL - length);
}

size_t snt_trail_find(const snt_trail *trail, const char *label, uint64_t since_ns, snt_trail_call *out, size_t room) {
  uint64_t kept = trail->count < trail->capacity ? trail->count : trail->capacity;
  size_t found = 0;
  for (uint64_t back = 1; back <= kept && found < room; back++) {
    const snt_trail_call *call = &trail->calls[(trail->count - back) % trail->capacity];
    if (call->ended_ns < since_ns) break;
    if (strncmp(call->label, label, SNT_TRAIL_LABEL) == 0) out[found++] = *call;
  }
  return found;
}
