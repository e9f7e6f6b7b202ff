/* What lies where in the store's memory; for kv.c and recovery.c alone. */
#ifndef SNT_KV_LAYOUT_H
#define SNT_KV_LAYOUT_H

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>

#include "kv.h"

#define HEAD_BYTES 88
#define TAIL_BYTES 124

/* References to blocks are their number plus one; 0 is none. */
typedef uint32_t reference;

/* The first block of an entry. `number` lies where the value begins, and is aligned. */
typedef struct {
  reference next;  /* the value's next block; or the next free block */
  reference chain; /* the bucket's next entry */
  uint64_t low, high;
  uint64_t ends; /* 0: never */
  uint32_t space, length;
  union {
    uint8_t value[HEAD_BYTES];
    _Atomic uint64_t number;
  };
} head;

typedef struct {
  reference next;
  uint8_t value[TAIL_BYTES];
} tail;

typedef union {
  head head;
  tail tail;
} block;

typedef struct {
  char name[SNT_KV_SPACE_NAME + 1];
  uint32_t used; /* blocks */
} space;

struct snt_kv {
  uint64_t magic, blocks, buckets; /* of buckets a power of two */
  uint64_t secret[2];
  pthread_mutex_t lock;
  uint64_t recoveries;
  uint32_t hand;
  reference unused;
  uint32_t unused_count;
  _Atomic uint32_t spaces;
  space space[SNT_KV_SPACES];
  alignas(64) reference bucket[];
};

_Static_assert(sizeof(block) == SNT_KV_BLOCK && alignof(block) == 8, "blocks are two cache lines");
_Static_assert(offsetof(head, value) % 8 == 0, "a number is one aligned word");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "atomics that take a lock do not work between processes");

static inline size_t aligned(size_t size) { return (size + 63) & ~(size_t)63; }

static inline uint64_t buckets_for(uint64_t blocks) {
  uint64_t buckets = 64;
  while (buckets * 2 < blocks) buckets *= 2;
  return buckets;
}

static inline size_t blocks_at(uint64_t buckets) { return aligned(sizeof(snt_kv) + buckets * sizeof(reference)); }

static inline size_t marks_at(uint64_t blocks, uint64_t buckets) { return blocks_at(buckets) + blocks * sizeof(block); }

static inline size_t size_of(uint64_t blocks, uint64_t buckets) {
  return aligned(marks_at(blocks, buckets) + (blocks + 7) / 8);
}

static inline block *block_of(const snt_kv *kv, reference to) {
  return (block *)((uint8_t *)kv + blocks_at(kv->buckets)) + (to - 1);
}

static inline head *entry_of(const snt_kv *kv, reference to) { return &block_of(kv, to)->head; }

static inline uint8_t *marks_of(const snt_kv *kv) { return (uint8_t *)kv + marks_at(kv->blocks, kv->buckets); }

static inline uint32_t blocks_for(size_t length) {
  return length <= HEAD_BYTES ? 1 : 1 + (uint32_t)((length - HEAD_BYTES + TAIL_BYTES - 1) / TAIL_BYTES);
}

/* A dead owner may have been anywhere: make all that is derived from the buckets anew. */
void snt_kv_recover(snt_kv *kv);

/* Whether all that is derived from the buckets is as it would be made; under the lock. */
bool snt_kv_agrees(snt_kv *kv);

#endif
