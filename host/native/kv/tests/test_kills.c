/* Processes that do nothing but change values, killed at random: the others go on, and nothing is
 * lost or torn. */
#define _GNU_SOURCE

#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../tests/harness.h"
#include "../src/kv.h"

#define KILLS 400
#define BYTES (512 * SNT_KV_BLOCK)
#define VALUE 700

static const uint64_t SECRET[2] = {7, 8};

typedef struct {
  _Atomic uint32_t started;
  _Atomic int64_t added; /* by those who live to say so */
} shared;

static void change_for_ever(snt_kv *kv, shared *common, unsigned seed) {
  uint8_t value[VALUE];
  /* A check that fails ends the parent, and nobody else ends this. */
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (uint64_t now = 1;; now++) {
    uint8_t key = (uint8_t)(rand_r(&seed) % 32);
    size_t length = (size_t)rand_r(&seed) % VALUE;
    int64_t sum;
    memset(value, key, sizeof value);
    snt_kv_set(kv, 0, UINT64_MAX, &key, 1, value, length, 0, now);
    if (rand_r(&seed) % 3 == 0) snt_kv_delete(kv, 0, &key, 1, now);
    if (snt_kv_add(kv, 1, UINT64_MAX, (const uint8_t *)"n", 1, 1, 0, now, &sum) == 0) atomic_fetch_add(&common->added, 1);
    atomic_store(&common->started, 1);
  }
}

static void killed_processes_leave_everything_whole(void) {
  size_t size = snt_kv_size(BYTES);
  shared *common = mmap(NULL, sizeof *common, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(common != MAP_FAILED && memory != MAP_FAILED);
  snt_kv *kv = snt_kv_make(memory, BYTES, SECRET);
  CHECK(kv != NULL && snt_kv_space(kv, "values") == 0 && snt_kv_space(kv, "number") == 1);
  unsigned seed = 1;
  for (unsigned round = 0; round < KILLS; round++) {
    atomic_store(&common->started, 0);
    pid_t child = fork();
    if (child == 0) change_for_ever(kv, common, round);
    while (atomic_load(&common->started) == 0) usleep(10);
    for (volatile int spin = rand_r(&seed) % 20000; spin > 0; spin--) continue;
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    CHECK(snt_kv_is_sound(kv));
    for (uint8_t key = 0; key < 32; key++) {
      uint8_t out[VALUE];
      int64_t length = snt_kv_get(kv, 0, &key, 1, UINT32_MAX, out, sizeof out);
      CHECK(length < VALUE);
      for (int64_t i = 0; i < length; i++) CHECK(out[i] == key);
    }
    /* Each victim may have added once without having said so. */
    int64_t sum;
    CHECK(snt_kv_add(kv, 1, UINT64_MAX, (const uint8_t *)"n", 1, 0, 0, UINT32_MAX, &sum) == 0);
    CHECK(sum >= atomic_load(&common->added) && sum <= atomic_load(&common->added) + round + 1);
  }
  CHECK(snt_kv_recoveries(kv) > 0); /* or nobody was killed where it matters */
  munmap(memory, size);
  munmap(common, sizeof *common);
}

/* An owner that is stopped holds the others up for a moment, and then they get an error. */
static void a_stopped_owner_is_not_waited_for(void) {
  size_t size = snt_kv_size(BYTES);
  shared *common = mmap(NULL, sizeof *common, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(common != MAP_FAILED && memory != MAP_FAILED);
  snt_kv *kv = snt_kv_make(memory, BYTES, SECRET);
  CHECK(kv != NULL && snt_kv_space(kv, "values") == 0 && snt_kv_space(kv, "number") == 1);
  pid_t child = fork();
  if (child == 0) change_for_ever(kv, common, 1);
  int unavailable = 0;
  unsigned seed = 1;
  for (int round = 0; round < 2000 && unavailable < 3; round++) {
    /* It may have to wait for this very processor: without a turn in between, each round would stop
     * it where it was. */
    atomic_store(&common->started, 0);
    while (atomic_load(&common->started) == 0) usleep(10);
    for (volatile int spin = rand_r(&seed) % 20000; spin > 0; spin--) continue;
    kill(child, SIGSTOP);
    int status;
    waitpid(child, &status, WUNTRACED);
    uint8_t out[VALUE], key = 1;
    unavailable += snt_kv_get(kv, 0, &key, 1, UINT32_MAX, out, sizeof out) == SNT_KV_UNAVAILABLE;
    kill(child, SIGCONT);
  }
  CHECK(unavailable > 0);
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  CHECK(snt_kv_is_sound(kv));
  munmap(memory, size);
  munmap(common, sizeof *common);
}

int main(void) {
  RUN(killed_processes_leave_everything_whole);
  RUN(a_stopped_owner_is_not_waited_for);
  return 0;
}
