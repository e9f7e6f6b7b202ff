/* All that is derived from the buckets: made anew, and checked (rule 2 of kv.h). */
#define _GNU_SOURCE

#include <string.h>

#include "layout.h"

static void mark(snt_kv *kv, reference to) { marks_of(kv)[(to - 1) / 8] |= (uint8_t)(1 << (to - 1) % 8); }

static bool is_marked(const snt_kv *kv, reference to) { return marks_of(kv)[(to - 1) / 8] >> (to - 1) % 8 & 1; }

void snt_kv_recover(snt_kv *kv) {
  memset(marks_of(kv), 0, (kv->blocks + 7) / 8);
  for (uint32_t i = 0; i < SNT_KV_SPACES; i++) kv->space[i].used = 0;
  for (uint64_t bucket = 0; bucket < kv->buckets; bucket++) {
    for (reference at = kv->bucket[bucket]; at != 0; at = entry_of(kv, at)->chain) {
      for (reference part = at; part != 0; part = block_of(kv, part)->tail.next) {
        mark(kv, part);
        kv->space[entry_of(kv, at)->space].used++;
      }
    }
  }
  kv->unused = 0;
  kv->unused_count = 0;
  for (reference to = (reference)kv->blocks; to > 0; to--) {
    if (is_marked(kv, to)) continue;
    block_of(kv, to)->tail.next = kv->unused;
    kv->unused = to;
    kv->unused_count++;
  }
  kv->recoveries++;
}

/* Counts a block that is met for the first time; false for one that was met before, or is none. */
static bool meet(snt_kv *kv, reference to, uint64_t *met) {
  if (to > kv->blocks || is_marked(kv, to)) return false;
  mark(kv, to);
  (*met)++;
  return true;
}

bool snt_kv_agrees(snt_kv *kv) {
  uint32_t used[SNT_KV_SPACES] = {0};
  uint64_t met = 0, unused = 0;
  memset(marks_of(kv), 0, (kv->blocks + 7) / 8);
  for (uint64_t bucket = 0; bucket < kv->buckets; bucket++) {
    for (reference at = kv->bucket[bucket]; at != 0; at = entry_of(kv, at)->chain) {
      uint32_t parts = 0;
      for (reference part = at; part != 0; part = block_of(kv, part)->tail.next, parts++) {
        if (!meet(kv, part, &met)) return false;
      }
      if (parts != blocks_for(entry_of(kv, at)->length)) return false;
      used[entry_of(kv, at)->space] += parts;
    }
  }
  for (reference at = kv->unused; at != 0; at = block_of(kv, at)->tail.next, unused++) {
    if (!meet(kv, at, &met)) return false;
  }
  for (uint32_t i = 0; i < SNT_KV_SPACES; i++) {
    if (used[i] != kv->space[i].used) return false;
  }
  return met == kv->blocks && unused == kv->unused_count;
}
