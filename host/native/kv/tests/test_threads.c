/* Several at once: numbers add up, values are never mixed. */
#define _GNU_SOURCE

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "../../tests/harness.h"
#include "../src/kv.h"

#define THREADS 4
#define ROUNDS 20000
#define VALUE 500

static snt_kv *kv;
static atomic_int unavailable;

static void *work(void *argument) {
  uint8_t mine = (uint8_t)(uintptr_t)argument, value[VALUE], out[VALUE];
  memset(value, mine, sizeof value);
  for (int i = 0; i < ROUNDS; i++) {
    int64_t sum;
    int added = snt_kv_add(kv, 0, UINT64_MAX, (const uint8_t *)"n", 1, 1, 0, 1, &sum);
    if (added == SNT_KV_UNAVAILABLE) atomic_fetch_add(&unavailable, 1);
    else CHECK(added == 0);
    snt_kv_set(kv, 0, UINT64_MAX, (const uint8_t *)"v", 1, value, sizeof value, 0, 1);
    int64_t length = snt_kv_get(kv, 0, (const uint8_t *)"v", 1, 1, out, sizeof out);
    for (int64_t at = 1; at < length; at++) CHECK(out[at] == out[0]);
    if (i % 7 == 0) snt_kv_delete(kv, 0, (const uint8_t *)"v", 1, 1);
  }
  return NULL;
}

static void threads_see_whole_values(void) {
  static const uint64_t secret[2] = {1, 2};
  size_t size = snt_kv_size(65536);
  void *memory = aligned_alloc(64, size);
  CHECK(memory != NULL);
  memset(memory, 0, size);
  kv = snt_kv_make(memory, 65536, secret);
  CHECK(kv != NULL && snt_kv_space(kv, "one") == 0);
  pthread_t threads[THREADS];
  for (uintptr_t i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, work, (void *)(i + 1)) == 0);
  for (size_t i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  int64_t sum;
  CHECK(snt_kv_add(kv, 0, UINT64_MAX, (const uint8_t *)"n", 1, 0, 0, 1, &sum) == 0);
  CHECK(sum == THREADS * ROUNDS - atomic_load(&unavailable) && snt_kv_is_sound(kv));
  free(memory);
}

int main(void) {
  RUN(threads_see_whole_values);
  return 0;
}
