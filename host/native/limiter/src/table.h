/* How a table lies in memory: a header, the sets that hold keys, and a few more for those who found
 * no place.
 *
 * A key may live in two sets of eight slots, and takes the emptier. So a table is more than two
 * thirds full before the first key finds no slot (measured: 70 to 80 %; at 83 % it is one key in a
 * thousand).
 */
#ifndef SNT_TABLE_H
#define SNT_TABLE_H

#include <stdalign.h>
#include <stdatomic.h>

#include "limiter.h"

/* Two cache lines; a test of every schedule makes it smaller. */
#ifndef SNT_SET_SLOTS
#define SNT_SET_SLOTS 8
#endif
/* Sets for the counters that overflowing keys share: one counter per limit, so hundreds of limits
 * find room. */
#define SNT_SPARE_SETS 64

__extension__ typedef unsigned __int128 snt_pair;

typedef union {
  struct {
    _Atomic uint64_t tag;   /* 0: free; bit 0 set: tentative */
    _Atomic uint64_t state; /* milliseconds << 24 | count or fraction */
  };
  snt_pair pair;
} snt_slot;

typedef struct {
  alignas(64) snt_slot slots[SNT_SET_SLOTS];
} snt_set;

struct snt_table {
  uint64_t magic;
  uint64_t sets; /* a power of two */
  uint64_t secret[2];
  alignas(64) _Atomic uint64_t insertions; /* makes tentative states differ */
  _Atomic uint64_t overflows;
  alignas(64) snt_set set[]; /* `sets` of them, then the spare ones */
};

_Static_assert(sizeof(snt_slot) == 16 && alignof(snt_slot) == 16, "a slot is swapped as one");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "atomics that take a lock do not work between processes");

#endif
