/* What one guest counts in one worker: counters and histograms, by name and labels.
 *
 * Rule 1: a guest chooses the names, and may choose them by what clients send. So their number and their lengths are
 *         bounded, and what goes beyond is counted and dropped: nothing is ever evicted, as a counter that begins anew
 *         would be a lie.
 * Rule 2: counting never fails for the guest, and costs a hash and a look-up: no allocation but for a new series.
 * Rule 3: written and read by the thread that calls the guest.
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

enum { SNT_COUNTER = 0, SNT_HISTOGRAM = 1 };

typedef struct {
  snt_text name, value;
} snt_label;

/* `key` is the name, and name and value of each label, by name, each ended by a zero byte. */
typedef struct {
  uint8_t *key;
  uint32_t length, kind;
  uint64_t hash;
  uint64_t count;                       /* a counter's value */
  double sum;                           /* of what a histogram observed */
  uint64_t buckets[SNT_METRIC_BUCKETS]; /* how often below each bound, the last beyond all */
} snt_series;

typedef struct {
  uint64_t full, invalid; /* how often something was dropped */
  uint32_t used;
  snt_series series[SNT_METRIC_SERIES];
  uint16_t index[2 * SNT_METRIC_SERIES]; /* by hash: place in `series` plus one */
} snt_metrics;

/* The upper bounds of all buckets but the last. */
extern const double SNT_METRIC_BOUNDS[SNT_METRIC_BUCKETS - 1];

/* Nothing counted yet; NULL when there is no memory. Lives as long as the process. */
snt_metrics *snt_metrics_new(void);

void snt_metrics_add(snt_metrics *metrics, snt_text name, const snt_label *labels, size_t count, uint64_t value);
void snt_metrics_observe(snt_metrics *metrics, snt_text name, const snt_label *labels, size_t count, double value);

/* The series at a place below `used`. */
const snt_series *snt_metrics_at(const snt_metrics *metrics, uint32_t place);

#endif
