#include <string.h>

#include "../../tests/harness.h"
#include "../src/limiter.h"
#include "../src/state.h"

/* Allocated to the byte, so that the address sanitizer sees a write beyond. */
static int reads(int64_t verdict, const char *expected) {
  uint8_t *state = malloc(SNT_STATE_MAX);
  size_t size = snt_put_state(state, verdict);
  int same = size == strlen(expected) && memcmp(state, expected, size) == 0;
  free(state);
  return same;
}

static int64_t verdict_of(uint64_t remaining, uint64_t reset) { return (int64_t)(remaining << 32 | reset); }

static void tells_what_is_left_and_for_how_long(void) {
  CHECK(reads(verdict_of(0, 0), ";r=0;t=0"));
  CHECK(reads(verdict_of(50, 30000), ";r=50;t=30"));
  CHECK(reads(verdict_of(SNT_LIMIT_REQUESTS_MAX, SNT_LIMIT_WINDOW_MAX), ";r=16777215;t=2678400"));
}

static void numbers_of_every_length_are_written_whole(void) {
  char expected[SNT_STATE_MAX + 1];
  for (uint64_t power = 1; power <= 1000000; power *= 10) {
    for (uint64_t number = power - 1; number <= 9 * power && number <= SNT_LIMIT_REQUESTS_MAX; number += power + 1) {
      unsigned seconds = (unsigned)number % 4294968;
      snprintf(expected, sizeof expected, ";r=%u;t=%u", (unsigned)number, seconds);
      CHECK(reads(verdict_of(number, seconds * (uint64_t)1000), expected));
    }
  }
}

static void rounds_seconds_up(void) {
  CHECK(reads(verdict_of(7, 1), ";r=7;t=1"));
  CHECK(reads(verdict_of(7, 1000), ";r=7;t=1"));
  CHECK(reads(verdict_of(7, 1001), ";r=7;t=2"));
  CHECK(snt_seconds_of(verdict_of(7, 0)) == 0 && snt_seconds_of(verdict_of(0xffffff, 1)) == 1);
  CHECK(snt_seconds_of(SNT_VERDICT_REFUSED | verdict_of(0, 1001)) == 2 && snt_seconds_of(-1) == 4294968);
}

static void flags_are_no_part_of_the_numbers(void) {
  CHECK(reads(SNT_VERDICT_REFUSED | SNT_VERDICT_OVERFLOW | verdict_of(0, 1), ";r=0;t=1"));
  CHECK(reads(-1, ";r=16777215;t=4294968"));
}

int main(void) {
  RUN(tells_what_is_left_and_for_how_long);
  RUN(numbers_of_every_length_are_written_whole);
  RUN(rounds_seconds_up);
  RUN(flags_are_no_part_of_the_numbers);
  return 0;
}
