#define _GNU_SOURCE

#include "../src/kv.h"

#include <stdlib.h>
#include <string.h>

#include "../../tests/harness.h"

#define QUOTA (64 * SNT_KV_BLOCK)
#define BYTES (1024 * SNT_KV_BLOCK)

static const uint64_t SECRET[2] = {7, 8};
static snt_kv *kv;

static void begin(uint64_t bytes) {
  size_t size = snt_kv_size(bytes);
  void *memory = aligned_alloc(64, size);
  CHECK(memory != NULL);
  memset(memory, 0, size);
  kv = snt_kv_make(memory, bytes, SECRET);
  CHECK(kv != NULL && snt_kv_open(memory, size) == kv && snt_kv_open(memory, size - 64) == NULL);
  CHECK(snt_kv_space(kv, "first") == 0 && snt_kv_space(kv, "second") == 1 && snt_kv_space(kv, "first") == 0);
}

static void end(void) {
  CHECK(snt_kv_is_sound(kv) && snt_kv_recoveries(kv) == 0);
  free(kv);
}

static int set(uint32_t space, const char *key, const char *value, size_t length, uint64_t ttl, uint64_t now) {
  return snt_kv_set(kv, space, QUOTA, (const uint8_t *)key, strlen(key), (const uint8_t *)value, length, ttl, now);
}

static int64_t get(uint32_t space, const char *key, uint64_t now, void *out, size_t capacity) {
  return snt_kv_get(kv, space, (const uint8_t *)key, strlen(key), now, out, capacity);
}

static int erase(uint32_t space, const char *key, uint64_t now) {
  return snt_kv_delete(kv, space, (const uint8_t *)key, strlen(key), now);
}

static int add(uint32_t space, const char *key, int64_t delta, uint64_t ttl, uint64_t now, int64_t *sum) {
  return snt_kv_add(kv, space, QUOTA, (const uint8_t *)key, strlen(key), delta, ttl, now, sum);
}

static void values_of_every_length_come_back(void) {
  begin(BYTES);
  static char value[SNT_KV_VALUE_MAX], out[SNT_KV_VALUE_MAX];
  for (size_t i = 0; i < sizeof value; i++) value[i] = (char)(i * 7 + i / 251);
  static const size_t lengths[] = {0, 1, 87, 88, 89, 211, 212, 213, 336, 337, 4096, 7900};
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    size_t length = lengths[i];
    CHECK(set(0, "key", value, length, 0, 1) == 0);
    memset(out, 0, sizeof out);
    CHECK(get(0, "key", 1, out, sizeof out) == (int64_t)length && memcmp(out, value, length) == 0);
    CHECK(length == 0 || get(0, "key", 1, out, length - 1) == (int64_t)length); /* says how much room it takes */
    CHECK(snt_kv_is_sound(kv));
  }
  CHECK(snt_kv_set(kv, 1, UINT64_MAX, NULL, 0, (uint8_t *)value, SNT_KV_VALUE_MAX, 0, 1) == 0);
  CHECK(snt_kv_get(kv, 1, NULL, 0, 1, (uint8_t *)out, sizeof out) == SNT_KV_VALUE_MAX);
  CHECK(memcmp(out, value, sizeof out) == 0);
  end();
}

static void spaces_do_not_see_each_other(void) {
  begin(BYTES);
  char out[8];
  CHECK(set(0, "key", "a", 1, 0, 1) == 0 && get(1, "key", 1, out, 8) == SNT_KV_ABSENT);
  CHECK(set(1, "key", "bb", 2, 0, 1) == 0 && get(0, "key", 1, out, 8) == 1 && out[0] == 'a');
  CHECK(erase(1, "key", 1) == 1 && erase(1, "key", 1) == 0 && get(0, "key", 1, out, 8) == 1);
  end();
}

static void what_has_run_out_is_gone(void) {
  begin(BYTES);
  char out[8];
  CHECK(set(0, "key", "a", 1, 10, 100) == 0);
  CHECK(get(0, "key", 109, out, 8) == 1 && get(0, "key", 110, out, 8) == SNT_KV_ABSENT);
  CHECK(snt_kv_used(kv, 0) == 0); /* met, and taken back */
  CHECK(set(0, "key", "a", 1, UINT64_MAX, 100) == 0 && get(0, "key", UINT32_MAX, out, 8) == 1);
  CHECK(set(0, "key", "a", 1, 10, 100) == 0 && erase(0, "key", 110) == 0);
  end();
}

static void numbers_add_up_and_keep_their_end(void) {
  begin(BYTES);
  int64_t sum;
  char out[8];
  CHECK(add(0, "n", 5, 10, 100, &sum) == 0 && sum == 5);
  CHECK(add(0, "n", -7, 1000, 109, &sum) == 0 && sum == -2);
  CHECK(get(0, "n", 109, out, 8) == 8 && memcmp(out, &sum, 8) == 0);
  CHECK(add(0, "n", 1, 10, 110, &sum) == 0 && sum == 1); /* the first had run out */
  CHECK(add(0, "n", INT64_MAX, 10, 110, &sum) == SNT_KV_NOT_A_NUMBER);
  CHECK(set(0, "text", "abc", 3, 0, 1) == 0 && add(0, "text", 1, 0, 1, &sum) == SNT_KV_NOT_A_NUMBER);
  CHECK(set(0, "eight", "\1\0\0\0\0\0\0\0", 8, 0, 1) == 0 && add(0, "eight", 1, 0, 1, &sum) == 0 && sum == 2);
  end();
}

static void full_is_an_error_and_evicts_nothing(void) {
  begin(BYTES);
  char key[16], out[8];
  for (int i = 0; i < 64; i++) {
    snprintf(key, sizeof key, "%d", i);
    CHECK(set(0, key, "x", 1, 0, 1) == 0);
  }
  int64_t sum;
  CHECK(set(0, "more", "x", 1, 0, 1) == SNT_KV_FULL && add(0, "more", 1, 0, 1, &sum) == SNT_KV_FULL);
  CHECK(set(0, "0", "y", 1, 0, 1) == 0); /* one that is there can be replaced */
  static const char large[200];
  CHECK(set(0, "0", large, sizeof large, 0, 1) == SNT_KV_FULL && get(0, "0", 1, out, 8) == 1 && out[0] == 'y');
  for (int i = 1; i < 64; i++) {
    snprintf(key, sizeof key, "%d", i);
    CHECK(get(0, key, 1, out, 8) == 1);
  }
  CHECK(snt_kv_used(kv, 0) == QUOTA && snt_kv_used(kv, 1) == 0);
  CHECK(set(1, "more", "x", 1, 0, 1) == 0); /* the others have their own */
  CHECK(erase(0, "1", 1) == 1 && set(0, "more", "x", 1, 0, 1) == 0);
  end();
}

static void a_full_space_of_values_that_ran_out_is_not_full(void) {
  begin(BYTES);
  char key[16];
  for (uint64_t round = 0; round < 20; round++) {
    for (int i = 0; i < 64; i++) {
      snprintf(key, sizeof key, "%d-%d", (int)round, i);
      CHECK(set(0, key, "x", 1, 10, round * 10) == 0);
    }
  }
  end();
}

static void the_memory_itself_may_be_full(void) {
  begin(16 * SNT_KV_BLOCK);
  static const uint8_t value[SNT_KV_VALUE_MAX];
  int stored = 0;
  for (int i = 0; i < 2000; i++) {
    stored += snt_kv_set(kv, (uint32_t)i % 2, UINT64_MAX, (uint8_t *)&i, sizeof i, value, 300, 0, 1) == 0;
    CHECK(snt_kv_is_sound(kv));
  }
  CHECK(stored > 16 && stored < 2000);
  end();
}

static void too_large_is_an_error(void) {
  begin(BYTES);
  static const uint8_t large[SNT_KV_VALUE_MAX + 1];
  CHECK(snt_kv_set(kv, 0, UINT64_MAX, large, SNT_KV_KEY_MAX + 1, large, 1, 0, 1) == SNT_KV_TOO_LARGE);
  CHECK(snt_kv_set(kv, 0, UINT64_MAX, large, 1, large, SNT_KV_VALUE_MAX + 1, 0, 1) == SNT_KV_TOO_LARGE);
  CHECK(snt_kv_get(kv, 0, large, SNT_KV_KEY_MAX + 1, 1, NULL, 0) == SNT_KV_TOO_LARGE);
  CHECK(snt_kv_delete(kv, 0, large, SNT_KV_KEY_MAX + 1, 1) == SNT_KV_TOO_LARGE);
  CHECK(snt_kv_set(kv, 0, QUOTA, large, SNT_KV_KEY_MAX, large, 1, 0, 1) == 0);
  char name[SNT_KV_SPACE_NAME + 2];
  memset(name, 'n', sizeof name - 1), name[sizeof name - 1] = 0;
  CHECK(snt_kv_space(kv, name) == SNT_KV_TOO_LARGE);
  CHECK(snt_kv_size((uint64_t)1 << 50) == 0);
  end();
}

static void there_are_so_many_spaces(void) {
  begin(BYTES);
  char name[16];
  for (int i = 2; i < SNT_KV_SPACES; i++) {
    snprintf(name, sizeof name, "%d", i);
    CHECK(snt_kv_space(kv, name) == i);
  }
  CHECK(snt_kv_space(kv, "more") == SNT_KV_FULL && snt_kv_space(kv, "first") == 0);
  end();
}

/* Against a model that is obviously right. */
static void random_operations_agree_with_a_model(void) {
  enum { KEYS = 40 };
  begin(BYTES);
  static struct {
    int64_t length; /* -1: absent */
    uint64_t ends;
    uint8_t fill;
  } model[KEYS];
  static uint8_t value[600], out[600];
  unsigned seed = 1;
  uint64_t now = 1000;
  for (int i = 0; i < KEYS; i++) model[i].length = -1;
  for (int round = 0; round < 200000; round++) {
    uint8_t key = (uint8_t)(rand_r(&seed) % KEYS);
    now += rand_r(&seed) % 50 == 0;
    if (model[key].length >= 0 && model[key].ends != 0 && model[key].ends <= now) model[key].length = -1;
    size_t length = (size_t)rand_r(&seed) % 600;
    uint64_t ttl = (uint64_t)rand_r(&seed) % 20;
    switch (rand_r(&seed) % 4) {
    case 0:
      memset(value, round & 0xff, length);
      if (snt_kv_set(kv, 0, 2 * QUOTA, &key, 1, value, length, ttl, now) == 0) {
        model[key].length = (int64_t)length;
        model[key].ends = ttl == 0 ? 0 : now + ttl;
        model[key].fill = (uint8_t)(round & 0xff);
      }
      break;
    case 1:
      CHECK(snt_kv_delete(kv, 0, &key, 1, now) == (model[key].length >= 0));
      model[key].length = -1;
      break;
    default: {
      int64_t got = snt_kv_get(kv, 0, &key, 1, now, out, sizeof out);
      CHECK(got == (model[key].length < 0 ? SNT_KV_ABSENT : model[key].length));
      for (int64_t i = 0; i < got; i++) CHECK(out[i] == model[key].fill);
    }
    }
    if (round % 1000 == 0) CHECK(snt_kv_is_sound(kv));
  }
  end();
}

int main(void) {
  RUN(values_of_every_length_come_back);
  RUN(spaces_do_not_see_each_other);
  RUN(what_has_run_out_is_gone);
  RUN(numbers_add_up_and_keep_their_end);
  RUN(full_is_an_error_and_evicts_nothing);
  RUN(a_full_space_of_values_that_ran_out_is_not_full);
  RUN(the_memory_itself_may_be_full);
  RUN(too_large_is_an_error);
  RUN(there_are_so_many_spaces);
  RUN(random_operations_agree_with_a_model);
  return 0;
}
