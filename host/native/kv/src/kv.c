#define _GNU_SOURCE

#include "kv.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "../../limiter/src/siphash.h"
#include "layout.h"

#define MAGIC UINT64_C(0x31766b746e657331)
#define NUMBER_BYTES 8
/* So that a value of a space that is full can be replaced: the new one is written before the old
 * one is freed. */
#define SPARE_BLOCKS (SNT_KV_VALUE_MAX / TAIL_BYTES + 2)
/* How long to try for the lock: at first without a system call, then every so often. */
#define SPINS 200
#define WAIT_NS 20000
#define PATIENCE_NS 20000000
/* Buckets that the hand goes over with every change, and before a space is called full. */
#define SWEEP 4
#define LONG_SWEEP 1024
#define LONGEST_TTL ((uint64_t)1 << 42)

/* --- the lock --------------------------------------------------------------------------------- */

static uint64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* Not pthread_mutex_timedlock, whose clock may jump. Returns whether the lock is ours. */
static bool enter(snt_kv *kv) {
  uint64_t until = 0;
  for (unsigned tries = 0;; tries++) {
    int result = pthread_mutex_trylock(&kv->lock);
    if (result == 0) return true;
    if (result == EOWNERDEAD) {
      snt_kv_recover(kv);
      pthread_mutex_consistent(&kv->lock);
      return true;
    }
    if (result != EBUSY) return false;
    if (tries < SPINS) {
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
      continue;
    }
    uint64_t now = now_ns();
    if (until == 0) until = now + PATIENCE_NS;
    if (now >= until) return false;
    nanosleep(&(struct timespec){.tv_nsec = WAIT_NS}, NULL);
  }
}

static void leave(snt_kv *kv) { pthread_mutex_unlock(&kv->lock); }

/* --- entries, under the lock ------------------------------------------------------------------ */

static bool is_over(const head *entry, uint64_t now) { return entry->ends != 0 && entry->ends <= now; }

static uint64_t end_of(uint64_t ttl, uint64_t now) {
  if (ttl == 0) return 0;
  return now + (ttl < LONGEST_TTL ? ttl : LONGEST_TTL);
}

static void free_blocks(snt_kv *kv, reference first) {
  while (first != 0) {
    block *freed = block_of(kv, first);
    reference next = freed->tail.next;
    freed->tail.next = kv->unused;
    kv->unused = first;
    kv->unused_count++;
    first = next;
  }
}

/* The one store that changes what can be reached; all that leads up to it comes before. */
static void commit(reference *link, reference to) {
  atomic_signal_fence(memory_order_seq_cst);
  *(volatile reference *)link = to;
  atomic_signal_fence(memory_order_seq_cst);
}

static void unlink_entry(snt_kv *kv, reference *link) {
  reference at = *link;
  head *entry = entry_of(kv, at);
  commit(link, entry->chain);
  kv->space[entry->space].used -= blocks_for(entry->length);
  free_blocks(kv, at);
}

static reference *bucket_of(snt_kv *kv, snt_hash hash) { return &kv->bucket[hash.high & (kv->buckets - 1)]; }

/* The link to the key's entry, or to nothing; takes back what has run out on the way. */
static reference *find(snt_kv *kv, snt_hash hash, uint64_t now) {
  reference *link = bucket_of(kv, hash);
  while (*link != 0) {
    head *entry = entry_of(kv, *link);
    if (is_over(entry, now)) {
      unlink_entry(kv, link);
      continue;
    }
    if (entry->low == hash.low && entry->high == hash.high) break;
    link = &entry->chain;
  }
  return link;
}

static void sweep(snt_kv *kv, uint64_t now, uint32_t buckets) {
  while (buckets-- > 0) {
    reference *link = &kv->bucket[kv->hand++ & (kv->buckets - 1)];
    while (*link != 0) {
      if (is_over(entry_of(kv, *link), now)) {
        unlink_entry(kv, link);
      } else {
        link = &entry_of(kv, *link)->chain;
      }
    }
  }
}

/* Whether a space may take `more` blocks and give up `less`, and they are there. */
static bool fits(const snt_kv *kv, uint32_t space, uint64_t quota, uint32_t more, uint32_t less) {
  return ((uint64_t)kv->space[space].used + more - less) * SNT_KV_BLOCK <= quota && more <= kv->unused_count;
}

static reference take_block(snt_kv *kv) {
  reference taken = kv->unused;
  kv->unused = block_of(kv, taken)->tail.next;
  kv->unused_count--;
  return taken;
}

/* An entry that is not linked yet, for which there are blocks. */
static reference write_entry(snt_kv *kv, snt_hash hash, uint32_t space, const uint8_t *value, size_t length,
                             uint64_t ends) {
  reference first = take_block(kv);
  head *entry = entry_of(kv, first);
  *entry = (head){.low = hash.low, .high = hash.high, .ends = ends, .space = space, .length = (uint32_t)length};
  size_t part = length < HEAD_BYTES ? length : HEAD_BYTES;
  if (part > 0) memcpy(entry->value, value, part);
  reference *link = &entry->next;
  for (size_t done = part; done < length; done += part) {
    *link = take_block(kv);
    tail *more = &block_of(kv, *link)->tail;
    more->next = 0;
    part = length - done < TAIL_BYTES ? length - done : TAIL_BYTES;
    memcpy(more->value, value + done, part);
    link = &more->next;
  }
  return first;
}

static void read_entry(const snt_kv *kv, const head *entry, uint8_t *out) {
  size_t part = entry->length < HEAD_BYTES ? entry->length : HEAD_BYTES;
  if (part > 0) memcpy(out, entry->value, part);
  reference at = entry->next;
  for (size_t done = part; done < entry->length; done += part) {
    const tail *more = &block_of(kv, at)->tail;
    part = entry->length - done < TAIL_BYTES ? entry->length - done : TAIL_BYTES;
    memcpy(out + done, more->value, part);
    at = more->next;
  }
}

static int put(snt_kv *kv, snt_hash hash, uint32_t space, uint64_t quota, const uint8_t *value, size_t length,
               uint64_t ends, uint64_t now) {
  uint32_t needed = blocks_for(length);
  reference *link = find(kv, hash, now);
  uint32_t given_up = *link == 0 ? 0 : blocks_for(entry_of(kv, *link)->length);
  if (!fits(kv, space, quota, needed, given_up)) {
    sweep(kv, now, LONG_SWEEP);
    /* The entry before ours may have been taken back. */
    link = find(kv, hash, now);
    if (!fits(kv, space, quota, needed, given_up)) return SNT_KV_FULL;
  }
  reference made = write_entry(kv, hash, space, value, length, ends), old = *link;
  entry_of(kv, made)->chain = old == 0 ? 0 : entry_of(kv, old)->chain;
  commit(link, made);
  kv->space[space].used += needed - given_up;
  free_blocks(kv, old);
  return 0;
}

/* --- what is called --------------------------------------------------------------------------- */

size_t snt_kv_size(uint64_t bytes) {
  uint64_t blocks = bytes / SNT_KV_BLOCK + SPARE_BLOCKS;
  return blocks >= UINT32_MAX / 2 ? 0 : size_of(blocks, buckets_for(blocks));
}

snt_kv *snt_kv_make(void *memory, uint64_t bytes, const uint64_t secret[2]) {
  snt_kv *kv = memory;
  pthread_mutexattr_t attributes;
  if (pthread_mutexattr_init(&attributes) != 0) return NULL;
  bool made = pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0 &&
              pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) == 0 &&
              pthread_mutex_init(&kv->lock, &attributes) == 0;
  pthread_mutexattr_destroy(&attributes);
  if (!made) return NULL;
  kv->blocks = bytes / SNT_KV_BLOCK + SPARE_BLOCKS;
  kv->buckets = buckets_for(kv->blocks);
  memcpy(kv->secret, secret, sizeof kv->secret);
  snt_kv_recover(kv);
  kv->recoveries = 0;
  kv->magic = MAGIC;
  return kv;
}

snt_kv *snt_kv_open(void *memory, size_t size) {
  snt_kv *kv = memory;
  if (size < sizeof *kv || kv->magic != MAGIC || kv->blocks >= UINT32_MAX / 2) return NULL;
  return kv->buckets == buckets_for(kv->blocks) && size == size_of(kv->blocks, kv->buckets) ? kv : NULL;
}

int64_t snt_kv_space(snt_kv *kv, const char *name) {
  if (strlen(name) > SNT_KV_SPACE_NAME) return SNT_KV_TOO_LARGE;
  if (!enter(kv)) return SNT_KV_UNAVAILABLE;
  uint32_t count = atomic_load(&kv->spaces), at = 0;
  while (at < count && strcmp(kv->space[at].name, name) != 0) at++;
  if (at == count && count < SNT_KV_SPACES) {
    strcpy(kv->space[at].name, name);
    atomic_store(&kv->spaces, count + 1);
  }
  leave(kv);
  return at < SNT_KV_SPACES ? (int64_t)at : SNT_KV_FULL;
}

int64_t snt_kv_get(snt_kv *kv, uint32_t space, const uint8_t *key, size_t length, uint64_t now, uint8_t *out,
                   size_t capacity) {
  if (length > SNT_KV_KEY_MAX) return SNT_KV_TOO_LARGE;
  snt_hash hash = snt_siphash(kv->secret, space, key, length);
  if (!enter(kv)) return SNT_KV_UNAVAILABLE;
  int64_t result = SNT_KV_ABSENT;
  reference *link = find(kv, hash, now);
  if (*link != 0) {
    const head *entry = entry_of(kv, *link);
    result = entry->length;
    if (entry->length <= capacity) read_entry(kv, entry, out);
  }
  leave(kv);
  return result;
}

int snt_kv_set(snt_kv *kv, uint32_t space, uint64_t quota, const uint8_t *key, size_t length, const uint8_t *value,
               size_t value_length, uint64_t ttl, uint64_t now) {
  if (length > SNT_KV_KEY_MAX || value_length > SNT_KV_VALUE_MAX) return SNT_KV_TOO_LARGE;
  snt_hash hash = snt_siphash(kv->secret, space, key, length);
  if (!enter(kv)) return SNT_KV_UNAVAILABLE;
  sweep(kv, now, SWEEP);
  int result = put(kv, hash, space, quota, value, value_length, end_of(ttl, now), now);
  leave(kv);
  return result;
}

int snt_kv_delete(snt_kv *kv, uint32_t space, const uint8_t *key, size_t length, uint64_t now) {
  if (length > SNT_KV_KEY_MAX) return SNT_KV_TOO_LARGE;
  snt_hash hash = snt_siphash(kv->secret, space, key, length);
  if (!enter(kv)) return SNT_KV_UNAVAILABLE;
  reference *link = find(kv, hash, now);
  bool found = *link != 0;
  if (found) unlink_entry(kv, link);
  leave(kv);
  return found;
}

static int add(snt_kv *kv, snt_hash hash, uint32_t space, uint64_t quota, int64_t delta, uint64_t ttl, uint64_t now,
               int64_t *sum) {
  reference *link = find(kv, hash, now);
  if (*link == 0) {
    *sum = delta;
    return put(kv, hash, space, quota, (const uint8_t *)sum, NUMBER_BYTES, end_of(ttl, now), now);
  }
  head *entry = entry_of(kv, *link);
  if (entry->length != NUMBER_BYTES) return SNT_KV_NOT_A_NUMBER;
  if (__builtin_add_overflow((int64_t)atomic_load(&entry->number), delta, sum)) return SNT_KV_NOT_A_NUMBER;
  atomic_store(&entry->number, (uint64_t)*sum);
  return 0;
}

int snt_kv_add(snt_kv *kv, uint32_t space, uint64_t quota, const uint8_t *key, size_t length, int64_t delta, uint64_t ttl,
               uint64_t now, int64_t *sum) {
  if (length > SNT_KV_KEY_MAX) return SNT_KV_TOO_LARGE;
  snt_hash hash = snt_siphash(kv->secret, space, key, length);
  if (!enter(kv)) return SNT_KV_UNAVAILABLE;
  sweep(kv, now, SWEEP);
  int result = add(kv, hash, space, quota, delta, ttl, now, sum);
  leave(kv);
  return result;
}

uint64_t snt_kv_used(const snt_kv *kv, uint32_t space) { return (uint64_t)kv->space[space].used * SNT_KV_BLOCK; }

uint64_t snt_kv_capacity(const snt_kv *kv) { return (kv->blocks - SPARE_BLOCKS) * SNT_KV_BLOCK; }

uint64_t snt_kv_recoveries(const snt_kv *kv) { return kv->recoveries; }

bool snt_kv_is_sound(snt_kv *kv) {
  if (!enter(kv)) return false;
  bool result = snt_kv_agrees(kv);
  leave(kv);
  return result;
}
