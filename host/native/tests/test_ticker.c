#define _POSIX_C_SOURCE 200809L

#include <time.h>

#include "../src/ticker.h"
#include "fake_engine.h"
#include "harness.h"

static void sleep_ms(long milliseconds) {
  struct timespec time = {.tv_nsec = milliseconds * 1000000};
  nanosleep(&time, NULL);
}

static void await_sleep(snt_ticker *ticker, bool asleep) {
  for (int i = 0; snt_ticker_is_asleep(ticker) != asleep; i++) {
    CHECK(i < 5000);
    sleep_ms(1);
  }
}

static void await_epoch(size_t epoch) {
  for (int i = 0; fake_epochs() < epoch; i++) {
    CHECK(i < 5000);
    sleep_ms(1);
  }
}

static void ticks_while_a_guest_runs_and_sleeps_when_none_does(void) {
  int wasm_engine = 0;
  snt_ticker *ticker = snt_ticker_new(&FAKE_ENGINE, (uintptr_t)&wasm_engine);
  CHECK(ticker != NULL && fake_engines() == 1);
  CHECK(snt_ticker_start(ticker) && snt_ticker_start(ticker));
  for (int round = 0; round < 3; round++) {
    snt_ticker_enter(ticker);
    await_sleep(ticker, false);
    await_epoch(fake_epochs() + 3 * SNT_TICKS_BEFORE_SLEEP); /* however long it runs */
    CHECK(!snt_ticker_is_asleep(ticker));
    snt_ticker_leave(ticker);
    await_sleep(ticker, true);
    size_t epochs = fake_epochs();
    sleep_ms(20);
    CHECK(fake_epochs() == epochs);
  }
  snt_ticker_free(ticker);
  CHECK(fake_engines() == 0);
}

static void many_short_calls_keep_it_awake(void) {
  int wasm_engine = 0;
  snt_ticker *ticker = snt_ticker_new(&FAKE_ENGINE, (uintptr_t)&wasm_engine);
  CHECK(snt_ticker_start(ticker));
  size_t until = fake_epochs() + 3 * SNT_TICKS_BEFORE_SLEEP;
  while (fake_epochs() < until) {
    snt_ticker_enter(ticker);
    snt_ticker_leave(ticker);
  }
  CHECK(!snt_ticker_is_asleep(ticker));
  snt_ticker_free(ticker);
}

static void the_last_owner_ends_it(void) {
  int wasm_engine = 0;
  snt_ticker *ticker = snt_ticker_new(&FAKE_ENGINE, (uintptr_t)&wasm_engine);
  CHECK(snt_ticker_start(ticker));
  snt_ticker_keep(ticker);
  snt_ticker_free(ticker);
  CHECK(fake_engines() == 1);
  snt_ticker_free(ticker);
  CHECK(fake_engines() == 0);
  snt_ticker_free(NULL);
}

static void one_that_never_started_ends_too(void) {
  int wasm_engine = 0;
  size_t epochs = fake_epochs();
  snt_ticker *ticker = snt_ticker_new(&FAKE_ENGINE, (uintptr_t)&wasm_engine);
  sleep_ms(5);
  snt_ticker_free(ticker);
  CHECK(fake_epochs() == epochs && fake_engines() == 0);
}

int main(void) {
  RUN(ticks_while_a_guest_runs_and_sleeps_when_none_does);
  RUN(many_short_calls_keep_it_awake);
  RUN(the_last_owner_ends_it);
  RUN(one_that_never_started_ends_too);
  return 0;
}
