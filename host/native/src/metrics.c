#include "metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

#define LONGEST_KEY \
  (SNT_METRIC_NAME + 1 + SNT_METRIC_LABELS * (SNT_METRIC_LABEL_NAME + 1 + SNT_METRIC_LABEL_VALUE + 1))
#define INDEX_SIZE (2 * SNT_METRIC_SERIES)
#define LABEL_BYTES 16

const double SNT_METRIC_BOUNDS[SNT_METRIC_BUCKETS - 1] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                                          0.5,   1,      2.5,   5,    10,    25,   50,  100};

/* They would make one family of metrics look like a part of another. */
static const char *const RESERVED_ENDS[] = {"_total", "_bucket", "_count", "_sum", "_created"};
static const char *const RESERVED_LABELS[] = {"guest", "le"};

snt_metrics *snt_metrics_new(void) { return calloc(1, sizeof(snt_metrics)); }

const snt_series *snt_metrics_at(const snt_metrics *metrics, uint32_t place) { return &metrics->series[place]; }

static bool is_name(snt_text text, size_t most) {
  if (text.length == 0 || text.length > most || text.bytes[0] < 'a' || text.bytes[0] > 'z') return false;
  for (size_t i = 1; i < text.length; i++) {
    uint8_t byte = text.bytes[i];
    if (!(byte >= 'a' && byte <= 'z') && !(byte >= '0' && byte <= '9') && byte != '_') return false;
  }
  return true;
}

static bool is(snt_text text, const char *other) {
  return text.length == strlen(other) && memcmp(text.bytes, other, text.length) == 0;
}

static bool ends_with(snt_text text, const char *end) {
  size_t length = strlen(end);
  return text.length >= length && memcmp(text.bytes + text.length - length, end, length) == 0;
}

static bool is_metric_name(snt_text name) {
  if (!is_name(name, SNT_METRIC_NAME)) return false;
  for (size_t i = 0; i < sizeof RESERVED_ENDS / sizeof *RESERVED_ENDS; i++) {
    if (ends_with(name, RESERVED_ENDS[i])) return false;
  }
  return true;
}

/* RFC 3629 section 4. */
static bool is_utf8(snt_text text) {
  for (size_t i = 0; i < text.length;) {
    uint8_t lead = text.bytes[i++];
    if (lead < 0x80) continue;
    size_t more = lead < 0xc2 || lead > 0xf4 ? 0 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
    if (more == 0 || text.length - i < more) return false;
    uint8_t least = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    uint8_t most = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (text.bytes[i] < least || text.bytes[i] > most) return false;
    for (size_t end = i + more; i < end; i++) {
      if ((text.bytes[i] & 0xc0) != 0x80) return false;
    }
  }
  return true;
}

static bool is_label(const snt_label *labels, size_t place) {
  snt_text name = labels[place].name, value = labels[place].value;
  if (!is_name(name, SNT_METRIC_LABEL_NAME) || value.length > SNT_METRIC_LABEL_VALUE) return false;
  for (size_t i = 0; i < sizeof RESERVED_LABELS / sizeof *RESERVED_LABELS; i++) {
    if (is(name, RESERVED_LABELS[i])) return false;
  }
  for (size_t i = 0; i < place; i++) {
    if (labels[i].name.length == name.length && memcmp(labels[i].name.bytes, name.bytes, name.length) == 0) return false;
  }
  for (size_t i = 0; i < value.length; i++) {
    if (value.bytes[i] < 0x20 || value.bytes[i] == 0x7f) return false;
  }
  /* Values that differ in what is not text alone would look the same. */
  return is_utf8(value);
}

static bool is_before(snt_text name, snt_text other) {
  size_t shorter = name.length < other.length ? name.length : other.length;
  int order = memcmp(name.bytes, other.bytes, shorter);
  return order < 0 || (order == 0 && name.length < other.length);
}

/* The labels by name, which are all different: their order tells no series from another. */
static void sort(snt_label *sorted, const snt_label *labels, size_t count) {
  for (size_t i = 0; i < count; i++) {
    size_t place = i;
    for (; place > 0 && is_before(labels[i].name, sorted[place - 1].name); place--) sorted[place] = sorted[place - 1];
    sorted[place] = labels[i];
  }
}

static uint8_t *put(uint8_t *at, snt_text text) {
  if (text.length > 0) memcpy(at, text.bytes, text.length);
  at[text.length] = 0;
  return at + text.length + 1;
}

/* FNV-1a. Whoever finds keys that collide makes this guest's own look-ups walk over 256 series at most. */
static uint64_t hash_of(const uint8_t *bytes, size_t length) {
  uint64_t hash = UINT64_C(0xcbf29ce484222325);
  for (size_t i = 0; i < length; i++) hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
  return hash ^ hash >> 32;
}

/* The series of that key, made if need be; NULL when there may be no more. */
static snt_series *find(snt_metrics *metrics, uint32_t kind, const uint8_t *key, size_t length) {
  uint64_t hash = hash_of(key, length) + kind;
  size_t place = (size_t)hash % INDEX_SIZE;
  for (; metrics->index[place] != 0; place = (place + 1) % INDEX_SIZE) {
    snt_series *series = &metrics->series[metrics->index[place] - 1];
    if (series->hash == hash && series->kind == kind && series->length == length &&
        memcmp(series->key, key, length) == 0) {
      return series;
    }
  }
  if (metrics->used == SNT_METRIC_SERIES) return NULL;
  snt_series *series = &metrics->series[metrics->used];
  series->key = malloc(length);
  if (series->key == NULL) return NULL;
  memcpy(series->key, key, length);
  series->length = (uint32_t)length;
  series->kind = kind;
  series->hash = hash;
  metrics->index[place] = (uint16_t)++metrics->used;
  return series;
}

static snt_series *series_of(snt_metrics *metrics, uint32_t kind, snt_text name, const snt_label *labels, size_t count) {
  uint8_t key[LONGEST_KEY];
  bool valid = count <= SNT_METRIC_LABELS && is_metric_name(name);
  for (size_t i = 0; valid && i < count; i++) valid = is_label(labels, i);
  if (!valid) {
    metrics->invalid++;
    return NULL;
  }
  snt_label sorted[SNT_METRIC_LABELS];
  sort(sorted, labels, count);
  uint8_t *end = put(key, name);
  for (size_t i = 0; i < count; i++) end = put(put(end, sorted[i].name), sorted[i].value);
  snt_series *series = find(metrics, kind, key, (size_t)(end - key));
  if (series == NULL) metrics->full++;
  return series;
}

void snt_metrics_add(snt_metrics *metrics, snt_text name, const snt_label *labels, size_t count, uint64_t value) {
  snt_series *series = series_of(metrics, SNT_COUNTER, name, labels, count);
  if (series != NULL) series->count += value;
}

void snt_metrics_observe(snt_metrics *metrics, snt_text name, const snt_label *labels, size_t count, double value) {
  if (!isfinite(value)) {
    metrics->invalid++;
    return;
  }
  snt_series *series = series_of(metrics, SNT_HISTOGRAM, name, labels, count);
  if (series == NULL) return;
  size_t bucket = 0;
  while (bucket < SNT_METRIC_BUCKETS - 1 && value > SNT_METRIC_BOUNDS[bucket]) bucket++;
  series->buckets[bucket]++;
  series->sum += value;
}

static bool read_text(const snt_host_call *call, const uint8_t *fields, snt_text *text) {
  uint32_t start, length;
  memcpy(&start, fields, 4);
  memcpy(&length, fields + 4, 4);
  *text = (snt_text){snt_host_bytes(call, start, length), length};
  return text->bytes != NULL;
}

/* Name and labels of a call; too many labels are not looked at. Returns NULL or a trap. No guest code runs in here, so that
 * what is found stays where it is. */
static wasm_trap_t *read(snt_host_call *call, const wasmtime_val_raw_t *args, snt_text *name, snt_label *labels) {
  uint32_t start = (uint32_t)args[0].i32, length = (uint32_t)args[1].i32;
  uint32_t list = (uint32_t)args[2].i32, count = (uint32_t)args[3].i32;
  *name = (snt_text){snt_host_bytes(call, start, length), length};
  if (name->bytes == NULL) return snt_host_outside(call);
  if (count > SNT_METRIC_LABELS) return NULL;
  const uint8_t *fields = snt_host_bytes(call, list, count * LABEL_BYTES);
  if (fields == NULL) return snt_host_outside(call);
  for (uint32_t i = 0; i < count; i++) {
    const uint8_t *label = fields + (size_t)i * LABEL_BYTES;
    if (!read_text(call, label, &labels[i].name) || !read_text(call, label + 8, &labels[i].value)) {
      return snt_host_outside(call);
    }
  }
  return NULL;
}

static snt_metrics *metrics_of(const snt_host_call *call) {
  return call->guest == NULL ? NULL : call->guest->plan->metrics;
}

wasm_trap_t *snt_import_metrics_add(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t count) {
  (void)count;
  snt_host_call call;
  snt_text name;
  snt_label labels[SNT_METRIC_LABELS];
  wasm_trap_t *trap = snt_host_enter(&call, env, caller, "metrics.add");
  if (trap == NULL) trap = read(&call, args, &name, labels);
  snt_metrics *metrics = metrics_of(&call);
  if (trap == NULL && metrics != NULL) {
    snt_metrics_add(metrics, name, labels, (uint32_t)args[3].i32, (uint64_t)args[4].i64);
  }
  return trap;
}

wasm_trap_t *snt_import_metrics_observe(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t count) {
  (void)count;
  snt_host_call call;
  snt_text name;
  snt_label labels[SNT_METRIC_LABELS];
  wasm_trap_t *trap = snt_host_enter(&call, env, caller, "metrics.observe");
  if (trap == NULL) trap = read(&call, args, &name, labels);
  snt_metrics *metrics = metrics_of(&call);
  if (trap == NULL && metrics != NULL) {
    snt_metrics_observe(metrics, name, labels, (uint32_t)args[3].i32, args[4].f64);
  }
  return trap;
}
