#define _POSIX_C_SOURCE 200809L

#include <sched.h>

/* The ticker's time is the test's: a tick is over when the test says so. */
#define clock_nanosleep wait_for_tick
#include "../src/ticker.c"
#undef clock_nanosleep

#include "fake_engine.h"
#include "harness.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool waits, is_over, has_ended;

int wait_for_tick(clockid_t clock, int flags, const struct timespec *until, struct timespec *rest) {
  CHECK(clock == CLOCK_MONOTONIC && flags == TIMER_ABSTIME && until != NULL && rest == NULL);
  pthread_mutex_lock(&lock);
  waits = true;
  is_over = false;
  pthread_cond_broadcast(&changed);
  while (!is_over && !has_ended) pthread_cond_wait(&changed, &lock);
  waits = false;
  pthread_mutex_unlock(&lock);
  return 0;
}

/* Until the ticker waits for the end of a tick. */
static void await_tick(void) {
  while (!waits || is_over) pthread_cond_wait(&changed, &lock);
}

/* Let so many ticks pass. */
static void pass(size_t ticks) {
  pthread_mutex_lock(&lock);
  for (size_t i = 0; i < ticks; i++) {
    await_tick();
    is_over = true;
    pthread_cond_broadcast(&changed);
  }
  pthread_mutex_unlock(&lock);
}

/* Whether it waits for another tick; otherwise it has fallen asleep. */
static bool goes_on(snt_ticker *ticker) {
  for (;;) {
    pthread_mutex_lock(&lock);
    bool waiting = waits && !is_over;
    pthread_mutex_unlock(&lock);
    if (waiting || snt_ticker_is_asleep(ticker)) return waiting;
    sched_yield();
  }
}

static snt_ticker *new_ticker(void) {
  int wasm_engine = 0;
  snt_ticker *ticker = snt_ticker_new(&FAKE_ENGINE, (uintptr_t)&wasm_engine);
  CHECK(ticker != NULL && fake_engines() == 1);
  has_ended = false;
  return ticker;
}

static void end(snt_ticker *ticker) {
  pthread_mutex_lock(&lock);
  has_ended = true;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
  snt_ticker_free(ticker);
}

static void ticks_while_a_guest_runs_and_sleeps_when_none_does(void) {
  snt_ticker *ticker = new_ticker();
  CHECK(snt_ticker_start(ticker) && snt_ticker_start(ticker));
  for (int round = 0; round < 3; round++) {
    size_t epochs = fake_epochs();
    snt_ticker_enter(ticker);
    pass(3 * SNT_TICKS_BEFORE_SLEEP); /* however long it runs */
    CHECK(goes_on(ticker));
    CHECK(fake_epochs() == epochs + 3 * SNT_TICKS_BEFORE_SLEEP);
    snt_ticker_leave(ticker);
    pass(SNT_TICKS_BEFORE_SLEEP);
    CHECK(!goes_on(ticker));
    CHECK(fake_epochs() == epochs + 4 * SNT_TICKS_BEFORE_SLEEP);
  }
  end(ticker);
  CHECK(fake_engines() == 0);
}

static void many_short_calls_keep_it_awake(void) {
  snt_ticker *ticker = new_ticker();
  CHECK(snt_ticker_start(ticker));
  for (int tick = 0; tick < 3 * SNT_TICKS_BEFORE_SLEEP; tick++) {
    snt_ticker_enter(ticker);
    snt_ticker_leave(ticker);
    pass(1);
  }
  CHECK(goes_on(ticker));
  end(ticker);
}

static void the_last_owner_ends_it(void) {
  snt_ticker *ticker = new_ticker();
  CHECK(snt_ticker_start(ticker));
  snt_ticker_keep(ticker);
  snt_ticker_free(ticker);
  CHECK(fake_engines() == 1);
  pass(1);
  end(ticker);
  CHECK(fake_engines() == 0);
  snt_ticker_free(NULL);
}

static void one_that_never_started_ends_too(void) {
  size_t epochs = fake_epochs();
  end(new_ticker());
  CHECK(fake_epochs() == epochs && fake_engines() == 0 && !waits);
}

int main(void) {
  RUN(ticks_while_a_guest_runs_and_sleeps_when_none_does);
  RUN(many_short_calls_keep_it_awake);
  RUN(the_last_owner_ends_it);
  RUN(one_that_never_started_ends_too);
  return 0;
}
