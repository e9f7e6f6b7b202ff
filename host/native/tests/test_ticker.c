#define _POSIX_C_SOURCE 200809L

#include <sched.h>

/* The ticker's time is the test's: a tick is over when the test says so. */
#define clock_nanosleep wait_for_tick
#define clock_gettime read_time
#include "../src/ticker.c"
#undef clock_gettime
#undef clock_nanosleep

#include "fake_engine.h"
#include "harness.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool waits, is_over, has_ended;
static struct timespec time_now, time_then;

/* How many ticks it takes to fall asleep once no guest runs. */
#define UNTIL_ASLEEP (1 + (SNT_TICKS_BEFORE_SLEEP - 1 + SNT_QUIET_STEPS - 1) / SNT_QUIET_STEPS)

int read_time(clockid_t clock, struct timespec *time) {
  CHECK(clock == CLOCK_MONOTONIC);
  pthread_mutex_lock(&lock);
  *time = time_now;
  pthread_mutex_unlock(&lock);
  return 0;
}

int wait_for_tick(clockid_t clock, int flags, const struct timespec *until, struct timespec *rest) {
  CHECK(clock == CLOCK_MONOTONIC && flags == TIMER_ABSTIME && until != NULL && rest == NULL);
  pthread_mutex_lock(&lock);
  waits = true;
  is_over = false;
  time_then = *until;
  pthread_cond_broadcast(&changed);
  while (!is_over && !has_ended) pthread_cond_wait(&changed, &lock);
  waits = false;
  time_now = time_then;
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

/* How many steps the tick takes that it waits for. */
static long steps_of_this_tick(void) {
  pthread_mutex_lock(&lock);
  await_tick();
  long nanoseconds =
      (long)(time_then.tv_sec - time_now.tv_sec) * 1000000000 + (time_then.tv_nsec - time_now.tv_nsec);
  pthread_mutex_unlock(&lock);
  CHECK(nanoseconds % SNT_TICK_NS == 0);
  return nanoseconds / SNT_TICK_NS;
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
    pass(UNTIL_ASLEEP);
    CHECK(!goes_on(ticker));
    CHECK(fake_epochs() == epochs + 3 * SNT_TICKS_BEFORE_SLEEP + UNTIL_ASLEEP);
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

static void call(snt_ticker *ticker, size_t times) {
  for (size_t i = 0; i < times; i++) {
    snt_ticker_enter(ticker);
    snt_ticker_leave(ticker);
  }
}

static void ticks_are_far_apart_while_few_guests_are_called(void) {
  snt_ticker *ticker = new_ticker();
  CHECK(snt_ticker_start(ticker));
  CHECK(steps_of_this_tick() == 1);
  for (int tick = 0; tick < 3; tick++) {
    call(ticker, SNT_FEW_ENTRIES);
    pass(1);
    CHECK(steps_of_this_tick() == SNT_QUIET_STEPS);
  }
  /* More than few, for a tick as long as this one was. */
  call(ticker, SNT_QUIET_STEPS * SNT_FEW_ENTRIES + 1);
  pass(1);
  CHECK(steps_of_this_tick() == SNT_BUSY_STEPS);
  call(ticker, SNT_BUSY_STEPS * SNT_FEW_ENTRIES + 1);
  pass(1);
  CHECK(steps_of_this_tick() == SNT_BUSY_STEPS);
  pass(1);
  CHECK(steps_of_this_tick() == SNT_QUIET_STEPS);
  /* One that runs at a tick has its next ones in time. */
  snt_ticker_enter(ticker);
  for (int tick = 0; tick < 3; tick++) {
    pass(1);
    CHECK(steps_of_this_tick() == 1);
  }
  snt_ticker_leave(ticker);
  pass(1);
  CHECK(steps_of_this_tick() == SNT_QUIET_STEPS);
  end(ticker);
}

/* A suspended guest goes on soon after it has run: its next ticks are in time. */
static void ticks_are_further_apart_once_no_guest_runs_at_them(void) {
  snt_ticker *ticker = new_ticker();
  CHECK(snt_ticker_start(ticker));
  for (int round = 0; round < 2; round++) {
    snt_ticker_enter(ticker);
    pass(1);
    CHECK(steps_of_this_tick() == 1);
    snt_ticker_leave(ticker);
    for (int step = 0; step < SNT_BUSY_STEPS; step++) {
      CHECK(steps_of_this_tick() == 1);
      call(ticker, SNT_FEW_ENTRIES + 1);
      pass(1);
    }
    CHECK(steps_of_this_tick() == SNT_BUSY_STEPS);
  }
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
  RUN(ticks_are_far_apart_while_few_guests_are_called);
  RUN(ticks_are_further_apart_once_no_guest_runs_at_them);
  RUN(the_last_owner_ends_it);
  RUN(one_that_never_started_ends_too);
  return 0;
}
