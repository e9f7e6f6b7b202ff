#include <math.h>
#include <string.h>

#include "../src/metrics.h"
#include "harness.h"

static snt_text text(const char *from) { return (snt_text){(const uint8_t *)from, strlen(from)}; }

static snt_label label(const char *name, const char *value) { return (snt_label){text(name), text(value)}; }

static void forget(snt_metrics *metrics) {
  for (uint32_t i = 0; i < metrics->used; i++) free(metrics->series[i].key);
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
                                 {label("a", "1"), label("a", "2")},        {label("a", "\n"), label("b", "")},
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

int main(void) {
  RUN(series_are_told_apart_by_kind_name_and_labels);
  RUN(histograms_count_at_their_bounds);
  RUN(what_breaks_the_rules_is_counted);
  RUN(the_longest_series_fits);
  RUN(series_too_many_are_counted_and_evict_none);
  return 0;
}
