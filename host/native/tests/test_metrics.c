#include <math.h>
#include <string.h>

#include "../src/metrics.h"
#include "harness.h"

static snt_text text(const char *from) { return (snt_text){(const uint8_t *)from, strlen(from)}; }

static snt_label label(const char *name, const char *value) { return (snt_label){text(name), text(value)}; }

static void forget(snt_metrics *metrics) {
  for (uint32_t i = 0; i < metrics->used; i++) free(metrics->series[i].key);
  free(metrics->descriptions);
  free(metrics);
}

static void series_are_told_apart_by_kind_name_and_labels(void) {
  snt_metrics *metrics = snt_metrics_new();
  const snt_label one[] = {label("a", "b")}, split[] = {label("a", "bc")}, two[] = {label("a", "b"), label("c", "")};
  snt_metrics_add(metrics, text("n"), NULL, 0, 1);
  snt_metrics_observe(metrics, text("n"), NULL, 0, 1);
  snt_metrics_add(metrics, text("n"), one, 1, 2);
  snt_metrics_add(metrics, text("n"), split, 1, 3);
  snt_metrics_add(metrics, text("n"), two, 2, 4);
  snt_metrics_add(metrics, text("n"), one, 1, 40);
  CHECK(metrics->used == 5 && metrics->full == 0 && metrics->invalid == 0);
  CHECK(snt_metrics_at(metrics, 0)->count == 1 && snt_metrics_at(metrics, 2)->count == 42);
  CHECK(snt_metrics_at(metrics, 2)->length == 6 && memcmp(snt_metrics_at(metrics, 2)->key, "n\0a\0b", 6) == 0);
  forget(metrics);
}

/* /metrics once showed them as two series that nobody can tell apart, which makes a scraper drop
 * the whole answer. */
static void the_order_of_labels_tells_no_series_apart(void) {
  snt_metrics *metrics = snt_metrics_new();
  snt_label labels[] = {label("b", "1"), label("a", "2"), label("ab", "3"), label("a_", "4")};
  const size_t orders[][4] = {{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 0, 3, 2}, {2, 3, 0, 1}};
  for (size_t i = 0; i < 4; i++) {
    snt_label turned[4];
    for (size_t j = 0; j < 4; j++) turned[j] = labels[orders[i][j]];
    snt_metrics_add(metrics, text("n"), turned, 4, 1);
    snt_metrics_observe(metrics, text("n"), turned, 4, 1);
  }
  CHECK(metrics->used == 2 && metrics->invalid == 0);
  CHECK(snt_metrics_at(metrics, 0)->count == 4 && snt_metrics_at(metrics, 1)->buckets[9] == 4);
  CHECK(memcmp(snt_metrics_at(metrics, 0)->key, "n\0a\0002\0a_\0004\0ab\0003\0b\0001", 20) == 0);
  forget(metrics);
}

static void values_of_labels_are_text(void) {
  snt_metrics *metrics = snt_metrics_new();
  static const char *const texts[] = {"\xc3\xbc",         "\xe0\xa0\x80",     "\xed\x9f\xbf", "\xf0\x9f\x8e\xb2",
                                      "\xf4\x8f\xbf\xbf", "a\xc2\x80z"};
  static const char *const others[] = {"\xc3",     "\xbc",  "\xc0\xaf",     "\xe0\x9f\xbf",     "\xed\xa0\x80",     "\xff",
                                       "a\xc3(", "\xe2\x82", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80"};
  uint64_t number = 0;
  for (; number < sizeof texts / sizeof *texts; number++) {
    const snt_label one[] = {label("a", texts[number])};
    snt_metrics_add(metrics, text("n"), one, 1, 1);
  }
  CHECK(metrics->used == number && metrics->invalid == 0);
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    const snt_label one[] = {label("a", others[i])};
    snt_metrics_add(metrics, text("n"), one, 1, 1);
  }
  CHECK(metrics->used == number && metrics->invalid == sizeof others / sizeof *others);
  forget(metrics);
}

static void histograms_count_at_their_bounds(void) {
  snt_metrics *metrics = snt_metrics_new();
  static const double values[] = {-1, 0, 0.001, 0.0011, 100, 100.1, 1e300};
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) snt_metrics_observe(metrics, text("n"), NULL, 0, values[i]);
  const snt_series *series = snt_metrics_at(metrics, 0);
  CHECK(series->buckets[0] == 3 && series->buckets[1] == 1 && series->buckets[15] == 1 && series->buckets[16] == 2);
  snt_metrics_observe(metrics, text("n"), NULL, 0, (double)NAN);
  snt_metrics_observe(metrics, text("n"), NULL, 0, (double)INFINITY);
  CHECK(metrics->used == 1 && metrics->invalid == 2);
  forget(metrics);
}

static void what_breaks_the_rules_is_counted(void) {
  snt_metrics *metrics = snt_metrics_new();
  static const char *const names[] = {"", "A", "1", "_a", "a-b", "a\xc3\xbc", "a_total", "a_bucket", "a_sum", "a_count",
                                      "a_created"};
  uint64_t wrong = 0;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++, wrong++) snt_metrics_add(metrics, text(names[i]), NULL, 0, 1);
  char longest[SNT_METRIC_LABEL_VALUE + 2];
  memset(longest, 'a', sizeof longest - 1);
  longest[sizeof longest - 1] = 0;
  snt_metrics_add(metrics, text(longest), NULL, 0, 1), wrong++;
  const snt_label labels[][2] = {{label("le", "1"), label("b", "")},        {label("guest", "1"), label("b", "")},
                                 {label("a", "1"), label("a", "1")},        {label("a", "\n"), label("b", "")},
                                 {label("a", "\x7f"), label("b", "")},      {label("a", longest), label("b", "")},
                                 {label("", ""), label("b", "")},           {label("B", ""), label("b", "")}};
  for (size_t i = 0; i < sizeof labels / sizeof *labels; i++, wrong++) snt_metrics_add(metrics, text("n"), labels[i], 2, 1);
  longest[SNT_METRIC_LABEL_NAME + 1] = 0;
  const snt_label name[] = {label(longest, "")};
  snt_metrics_add(metrics, text("n"), name, 1, 1), wrong++;
  snt_metrics_add(metrics, text("n"), NULL, SNT_METRIC_LABELS + 1, 1), wrong++;
  CHECK(metrics->used == 0 && metrics->invalid == wrong);
  forget(metrics);
}

static void the_longest_series_fits(void) {
  snt_metrics *metrics = snt_metrics_new();
  char name[SNT_METRIC_NAME + 1], names[SNT_METRIC_LABELS][SNT_METRIC_LABEL_NAME + 1], value[SNT_METRIC_LABEL_VALUE + 1];
  snt_label labels[SNT_METRIC_LABELS];
  memset(name, 'n', SNT_METRIC_NAME), name[SNT_METRIC_NAME] = 0;
  memset(value, 'v', SNT_METRIC_LABEL_VALUE), value[SNT_METRIC_LABEL_VALUE] = 0;
  for (size_t i = 0; i < SNT_METRIC_LABELS; i++) {
    memset(names[i], (int)('a' + i), SNT_METRIC_LABEL_NAME), names[i][SNT_METRIC_LABEL_NAME] = 0;
    labels[i] = label(names[i], value);
  }
  snt_metrics_add(metrics, text(name), labels, SNT_METRIC_LABELS, 1);
  CHECK(metrics->used == 1 && metrics->invalid == 0);
  forget(metrics);
}

static void series_too_many_are_counted_and_evict_none(void) {
  snt_metrics *metrics = snt_metrics_new();
  char name[16];
  for (int round = 0; round < 2; round++) {
    for (int i = 0; i < 2 * SNT_METRIC_SERIES; i++) {
      snprintf(name, sizeof name, "n%d", i);
      snt_metrics_add(metrics, text(name), NULL, 0, 1);
    }
  }
  CHECK(metrics->used == SNT_METRIC_SERIES && metrics->full == 2 * SNT_METRIC_SERIES);
  for (uint32_t i = 0; i < metrics->used; i++) CHECK(snt_metrics_at(metrics, i)->count == 2);
  forget(metrics);
}

static const double BOUNDS[] = {1, 10};

static const char *describe(snt_metrics *metrics, uint32_t version, const char *name, const char *help, size_t bounds) {
  uint32_t kind = bounds > 0 ? SNT_HISTOGRAM : SNT_COUNTER;
  return snt_metrics_describe(metrics, version, text(name), kind, text(help), text(""), BOUNDS, bounds, version * 100);
}

static bool says(const snt_description *description, const char *name, const char *help) {
  return description->name_length == strlen(name) && memcmp(description->name, name, strlen(name)) == 0 &&
         description->help_length == strlen(help) && memcmp(description->help, help, strlen(help)) == 0;
}

static void the_newest_version_describes(void) {
  snt_metrics *metrics = snt_metrics_new();
  CHECK(describe(metrics, 2, "n", "two", 0) == NULL && describe(metrics, 2, "n", "two", 0) == NULL);
  CHECK(describe(metrics, 2, "n", "otherwise", 0) != NULL && describe(metrics, 2, "n", "two", 2) != NULL);
  CHECK(describe(metrics, 1, "n", "one", 0) == NULL);
  CHECK(metrics->described == 1 && says(snt_metrics_description(metrics, 0), "n", "two"));
  CHECK(describe(metrics, 3, "n", "two", 0) == NULL && snt_metrics_description(metrics, 0)->described == 200);
  CHECK(describe(metrics, 3, "n", "three", 0) != NULL && describe(metrics, 4, "n", "four", 0) == NULL);
  CHECK(says(snt_metrics_description(metrics, 0), "n", "four"));
  CHECK(snt_metrics_description(metrics, 0)->described == 400 && metrics->described == 1);
  forget(metrics);
}

static void descriptions_that_break_the_rules_are_refused(void) {
  snt_metrics *metrics = snt_metrics_new();
  char longest[SNT_METRIC_HELP + 2];
  memset(longest, 'a', sizeof longest - 1), longest[sizeof longest - 1] = 0;
  CHECK(describe(metrics, 1, "N", "", 0) != NULL && describe(metrics, 1, "n_total", "", 0) != NULL);
  CHECK(describe(metrics, 1, "n", longest, 0) != NULL && describe(metrics, 1, "n", longest + 1, 0) == NULL);
  CHECK(describe(metrics, 1, "m", "\n", 0) != NULL && describe(metrics, 1, "m", "\xff", 0) != NULL);
  static const struct {
    const char *name, *unit;
    bool fits;
  } units[] = {{"seconds", "seconds", true}, {"a_seconds", "seconds", true}, {"a_b_c", "b_c", true}, {"a", "seconds", false},
               {"aseconds", "seconds", false}, {"a_b", "B", false}};
  for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
    const char *problem = snt_metrics_describe(metrics, 1, text(units[i].name), SNT_COUNTER, text(""), text(units[i].unit),
                                               NULL, 0, 0);
    CHECK((problem == NULL) == units[i].fits);
  }
  static const double falling[] = {2, 1}, equal[] = {1, 1}, endless[] = {1, (double)INFINITY}, none[] = {(double)NAN};
  double many[SNT_METRIC_BUCKETS];
  for (size_t i = 0; i < SNT_METRIC_BUCKETS; i++) many[i] = (double)i;
  static const uint32_t kind = SNT_HISTOGRAM;
  CHECK(snt_metrics_describe(metrics, 1, text("h"), kind, text(""), text(""), falling, 2, 0) != NULL);
  CHECK(snt_metrics_describe(metrics, 1, text("h"), kind, text(""), text(""), equal, 2, 0) != NULL);
  CHECK(snt_metrics_describe(metrics, 1, text("h"), kind, text(""), text(""), endless, 2, 0) != NULL);
  CHECK(snt_metrics_describe(metrics, 1, text("h"), kind, text(""), text(""), none, 1, 0) != NULL);
  CHECK(snt_metrics_describe(metrics, 1, text("h"), kind, text(""), text(""), many, SNT_METRIC_BUCKETS, 0) != NULL);
  CHECK(snt_metrics_describe(metrics, 1, text("h"), SNT_COUNTER, text(""), text(""), many, 1, 0) != NULL);
  CHECK(snt_metrics_describe(metrics, 1, text("h"), kind, text(""), text(""), many, SNT_METRIC_BUCKETS - 1, 0) == NULL);
  CHECK(metrics->described == 5);
  forget(metrics);
}

static void histograms_count_by_described_bounds(void) {
  snt_metrics *metrics = snt_metrics_new();
  const snt_label one[] = {label("a", "b")};
  CHECK(describe(metrics, 1, "n", "", 2) == NULL);
  snt_metrics_observe(metrics, text("n"), NULL, 0, 1);
  snt_metrics_observe(metrics, text("n"), one, 1, 11);
  snt_metrics_observe(metrics, text("other"), NULL, 0, 11);
  const snt_series *series = snt_metrics_at(metrics, 0);
  CHECK(series->bounds->count == 2 && series->buckets[0] == 1 && series->sum == 1);
  CHECK(snt_metrics_at(metrics, 1)->buckets[2] == 1 && snt_metrics_at(metrics, 2)->bounds == &SNT_METRIC_BOUNDS);
  CHECK(describe(metrics, 2, "n", "the same bounds", 2) == NULL && series->buckets[0] == 1);
  CHECK(describe(metrics, 3, "n", "other bounds", 1) == NULL);
  CHECK(series->bounds->count == 1 && series->buckets[0] == 0 && series->sum == 0);
  snt_metrics_observe(metrics, text("n"), NULL, 0, 2);
  CHECK(series->buckets[1] == 1 && snt_metrics_at(metrics, 1)->buckets[2] == 0);
  CHECK(describe(metrics, 4, "n", "a counter", 0) == NULL);
  CHECK(series->bounds->count == SNT_METRIC_BUCKETS - 1 && series->buckets[1] == 0 && snt_metrics_at(metrics, 2)->sum == 11);
  forget(metrics);
}

static void descriptions_too_many_give_way_to_later_versions_only(void) {
  snt_metrics *metrics = snt_metrics_new();
  char name[16];
  for (int i = 0; i < SNT_METRIC_DESCRIPTIONS; i++) {
    snprintf(name, sizeof name, "n%d", i);
    CHECK(describe(metrics, 1, name, "", 2) == NULL);
  }
  snt_metrics_observe(metrics, text("n0"), NULL, 0, 5);
  CHECK(describe(metrics, 1, "m", "", 0) != NULL && metrics->described == SNT_METRIC_DESCRIPTIONS);
  CHECK(describe(metrics, 2, "m", "", 1) == NULL && metrics->described == SNT_METRIC_DESCRIPTIONS);
  CHECK(says(snt_metrics_description(metrics, 0), "m", ""));
  const snt_series *series = snt_metrics_at(metrics, 0);
  CHECK(series->bounds == &SNT_METRIC_BOUNDS && series->sum == 0);
  forget(metrics);
}

int main(void) {
  RUN(series_are_told_apart_by_kind_name_and_labels);
  RUN(the_order_of_labels_tells_no_series_apart);
  RUN(values_of_labels_are_text);
  RUN(histograms_count_at_their_bounds);
  RUN(what_breaks_the_rules_is_counted);
  RUN(the_longest_series_fits);
  RUN(series_too_many_are_counted_and_evict_none);
  RUN(the_newest_version_describes);
  RUN(descriptions_that_break_the_rules_are_refused);
  RUN(histograms_count_by_described_bounds);
  RUN(descriptions_too_many_give_way_to_later_versions_only);
  return 0;
}
