/* What one guest counts in one worker: counters and histograms, by name and labels, and what it
 * says of them.
 *
 * Rule 1: a guest chooses the names, and may choose them by what clients send. So their number and
 *         their lengths are bounded, and what goes beyond is counted and dropped: nothing is ever
 *         evicted, as a counter that begins anew would be a lie.
 * Rule 2: counting never fails for the guest, and costs a hash and a look-up: no allocation but for
 *         a new series.
 * Rule 3: written and read by the thread that calls the guest.
 * Rule 4: descriptions are looked at where a series begins, and never where it counts.
 */
#ifndef SNT_METRICS_H
#define SNT_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text.h"

#define SNT_METRIC_SERIES 256
#define SNT_METRIC_NAME 64
#define SNT_METRIC_LABELS 4
#define SNT_METRIC_LABEL_NAME 32
#define SNT_METRIC_LABEL_VALUE 64
#define SNT_METRIC_BUCKETS 17
#define SNT_METRIC_DESCRIPTIONS 64
#define SNT_METRIC_HELP 256
#define SNT_METRIC_UNIT 32

enum { SNT_COUNTER = 0, SNT_HISTOGRAM = 1 };

typedef struct {
  snt_text name, value;
} snt_label;

/* The upper bounds of all buckets of a histogram but the last. */
typedef struct {
  uint32_t count;
  double upper[SNT_METRIC_BUCKETS - 1];
} snt_bounds;

/* What a guest says of a metric. `version` numbers the guest's versions in this worker; `described`
 * is the time of CLOCK_MONOTONIC in nanoseconds, by which the descriptions of several workers have
 * an order. */
typedef struct {
  uint32_t kind, version;
  uint32_t name_length, help_length, unit_length;
  uint64_t described;
  snt_bounds bounds; /* of a histogram */
  uint8_t name[SNT_METRIC_NAME], help[SNT_METRIC_HELP], unit[SNT_METRIC_UNIT];
} snt_description;

/* `key` is the name, and name and value of each label, by name, each ended by a zero byte. */
typedef struct {
  uint8_t *key;
  uint32_t length, kind;
  uint64_t hash;
  uint64_t count;                       /* a counter's value */
  double sum;                           /* of what a histogram observed */
  const snt_bounds *bounds;             /* a histogram's */
  uint64_t buckets[SNT_METRIC_BUCKETS]; /* how often below each bound, the last beyond all */
} snt_series;

typedef struct {
  uint64_t full, invalid; /* how often something was dropped */
  uint32_t used;
  uint32_t versions; /* of the guest, so far */
  uint32_t described;
  snt_description *descriptions; /* where they are does not change; NULL until there is one */
  snt_series series[SNT_METRIC_SERIES];
  uint16_t index[2 * SNT_METRIC_SERIES]; /* by hash: place in `series` plus one */
} snt_metrics;

/* Those of a histogram that says nothing of its own. */
extern const snt_bounds SNT_METRIC_BOUNDS;

/* Nothing counted yet; NULL when there is no memory. Lives as long as the process. */
snt_metrics *snt_metrics_new(void);

void snt_metrics_add(snt_metrics *metrics, snt_text name, const snt_label *labels, size_t count, uint64_t value);
void snt_metrics_observe(snt_metrics *metrics, snt_text name, const snt_label *labels, size_t count, double value);

/* Describe a metric for a version of the guest; no `bounds` are those that every histogram has.
 * Returns NULL, or why it is refused: then nothing has changed. What a later version has described
 * stays. When a later version describes other bounds than before, the series of that histogram
 * begin anew. */
const char *snt_metrics_describe(snt_metrics *metrics, uint32_t version, snt_text name, uint32_t kind, snt_text help,
                                 snt_text unit, const double *bounds, size_t count, uint64_t now);

/* The description at a place below `described`. */
const snt_description *snt_metrics_description(const snt_metrics *metrics, uint32_t place);

/* The series at a place below `used`. */
const snt_series *snt_metrics_at(const snt_metrics *metrics, uint32_t place);

#endif
