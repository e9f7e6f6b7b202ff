#include "limiter.h"

#include <string.h>

#include "siphash.h"
#include "table.h"

#define MAGIC 0x31304d494c544e53u /* "SNTLIM01": changes with the layout */
#define TENTATIVE ((uint64_t)1)
#define COUNT_BITS 24
#define COUNT_MASK (((uint64_t)1 << COUNT_BITS) - 1)
#define PLACES (2 * SNT_SET_SLOTS)
#define NS_PER_MS 1000000u
/* An insertion takes a microsecond. One that a killed process began expires after this. */
#define TENTATIVE_MS 1000u

/* A time in the units of a state: milliseconds << 24 | fraction. */
typedef uint64_t instant;

typedef struct {
  uint64_t tag;
  snt_set *sets[2];
} place;

typedef struct {
  bool allowed;
  uint64_t next;
  int64_t verdict;
} step;

static instant to_instant(uint64_t now) {
  return now / NS_PER_MS << COUNT_BITS | (now % NS_PER_MS << COUNT_BITS) / NS_PER_MS;
}

static uint64_t milliseconds(instant time) { return time >> COUNT_BITS; }

/* Rounded up, so that a client does not come back too early. */
static uint64_t whole_milliseconds(instant time) { return (time + COUNT_MASK) >> COUNT_BITS; }

static int64_t verdict_of(uint64_t remaining, uint64_t reset) {
  if (reset > UINT32_MAX) reset = UINT32_MAX;
  return (int64_t)(remaining << 32 | reset);
}

/* --- the two algorithms: what one request makes of a state ------------------------------------ */

static step fixed_window(const snt_limit *limit, uint64_t state, instant now) {
  uint64_t end = milliseconds(state), used = state & COUNT_MASK, time = milliseconds(now);
  if (end <= time) {
    end = time + limit->window_ms;
    return (step){true, end << COUNT_BITS | 1, verdict_of(limit->requests - 1, limit->window_ms)};
  }
  if (used >= limit->requests) return (step){false, state, SNT_VERDICT_REFUSED | verdict_of(0, end - time)};
  return (step){true, state + 1, verdict_of(limit->requests - used - 1, end - time)};
}

static step leaky_bucket(const snt_limit *limit, uint64_t state, instant now) {
  uint64_t window = (uint64_t)limit->window_ms << COUNT_BITS;
  uint64_t interval = (window + limit->requests - 1) / limit->requests, depth = interval * limit->requests;
  uint64_t arrival = (state > now ? state : now) + interval;
  uint64_t level = arrival - now;
  if (level > depth) {
    return (step){false, state, SNT_VERDICT_REFUSED | verdict_of(0, whole_milliseconds(level - depth))};
  }
  return (step){true, arrival, verdict_of((depth - level) / interval, whole_milliseconds(level))};
}

static step advance(const snt_limit *limit, uint64_t state, instant now) {
  return limit->algorithm == SNT_LEAKY_BUCKET ? leaky_bucket(limit, state, now) : fixed_window(limit, state, now);
}

/* --- slots ------------------------------------------------------------------------------------ */

static snt_slot *slot_at(const place *where, int index) {
  return &where->sets[index / SNT_SET_SLOTS]->slots[index % SNT_SET_SLOTS];
}

static uint64_t tag_of(snt_slot *slot) { return atomic_load_explicit(&slot->tag, memory_order_seq_cst); }

static uint64_t state_of(snt_slot *slot) { return atomic_load_explicit(&slot->state, memory_order_seq_cst); }

static snt_pair pair_of(uint64_t tag, uint64_t state) { return (snt_pair)state << 64 | tag; }

/* The only way that a slot ever changes. C11's own 16-byte atomics are a library call that may take
 * a lock. */
static bool swap(snt_slot *slot, uint64_t tag, uint64_t state, uint64_t new_tag, uint64_t new_state) {
  return __sync_bool_compare_and_swap(&slot->pair, pair_of(tag, state), pair_of(new_tag, new_state));
}

/* Strictly over: a leaky bucket may still hold a fraction of its last millisecond. */
static bool is_free(uint64_t tag, uint64_t state, instant now) {
  return tag == 0 || milliseconds(state) < milliseconds(now);
}

/* Count one request in a slot that counts `tag`; returns false when it does not any more. */
static bool count(snt_slot *slot, uint64_t tag, const snt_limit *limit, instant now, int64_t *verdict) {
  for (;;) {
    uint64_t state = state_of(slot);
    if (tag_of(slot) != tag) return false;
    step taken = advance(limit, state, now);
    *verdict = taken.verdict;
    if (taken.allowed ? swap(slot, tag, state, tag, taken.next) : state_of(slot) == state) return true;
  }
}

/* Rule 3: remove the tentative slot at `index`, or make it count, with this request as its first.
 *         Returns false when the
 * key must be looked up again. */
static bool decide(const place *where, int index, const snt_limit *limit, instant now, int64_t *verdict) {
  snt_slot *slot = slot_at(where, index);
  uint64_t mine = where->tag | TENTATIVE, state = state_of(slot);
  if (tag_of(slot) != mine || state_of(slot) != state) return false;
  for (int other = 0; other < PLACES; other++) {
    if (other == index) continue;
    snt_slot *rival = slot_at(where, other);
    uint64_t rival_state = state_of(rival), tag = tag_of(rival);
    if ((tag & ~TENTATIVE) != where->tag) continue;
    if (tag == where->tag || other < index) {
      swap(slot, mine, state, 0, 0);
      return false;
    }
    if (!swap(rival, tag, rival_state, 0, 0)) return false;
  }
  step first = advance(limit, 0, now);
  *verdict = first.verdict;
  return swap(slot, mine, state, where->tag, first.next);
}

/* Where the key is, or PLACES; then `vacant` is the slot that it may take, or PLACES, and `soonest`
 * when a live one ends. */
static int find(const place *where, instant now, int *vacant, uint64_t *soonest) {
  int free_slots[2] = {0, 0}, first[2] = {PLACES, PLACES};
  *soonest = UINT64_MAX;
  for (int index = 0; index < PLACES; index++) {
    snt_slot *slot = slot_at(where, index);
    uint64_t tag = tag_of(slot);
    if ((tag & ~TENTATIVE) == where->tag) return index;
    uint64_t state = state_of(slot);
    int half = index / SNT_SET_SLOTS;
    if (is_free(tag, state, now)) {
      if (free_slots[half]++ == 0) first[half] = index;
    } else if (milliseconds(state) < *soonest) {
      *soonest = milliseconds(state);
    }
  }
  *vacant = free_slots[1] > free_slots[0] ? first[1] : first[0];
  return PLACES;
}

/* Tag a free slot with the key; granting nothing yet. Failing is fine: the key is looked up again
 * either way. */
static void claim(snt_table *table, const place *where, int index, instant now) {
  snt_slot *slot = slot_at(where, index);
  uint64_t tag = tag_of(slot), state = state_of(slot);
  if (!is_free(tag, state, now)) return;
  uint64_t number = atomic_fetch_add_explicit(&table->insertions, 1, memory_order_relaxed) & COUNT_MASK;
  swap(slot, tag, state, where->tag | TENTATIVE, (milliseconds(now) + TENTATIVE_MS) << COUNT_BITS | number);
}

/* Returns false, with the time of the soonest vacancy, when there is no place for the key. */
static bool count_at(snt_table *table, const place *where, const snt_limit *limit, instant now, int64_t *verdict,
                     uint64_t *soonest) {
  for (;;) {
    int vacant;
    int index = find(where, now, &vacant, soonest);
    if (index == PLACES) {
      if (vacant == PLACES) return false;
      claim(table, where, vacant, now);
    } else if (tag_of(slot_at(where, index)) == where->tag) {
      if (count(slot_at(where, index), where->tag, limit, now, verdict)) return true;
    } else if (decide(where, index, limit, now, verdict)) {
      return true;
    }
  }
}

/* --- keys and tables -------------------------------------------------------------------------- */

static place locate(snt_hash hash, snt_set *sets, uint64_t mask) {
  uint64_t first = hash.high & mask, second = hash.high >> 32 & mask;
  if (second == first) second ^= 1;
  /* Among very many keys each set is a cache miss: both at once take half as long. */
  __builtin_prefetch(&sets[first].slots[0]);
  __builtin_prefetch(&sets[second].slots[0]);
  uint64_t tag = hash.low & ~TENTATIVE;
  return (place){tag == 0 ? 2 : tag, {&sets[first], &sets[second]}};
}

static place place_of(snt_table *table, const snt_limit *limit, const uint8_t *key, size_t length) {
  return locate(snt_siphash(table->secret, limit->id, key, length), table->set, table->sets - 1);
}

static int64_t overflow(snt_table *table, const snt_limit *limit, instant now, uint64_t soonest) {
  atomic_fetch_add_explicit(&table->overflows, 1, memory_order_relaxed);
  if (limit->overflow == SNT_OVERFLOW_OPEN) return SNT_VERDICT_OVERFLOW | verdict_of(limit->requests, 0);
  if (limit->overflow == SNT_OVERFLOW_SHARE) {
    place spare = locate(snt_siphash(table->secret, limit->id, NULL, 0), &table->set[table->sets], SNT_SPARE_SETS - 1);
    int64_t verdict;
    if (count_at(table, &spare, limit, now, &verdict, &soonest)) return SNT_VERDICT_OVERFLOW | verdict;
  }
  uint64_t time = milliseconds(now);
  return SNT_VERDICT_REFUSED | SNT_VERDICT_OVERFLOW | verdict_of(0, soonest > time ? soonest - time + 1 : 1);
}

int64_t snt_limit_check(snt_table *table, const snt_limit *limit, const uint8_t *key, size_t length, uint64_t now) {
  place where = place_of(table, limit, key, length);
  instant time = to_instant(now);
  int64_t verdict;
  uint64_t soonest;
  if (count_at(table, &where, limit, time, &verdict, &soonest)) return verdict;
  return overflow(table, limit, time, soonest);
}

bool snt_limit_learn(snt_table *table, const snt_limit *limit, const uint8_t *key, size_t length, uint64_t now,
                     uint32_t used, uint32_t left_ms) {
  place where = place_of(table, limit, key, length);
  instant time = to_instant(now);
  uint64_t end = milliseconds(time) + left_ms;
  if (used > COUNT_MASK) used = COUNT_MASK;
  for (;;) {
    int vacant;
    uint64_t soonest;
    int index = find(&where, time, &vacant, &soonest);
    if (index == PLACES) return false;
    snt_slot *slot = slot_at(&where, index);
    uint64_t state = state_of(slot);
    uint64_t tag = tag_of(slot);
    if (tag == (where.tag | TENTATIVE)) return false;
    bool open = milliseconds(state) > milliseconds(time);
    uint64_t counted = open && (state & COUNT_MASK) > used ? state & COUNT_MASK : used;
    if (tag == where.tag && swap(slot, tag, state, tag, end << COUNT_BITS | counted)) return true;
  }
}

static uint64_t sets_for(uint64_t slots) {
  uint64_t sets = 2;
  while (sets * SNT_SET_SLOTS < slots) sets *= 2;
  return sets;
}

static size_t size_of(uint64_t sets) { return sizeof(snt_table) + (sets + SNT_SPARE_SETS) * sizeof(snt_set); }

size_t snt_table_size(uint64_t slots) { return slots > (uint64_t)1 << 28 ? 0 : size_of(sets_for(slots)); }

snt_table *snt_table_make(void *memory, uint64_t slots, const uint64_t secret[2]) {
  snt_table *table = memory;
  table->magic = MAGIC;
  table->sets = sets_for(slots);
  memcpy(table->secret, secret, sizeof table->secret);
  return table;
}

snt_table *snt_table_open(void *memory, size_t size) {
  snt_table *table = memory;
  if (size < sizeof *table || table->magic != MAGIC) return NULL;
  bool power_of_two = table->sets >= 2 && (table->sets & (table->sets - 1)) == 0;
  return power_of_two && table->sets <= (uint64_t)1 << 25 && size == size_of(table->sets) ? table : NULL;
}

uint64_t snt_table_slots(const snt_table *table) { return table->sets * SNT_SET_SLOTS; }

uint64_t snt_table_live(const snt_table *table, uint64_t now) {
  uint64_t live = 0;
  instant time = to_instant(now);
  for (uint64_t set = 0; set < table->sets; set++) {
    for (int index = 0; index < SNT_SET_SLOTS; index++) {
      snt_slot *slot = (snt_slot *)&table->set[set].slots[index];
      live += !is_free(tag_of(slot), state_of(slot), time);
    }
  }
  return live;
}

uint64_t snt_table_overflows(const snt_table *table) {
  return atomic_load_explicit((_Atomic uint64_t *)&table->overflows, memory_order_relaxed);
}
