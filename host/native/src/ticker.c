#define _POSIX_C_SOURCE 200809L

#include "ticker.h"

#include <signal.h>
#include <stdlib.h>
#include <time.h>

static void after(struct timespec *time, long nanoseconds) {
  time->tv_nsec += nanoseconds;
  if (time->tv_nsec >= 1000000000) {
    time->tv_nsec -= 1000000000;
    time->tv_sec++;
  }
}

static bool is_before(const struct timespec *a, const struct timespec *b) {
  return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

/* Wait until a guest is entered; one that came in since `entered` was read prevents it. */
static void fall_asleep(snt_ticker *ticker, uint_fast64_t entered) {
  pthread_mutex_lock(&ticker->lock);
  atomic_store(&ticker->asleep, true);
  if (atomic_load(&ticker->entered) != entered) atomic_store(&ticker->asleep, false);
  while (atomic_load(&ticker->asleep) && !atomic_load(&ticker->stopping)) {
    pthread_cond_wait(&ticker->awakened, &ticker->lock);
  }
  pthread_mutex_unlock(&ticker->lock);
}

static void *tick(void *argument) {
  snt_ticker *ticker = argument;
  struct timespec next, now;
  uint_fast64_t last = 0;
  unsigned idle = 0, steps = 1, since_ran = 0;
  clock_gettime(CLOCK_MONOTONIC, &next);
  while (!atomic_load(&ticker->stopping)) {
    after(&next, (long)steps * SNT_TICK_NS);
    clock_gettime(CLOCK_MONOTONIC, &now);
    /* Ticks that were missed are not made up for: a guest would be charged for several at once. */
    if (is_before(&next, &now)) next = now;
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    ticker->engine->wasmtime_engine_increment_epoch(ticker->wasm_engine);
    uint_fast64_t entered = atomic_load(&ticker->entered);
    bool runs = atomic_load(&ticker->left) != entered;
    idle = entered == last && !runs ? idle + steps : 0;
    bool few = entered - last <= (uint_fast64_t)steps * SNT_FEW_ENTRIES;
    since_ran = runs ? 0 : since_ran + steps;
    steps = !runs && few ? SNT_QUIET_STEPS : since_ran >= SNT_BUSY_STEPS ? SNT_BUSY_STEPS : 1;
    last = entered;
    if (idle >= SNT_TICKS_BEFORE_SLEEP) {
      fall_asleep(ticker, entered);
      idle = 0;
      steps = 1;
      clock_gettime(CLOCK_MONOTONIC, &next);
    }
  }
  return NULL;
}

/* With every signal blocked: they are for the thread that runs Python. */
static bool start_thread(snt_ticker *ticker) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  bool started = pthread_create(&ticker->thread, NULL, tick, ticker) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return started;
}

snt_ticker *snt_ticker_new(const snt_engine *engine, uintptr_t wasm_engine) {
  snt_ticker *ticker = calloc(1, sizeof *ticker);
  if (ticker == NULL) return NULL;
  ticker->engine = engine;
  atomic_init(&ticker->references, 1);
  pthread_mutex_init(&ticker->lock, NULL);
  pthread_cond_init(&ticker->awakened, NULL);
  ticker->wasm_engine = engine->wasmtime_engine_clone((wasm_engine_t *)wasm_engine);
  return ticker;
}

bool snt_ticker_start(snt_ticker *ticker) {
  if (!ticker->started) ticker->started = start_thread(ticker);
  return ticker->started;
}

void snt_ticker_keep(snt_ticker *ticker) { atomic_fetch_add(&ticker->references, 1); }

static void wake(snt_ticker *ticker) {
  pthread_mutex_lock(&ticker->lock);
  atomic_store(&ticker->asleep, false);
  pthread_cond_signal(&ticker->awakened);
  pthread_mutex_unlock(&ticker->lock);
}

void snt_ticker_free(snt_ticker *ticker) {
  if (ticker == NULL || atomic_fetch_sub(&ticker->references, 1) > 1) return;
  atomic_store(&ticker->stopping, true);
  wake(ticker);
  if (ticker->started) pthread_join(ticker->thread, NULL);
  pthread_cond_destroy(&ticker->awakened);
  pthread_mutex_destroy(&ticker->lock);
  ticker->engine->wasm_engine_delete(ticker->wasm_engine);
  free(ticker);
}

void snt_ticker_enter(snt_ticker *ticker) {
  atomic_fetch_add(&ticker->entered, 1);
  if (atomic_load(&ticker->asleep)) wake(ticker);
}

void snt_ticker_leave(snt_ticker *ticker) { atomic_fetch_add(&ticker->left, 1); }

bool snt_ticker_is_asleep(snt_ticker *ticker) { return atomic_load(&ticker->asleep); }
