#include <string.h>

#include "../src/trail.h"
#include "guests.h"

static snt_trail_call found[8];

static void put(snt_trail *trail, const char *label, uint64_t ended) {
  snt_trail_call call = {.began_ns = ended - 1, .ended_ns = ended, .result = (int64_t)ended, .mark = 7, .hook = 3};
  snt_trail_put(trail, label, &call);
}

static void calls_of_a_label_are_found_newest_first(void) {
  snt_trail *trail = snt_trail_new(8);
  CHECK(snt_trail_find(trail, "a", 0, found, 8) == 0);
  put(trail, "a", 10), put(trail, "b", 20), put(trail, "a", 30);
  CHECK(snt_trail_find(trail, "a", 0, found, 8) == 2);
  CHECK(found[0].ended_ns == 30 && found[1].ended_ns == 10 && found[1].mark == 7 && found[1].hook == 3);
  CHECK(snt_trail_find(trail, "a", 11, found, 8) == 1 && snt_trail_find(trail, "a", 0, found, 1) == 1);
  CHECK(snt_trail_find(trail, "", 0, found, 8) == 0 && snt_trail_find(trail, "ab", 0, found, 8) == 0);
  snt_trail_free(trail);
}

static void the_newest_take_the_place_of_the_oldest(void) {
  snt_trail *trail = snt_trail_new(3);
  for (uint64_t i = 1; i <= 5; i++) put(trail, "x", i);
  CHECK(snt_trail_find(trail, "x", 0, found, 8) == 3 && found[0].ended_ns == 5 && found[2].ended_ns == 3);
  snt_trail_free(trail);
}

static void long_labels_are_cut(void) {
  char label[SNT_TRAIL_LABEL + 8];
  memset(label, 'l', sizeof label);
  label[sizeof label - 1] = 0;
  snt_trail *trail = snt_trail_new(2);
  put(trail, label, 1);
  CHECK(snt_trail_find(trail, label, 0, found, 8) == 1 && found[0].label[SNT_TRAIL_LABEL - 1] == 'l');
  CHECK(snt_trail_find(trail, "l", 0, found, 8) == 0);
  snt_trail_free(trail);
}

static void calls_of_hooks_are_noted_when_that_is_asked_for(void) {
  snt_trail *trail = snt_trail_new(4);
  pair made = make(bump, 1, false, SNT_RETURNS_LIST, echo, NULL);
  snt_plan_trail(made.guest->plan, trail, 5);
  CHECK(call_once(made, "head", "", false) == 4 && trail->count == 0);
  trail->enabled = true;
  CHECK(snt_call(made.guest, HOOK, (const uint8_t *)"head", 4, NULL, 0, false, "r1") == 4);
  CHECK(snt_trail_find(trail, "r1", 0, found, 8) == 1);
  CHECK(found[0].mark == 5 && found[0].taken == 4 && found[0].result == 4 && found[0].hook == HOOK);
  CHECK(found[0].began_ns > 0 && found[0].ended_ns == found[0].began_ns + found[0].used_ns);
  discard(made);
  snt_trail_free(trail);
}

int main(void) {
  guests_begin();
  RUN(calls_of_a_label_are_found_newest_first);
  RUN(the_newest_take_the_place_of_the_oldest);
  RUN(long_labels_are_cut);
  RUN(calls_of_hooks_are_noted_when_that_is_asked_for);
  guests_end();
  return 0;
}
