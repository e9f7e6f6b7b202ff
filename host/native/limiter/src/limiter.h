/* Counts requests per key, exactly, in memory that every worker process shares.
 *
 * Rule 1: nothing here allocates, waits, or asks what time it is. The memory and the time are
 *         passed in.
 * Rule 2: no process ever waits for another. Each change is one compare-and-swap of a whole 16-byte
 *         slot, tag and count together, so that a process killed between any two instructions
 *         leaves every slot valid.
 * Rule 3: a key has at most one slot that counts. A new key's slot is first *tentative*: tagged,
 *         and granting nothing. Whoever meets a tentative slot looks over every place where the key
 *         may live, and then either removes the slot, when the key counts elsewhere, or makes it
 *         count. Of two tentative slots of one key the earlier place wins, and no slot may begin to
 *         count before every rival has been seen to be gone. A tentative slot's state is different
 *         each time, so that a decision taken late meets a slot that has changed, and fails.
 * Rule 4: a slot is reused only when what it counts has run out. So a key that has a slot is
 *         counted exactly however many others come; a key that finds its places taken by live ones
 *         gets what `snt_limit.overflow` says.
 * Rule 5: refusing writes nothing, so that a flood of refused requests does not fight over cache
 *         lines. Reading state, tag and state again gives a consistent pair: a slot changes hands
 *         only after its end, to a state that ends later.
 *
 * Times are nanoseconds of one clock that all callers share and that never runs backwards:
 * CLOCK_MONOTONIC. Inside, they are milliseconds in 40 bits (34 years), with 24 more bits that are
 * a count in a fixed window and a fraction in a leaky bucket. The wall clock plays no part.
 *
 * Fixed window: a key's window opens with the first request that finds none open, at the
 * millisecond that this request
 *   falls into, and lasts `window_ms`; it grants `requests`, and no two windows of a key overlap.
 *   (The INCR-and-EXPIRE pattern of Redis; windows aligned to the clock instead would let every
 *   refused client return at the same instant.)
 * Leaky bucket: GCRA (ITU-T I.371), as one theoretical arrival time. The bucket holds `requests`
 * and drains evenly over
 *   `window_ms`.
 */
#ifndef SNT_LIMITER_H
#define SNT_LIMITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A count has 24 bits. */
#define SNT_LIMIT_REQUESTS_MAX 0xffffff
/* 31 days: a month's quota, and its milliseconds fit the 32 bits of a verdict. */
#define SNT_LIMIT_WINDOW_MAX 2678400000u

enum { SNT_FIXED_WINDOW = 0, SNT_LEAKY_BUCKET = 1 };

/* What a key gets that finds no slot. */
enum {
  SNT_OVERFLOW_SHARE = 0, /* counted together with all others of this limit that found none */
  SNT_OVERFLOW_OPEN = 1,  /* allowed */
  SNT_OVERFLOW_CLOSED = 2 /* refused */
};

typedef struct {
  uint64_t id;        /* hashed before the key: limits of different ids never share a counter */
  uint32_t requests;  /* 1 .. SNT_LIMIT_REQUESTS_MAX */
  uint32_t window_ms; /* 1 .. SNT_LIMIT_WINDOW_MAX */
  uint32_t algorithm;
  uint32_t overflow;
} snt_limit;

/* A verdict is one number: negative when refused, bit 56 when the key found no slot, in bits 32 to
 * 55 how many requests remain, and in the low 32 how many milliseconds it takes until the window
 * ends, the bucket is empty again, or, when refused, a request may succeed. */
#define SNT_VERDICT_REFUSED INT64_MIN
#define SNT_VERDICT_OVERFLOW ((int64_t)1 << 56)

typedef struct snt_table snt_table;

/* Bytes of shared memory for a table of at least `slots` keys: the next power of two, at least 16;
 * 0 when that is more than 2^28. */
size_t snt_table_size(uint64_t slots);

/* Make a table in `memory`, zeroed and aligned to a cache line, of exactly snt_table_size(slots)
 * bytes. `secret` is random and never shown to clients. Before any other process sees the
 * memory. */
snt_table *snt_table_make(void *memory, uint64_t slots, const uint64_t secret[2]);

/* A table that another process made; NULL when these `size` bytes are not one of this version. */
snt_table *snt_table_open(void *memory, size_t size);

/* Count one request of `key` at `now`. A limit outside of the bounds above is undefined
 * behaviour. */
int64_t snt_limit_check(snt_table *table, const snt_limit *limit, const uint8_t *key, size_t length, uint64_t now);

/* Learn what others counted: in the key's fixed window at least `used` requests have been made, and
 * it ends `left_ms` from now. Returns whether the key has a slot; without one nothing is learnt. */
bool snt_limit_learn(snt_table *table, const snt_limit *limit, const uint8_t *key, size_t length, uint64_t now,
                     uint32_t used, uint32_t left_ms);

/* How many slots there are, how many are live at `now` (reads all of them), and how many checks
 * found no slot so far. */
uint64_t snt_table_slots(const snt_table *table);
uint64_t snt_table_live(const snt_table *table, uint64_t now);
uint64_t snt_table_overflows(const snt_table *table);

#endif
