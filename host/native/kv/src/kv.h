/* Keys and values of guests, in memory that every worker process shares.
 *
 * Rule 1: one lock for all, a robust process-shared mutex: values are as long as guests make them,
 *         so that no change fits one compare-and-swap, as the limiter's do. It is held for the copy
 *         of one value at most, well under a microsecond for most. No guest code runs under it.
 * Rule 2: a process may die at any instruction. What counts is what can be reached from the
 *         buckets, and each change of that is one store of one word: an entry is written whole
 *         before it is linked, and never changed afterwards but for a number, which is one aligned
 *         word. The lists of free blocks and the sizes of spaces are derived from that: whoever
 *         gets the lock of a dead owner makes them anew.
 * Rule 3: no caller waits for long. An owner that is stopped, and does not die, costs a caller 20
 *         milliseconds, and then an error.
 * Rule 4: keys are told apart by 128 bits of a keyed hash of space and key, and not kept: who does
 *         not know the secret can neither aim keys at one bucket nor make two keys one, and nobody
 *         can list what others stored.
 * Rule 5: nothing that lives is ever evicted. What has run out is taken back when it is met, and by
 *         a hand that goes over some buckets with every change, and over more before it says that a
 *         space is full.
 *
 * Memory is in blocks of 128 bytes; an entry of up to 88 bytes takes one, and any other one more
 * for each further 124. Times are CLOCK_MONOTONIC in milliseconds, which all processes of a machine
 * share.
 */
#ifndef SNT_KV_H
#define SNT_KV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SNT_KV_BLOCK 128
#define SNT_KV_KEY_MAX 1024
#define SNT_KV_VALUE_MAX 65536
/* Guests that may have keys, ever: their names are not given up. */
#define SNT_KV_SPACES 256
#define SNT_KV_SPACE_NAME 64

enum {
  SNT_KV_FULL = -1,         /* the space has used up its quota, or there is no block left */
  SNT_KV_TOO_LARGE = -2,    /* the key or the value */
  SNT_KV_NOT_A_NUMBER = -3, /* what is stored there is none, or the sum would not be */
  SNT_KV_UNAVAILABLE = -4,  /* the lock could not be had in time */
  SNT_KV_ABSENT = -5
};

typedef struct snt_kv snt_kv;

/* Bytes of shared memory for a store that holds `bytes` of blocks, at most 2^32 of them; 0 when
 * that is too much. */
size_t snt_kv_size(uint64_t bytes);

/* Make a store in `memory`, zeroed and aligned to a cache line, of exactly snt_kv_size(bytes)
 * bytes, before any other process sees it. NULL when the system has no such locks. */
snt_kv *snt_kv_make(void *memory, uint64_t bytes, const uint64_t secret[2]);

/* A store that another process made; NULL when these `size` bytes are not one of this version. */
snt_kv *snt_kv_open(void *memory, size_t size);

/* The number of the space of that name, which is made if need be; or SNT_KV_FULL, SNT_KV_TOO_LARGE,
 * SNT_KV_UNAVAILABLE. */
int64_t snt_kv_space(snt_kv *kv, const char *name);

/* The length of the key's value, which is at `out` when it is at most `capacity`; or SNT_KV_ABSENT,
 * SNT_KV_TOO_LARGE, SNT_KV_UNAVAILABLE. */
int64_t snt_kv_get(snt_kv *kv, uint32_t space, const uint8_t *key, size_t length, uint64_t now, uint8_t *out,
                   size_t capacity);

/* Store a value for `ttl` milliseconds, 0 for ever, in a space of at most `quota` bytes of blocks.
 * Returns 0 or an error; then what was there before still is. */
int snt_kv_set(snt_kv *kv, uint32_t space, uint64_t quota, const uint8_t *key, size_t length, const uint8_t *value,
               size_t value_length, uint64_t ttl, uint64_t now);

/* Returns whether there was one, or an error. */
int snt_kv_delete(snt_kv *kv, uint32_t space, const uint8_t *key, size_t length, uint64_t now);

/* Add to the number at the key, eight bytes in little-endian order. An absent one is 0 and gets
 * `ttl`; one that is there ends when it would have. Returns 0, with the new number at `sum`, or an
 * error. */
int snt_kv_add(snt_kv *kv, uint32_t space, uint64_t quota, const uint8_t *key, size_t length, int64_t delta, uint64_t ttl,
               uint64_t now, int64_t *sum);

/* Bytes of blocks that a space takes, those that have run out and were not met yet included; and
 * how many there are in all, how often a dead owner was cleaned up after. */
uint64_t snt_kv_used(const snt_kv *kv, uint32_t space);
uint64_t snt_kv_capacity(const snt_kv *kv);
uint64_t snt_kv_recoveries(const snt_kv *kv);

/* For tests: whether every block is either reachable once or free once, and the sizes of the spaces
 * are right. */
bool snt_kv_is_sound(snt_kv *kv);

#endif
