#include "maglev.h"

#include "mix.h"

#define FREE UINT16_MAX

void snt_maglev(uint16_t *slots, const uint64_t *keys, const uint32_t *weights, uint32_t count, uint32_t *scratch) {
  uint32_t *offset = scratch, *skip = scratch + count, *next = scratch + 2 * (size_t)count;
  uint32_t heaviest = 1;
  for (uint32_t index = 0; index < count; index++) {
    uint64_t hash = snt_mix(keys[index]);
    offset[index] = (uint32_t)(hash % SNT_MAGLEV_SLOTS);
    skip[index] = (uint32_t)(snt_mix(hash) % (SNT_MAGLEV_SLOTS - 1)) + 1;
    next[index] = offset[index];
    if (weights[index] > heaviest) heaviest = weights[index];
  }
  for (uint32_t slot = 0; slot < SNT_MAGLEV_SLOTS; slot++) slots[slot] = FREE;
  uint32_t filled = 0;
  /* In a round, an endpoint takes its next slot when its share of the rounds is due: the heaviest
   * in each. */
  for (uint64_t round = 1; filled < SNT_MAGLEV_SLOTS; round++) {
    for (uint32_t index = 0; index < count && filled < SNT_MAGLEV_SLOTS; index++) {
      if (round * weights[index] / heaviest == (round - 1) * weights[index] / heaviest) continue;
      while (slots[next[index]] != FREE) next[index] = (next[index] + skip[index]) % SNT_MAGLEV_SLOTS;
      slots[next[index]] = (uint16_t)index;
      filled++;
    }
  }
}
