/* Several threads on one small table, where keys come, run out and displace one another all the
 * time. */

#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "../../tests/harness.h"
#include "../src/limiter.h"

#define MS UINT64_C(1000000)
#define THREADS 4
#define KEYS 24 /* for 32 slots: insertions meet one another, and some keys find no place */
#define ROUNDS 400
#define REQUESTS 10

static const uint64_t SECRET[2] = {3, 4};
static snt_table *table;
static snt_limit limit = {.id = 1, .requests = REQUESTS, .window_ms = 1000, .overflow = SNT_OVERFLOW_CLOSED};
static _Atomic uint32_t allowed[KEYS], displaced[KEYS];
static pthread_barrier_t barrier;

/* A round takes 10 ms: nothing runs out within one, and everything between two. */
static void *hammer(void *argument) {
  uint64_t seed = (uint64_t)(uintptr_t)argument;
  for (uint64_t round = 1; round <= ROUNDS; round++) {
    pthread_barrier_wait(&barrier);
    for (uint64_t request = 0; request < KEYS * REQUESTS; request++) {
      uint64_t index = (request + seed * 5) % KEYS, key = round * KEYS + index;
      uint64_t now = round * 1100 * MS + request * MS / KEYS;
      int64_t verdict = snt_limit_check(table, &limit, (const uint8_t *)&key, sizeof key, now);
      if (verdict >= 0) atomic_fetch_add(&allowed[index], 1);
      if ((verdict & SNT_VERDICT_OVERFLOW) != 0) atomic_fetch_add(&displaced[index], 1);
    }
    pthread_barrier_wait(&barrier);
    if (seed != 0) continue;
    for (int index = 0; index < KEYS; index++) {
      uint32_t counted = THREADS * REQUESTS - atomic_exchange(&displaced[index], 0);
      CHECK(atomic_exchange(&allowed[index], 0) == (counted < REQUESTS ? counted : REQUESTS));
    }
  }
  return NULL;
}

static void hammer_together(uint32_t algorithm) {
  size_t size = snt_table_size(32);
  void *memory = aligned_alloc(64, size);
  memset(memory, 0, size);
  table = snt_table_make(memory, 32, SECRET);
  limit.algorithm = algorithm;
  pthread_t threads[THREADS];
  pthread_barrier_init(&barrier, NULL, THREADS);
  for (uintptr_t index = 0; index < THREADS; index++) pthread_create(&threads[index], NULL, hammer, (void *)index);
  for (int index = 0; index < THREADS; index++) pthread_join(threads[index], NULL);
  pthread_barrier_destroy(&barrier);
  free(memory);
}

static void each_window_grants_its_number_whoever_asks(void) { hammer_together(SNT_FIXED_WINDOW); }

static void each_bucket_grants_its_number_whoever_asks(void) { hammer_together(SNT_LEAKY_BUCKET); }

int main(void) {
  RUN(each_window_grants_its_number_whoever_asks);
  RUN(each_bucket_grants_its_number_whoever_asks);
  return 0;
}
