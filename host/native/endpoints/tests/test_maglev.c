/* The shares of a consistent hash, and how much of it moves. */

#include "../src/maglev.h"

#include <stdlib.h>

#include "../../tests/harness.h"

#define MOST 600

static uint32_t scratch[3 * MOST];

static uint16_t *fill(const uint64_t *keys, const uint32_t *weights, uint32_t count) {
  uint16_t *slots = malloc(SNT_MAGLEV_SLOTS * sizeof *slots);
  snt_maglev(slots, keys, weights, count, scratch);
  return slots;
}

static void everybody_gets_a_share_by_weight(void) {
  for (uint32_t count = 1; count <= MOST; count = count * 2 + 1) {
    uint64_t keys[MOST];
    uint32_t weights[MOST], shares[MOST] = {0}, total = 0;
    for (uint32_t index = 0; index < count; index++) {
      keys[index] = index + 1000;
      weights[index] = index % 3 + 1;
      total += weights[index];
    }
    uint16_t *slots = fill(keys, weights, count);
    for (uint32_t slot = 0; slot < SNT_MAGLEV_SLOTS; slot++) {
      CHECK(slots[slot] < count);
      shares[slots[slot]]++;
    }
    for (uint32_t index = 0; index < count; index++) {
      double fair = (double)SNT_MAGLEV_SLOTS * weights[index] / total;
      CHECK((double)shares[index] > fair * 0.97 - 3 && (double)shares[index] < fair * 1.03 + 3);
    }
    free(slots);
  }
}

static void few_slots_move_when_one_leaves(void) {
  uint64_t keys[10];
  uint32_t weights[10], kept = 0, moved = 0;
  for (uint32_t index = 0; index < 10; index++) {
    keys[index] = 77 * index + 5;
    weights[index] = 1;
  }
  uint16_t *before = fill(keys, weights, 10), *after = fill(keys, weights, 9);
  for (uint32_t slot = 0; slot < SNT_MAGLEV_SLOTS; slot++) {
    if (before[slot] == 9) continue;
    kept += before[slot] == after[slot];
    moved += before[slot] != after[slot];
  }
  /* The paper's price for even shares: a few slots of those that stay move too. */
  CHECK(moved < (kept + moved) / 20);
  free(before);
  free(after);
}

static void few_slots_depend_on_the_order(void) {
  uint64_t keys[] = {11, 22, 33}, turned[] = {33, 11, 22};
  uint32_t weights[] = {1, 1, 1}, differ = 0;
  uint16_t *slots = fill(keys, weights, 3), *others = fill(turned, weights, 3);
  for (uint32_t slot = 0; slot < SNT_MAGLEV_SLOTS; slot++) differ += keys[slots[slot]] != turned[others[slot]];
  CHECK(differ < SNT_MAGLEV_SLOTS / 20);
  free(slots);
  free(others);
}

int main(void) {
  RUN(everybody_gets_a_share_by_weight);
  RUN(few_slots_move_when_one_leaves);
  RUN(few_slots_depend_on_the_order);
  return 0;
}
