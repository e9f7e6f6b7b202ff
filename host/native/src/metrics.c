#define _POSIX_C_SOURCE 200809L

#include "metrics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host.h"

#define LONGEST_KEY \
  (SNT_METRIC_NAME + 1 + SNT_METRIC_LABELS * (SNT_METRIC_LABEL_NAME + 1 + SNT_METRIC_LABEL_VALUE + 1))
#define INDEX_SIZE (2 * SNT_METRIC_SERIES)
#define LABEL_BYTES 16

#define MESSAGE 192

const snt_bounds SNT_METRIC_BOUNDS = {
    SNT_METRIC_BUCKETS - 1,
    {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100},
};

/* They would make one family of metrics look like a part of another. */
static const char *const RESERVED_ENDS[] = {"_total", "_bucket", "_count", "_sum", "_created"};
static const char *const RESERVED_LABELS[] = {"guest", "le"};

snt_metrics *snt_metrics_new(void) { return calloc(1, sizeof(snt_metrics)); }

const snt_description *snt_metrics_description(const snt_metrics *metrics, uint32_t place) {
  return &metrics->descriptions[place];
}

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

/* UTF-8 without control characters. */
static bool is_plain(snt_text text) {
  for (size_t i = 0; i < text.length; i++) {
    if (text.bytes[i] < 0x20 || text.bytes[i] == 0x7f) return false;
  }
  return is_utf8(text);
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
  /* Values that differ in what is not text alone would look the same. */
  return is_plain(value);
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

/* FNV-1a. Whoever finds keys that collide makes this guest's own look-ups walk over 256 series at
 * most. */
static uint64_t hash_of(const uint8_t *bytes, size_t length) {
  uint64_t hash = UINT64_C(0xcbf29ce484222325);
  for (size_t i = 0; i < length; i++) hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
  return hash ^ hash >> 32;
}

static snt_description *description_of(const snt_metrics *metrics, const uint8_t *name, size_t length) {
  for (uint32_t i = 0; i < metrics->described; i++) {
    snt_description *each = &metrics->descriptions[i];
    if (each->name_length == length && memcmp(each->name, name, length) == 0) return each;
  }
  return NULL;
}

static const snt_bounds *bounds_of(const snt_metrics *metrics, const uint8_t *name, size_t length) {
  const snt_description *found = description_of(metrics, name, length);
  return found == NULL ? &SNT_METRIC_BOUNDS : &found->bounds;
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
  if (kind == SNT_HISTOGRAM) series->bounds = bounds_of(metrics, key, strlen((const char *)key));
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
  const snt_bounds *bounds = series->bounds;
  size_t bucket = 0;
  while (bucket < bounds->count && value > bounds->upper[bucket]) bucket++;
  series->buckets[bucket]++;
  series->sum += value;
}

static bool is_end(snt_text name, snt_text unit) {
  if (unit.length > name.length || memcmp(name.bytes + name.length - unit.length, unit.bytes, unit.length) != 0) return false;
  return unit.length == name.length || name.bytes[name.length - unit.length - 1] == '_';
}

static const char *problem_of(snt_text name, uint32_t kind, snt_text help, snt_text unit, const double *bounds,
                              size_t count) {
  if (!is_metric_name(name)) return "that is no name of a metric";
  if (help.length > SNT_METRIC_HELP) return "the help text has more than 256 bytes";
  if (!is_plain(help)) return "the help text has control characters, or is not UTF-8";
  if (unit.length > 0 && !is_name(unit, SNT_METRIC_UNIT)) {
    return "a unit has at most 32 lower-case letters, digits and underscores";
  }
  if (unit.length > 0 && !is_end(name, unit)) return "the name has to end in its unit";
  if (count > 0 && kind != SNT_HISTOGRAM) return "only a histogram has bounds";
  if (count > SNT_METRIC_BUCKETS - 1) return "there are more than 16 bounds";
  for (size_t i = 0; i < count; i++) {
    if (!isfinite(bounds[i]) || (i > 0 && bounds[i] <= bounds[i - 1])) return "the bounds do not ascend";
  }
  return NULL;
}

/* Where a description goes that is not there yet: behind the others, or in place of one that an
 * earlier version left. */
static snt_description *place_for(snt_metrics *metrics, uint32_t version) {
  if (metrics->descriptions == NULL) metrics->descriptions = calloc(SNT_METRIC_DESCRIPTIONS, sizeof *metrics->descriptions);
  if (metrics->descriptions == NULL) return NULL;
  if (metrics->described < SNT_METRIC_DESCRIPTIONS) return &metrics->descriptions[metrics->described++];
  snt_description *oldest = metrics->descriptions;
  for (uint32_t i = 1; i < SNT_METRIC_DESCRIPTIONS; i++) {
    if (metrics->descriptions[i].version < oldest->version) oldest = &metrics->descriptions[i];
  }
  return oldest->version < version ? oldest : NULL;
}

static bool is_same(snt_text text, const uint8_t *bytes, uint32_t length) {
  return text.length == length && (length == 0 || memcmp(text.bytes, bytes, length) == 0);
}

static bool are_same(const snt_bounds *bounds, const snt_bounds *others) {
  return bounds->count == others->count && memcmp(bounds->upper, others->upper, bounds->count * sizeof(double)) == 0;
}

/* Have the series of a histogram count by these bounds, which stay where they are. What was counted
 * by others is gone: a sum of both would be no histogram. */
static void rebound(snt_metrics *metrics, snt_text name, const snt_bounds *bounds) {
  for (uint32_t i = 0; i < metrics->used; i++) {
    snt_series *series = &metrics->series[i];
    if (series->kind != SNT_HISTOGRAM || !is_same(name, series->key, (uint32_t)strlen((const char *)series->key))) continue;
    if (!are_same(series->bounds, bounds)) {
      memset(series->buckets, 0, sizeof series->buckets);
      series->sum = 0;
    }
    series->bounds = bounds;
  }
}

static uint32_t copy_text(uint8_t *to, snt_text text) {
  if (text.length > 0) memcpy(to, text.bytes, text.length);
  return (uint32_t)text.length;
}

const char *snt_metrics_describe(snt_metrics *metrics, uint32_t version, snt_text name, uint32_t kind, snt_text help,
                                 snt_text unit, const double *bounds, size_t count, uint64_t now) {
  const char *problem = problem_of(name, kind, help, unit, bounds, count);
  if (problem != NULL) return problem;
  snt_bounds told = SNT_METRIC_BOUNDS;
  if (count > 0) {
    told.count = (uint32_t)count;
    memcpy(told.upper, bounds, count * sizeof *bounds);
  }
  snt_description *place = description_of(metrics, name.bytes, name.length);
  if (place != NULL && place->version > version) return NULL;
  if (place != NULL && place->kind == kind && is_same(help, place->help, place->help_length) &&
      is_same(unit, place->unit, place->unit_length) && are_same(&told, &place->bounds)) {
    place->version = version;
    return NULL;
  }
  if (place != NULL && place->version == version) return "it is described already, and otherwise";
  if (place == NULL) place = place_for(metrics, version);
  if (place == NULL) return "there are more than 64 descriptions";
  if (!is_same(name, place->name, place->name_length)) {
    rebound(metrics, (snt_text){place->name, place->name_length}, &SNT_METRIC_BOUNDS);
  }
  rebound(metrics, name, &told);
  place->kind = kind;
  place->version = version;
  place->described = now;
  place->name_length = copy_text(place->name, name);
  place->help_length = copy_text(place->help, help);
  place->unit_length = copy_text(place->unit, unit);
  place->bounds = told;
  rebound(metrics, name, &place->bounds);
  return NULL;
}

static bool read_text(const snt_host_call *call, const uint8_t *fields, snt_text *text) {
  uint32_t start, length;
  memcpy(&start, fields, 4);
  memcpy(&length, fields + 4, 4);
  *text = (snt_text){snt_host_bytes(call, start, length), length};
  return text->bytes != NULL;
}

/* Name and labels of a call; too many labels are not looked at. Returns NULL or a trap. No guest
 * code runs in here, so that what is found stays where it is. */
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

/* A refusal is logged once for a plan, and not for each instance. */
static bool is_told(snt_plan *plan, snt_text name) {
  uint64_t hash = hash_of(name.bytes, name.length < SNT_METRIC_NAME ? name.length : SNT_METRIC_NAME);
  for (uint32_t i = 0; i < plan->refused; i++) {
    if (plan->refusals[i] == hash) return true;
  }
  if (plan->refused == SNT_PLAN_REFUSALS) return true;
  plan->refusals[plan->refused++] = hash;
  return false;
}

static snt_text text_of(const char *text) { return (snt_text){(const uint8_t *)text, strlen(text)}; }

static void log_refusal(const snt_guest *guest, snt_text name, const char *problem) {
  snt_plan *plan = guest->plan;
  if (plan->log == NULL || plan->limits.level > SNT_LOG_WARN || is_told(plan, name)) return;
  char message[MESSAGE];
  int shown = name.length < SNT_METRIC_NAME ? (int)name.length : SNT_METRIC_NAME;
  int length = snprintf(message, sizeof message, "metrics.describe: %.*s: %s", shown, (const char *)name.bytes, problem);
  snt_log_put(plan->log, SNT_LOG_WARN, text_of(plan->name), text_of(guest->label),
              (snt_text){(const uint8_t *)message, (size_t)length});
}

wasm_trap_t *snt_import_metrics_describe(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t count) {
  (void)count;
  snt_host_call call;
  snt_text texts[3]; /* name, help, unit */
  static const size_t places[] = {0, 3, 5};
  wasm_trap_t *trap = snt_host_enter(&call, env, caller, "metrics.describe");
  if (trap != NULL) return trap;
  uint32_t kind = (uint32_t)args[2].i32, bound_count = (uint32_t)args[8].i32;
  for (size_t i = 0; i < 3; i++) {
    uint32_t length = (uint32_t)args[places[i] + 1].i32;
    texts[i] = (snt_text){snt_host_bytes(&call, (uint32_t)args[places[i]].i32, length), length};
    if (texts[i].bytes == NULL) return snt_host_outside(&call);
  }
  if (kind > SNT_HISTOGRAM) return snt_refuse(call.engine, call.what, "unknown kind");
  double bounds[SNT_METRIC_BUCKETS - 1];
  if (bound_count < SNT_METRIC_BUCKETS) {
    const uint8_t *list = snt_host_bytes(&call, (uint32_t)args[7].i32, bound_count * (uint32_t)sizeof *bounds);
    if (list == NULL) return snt_host_outside(&call);
    memcpy(bounds, list, bound_count * sizeof *bounds);
  }
  snt_metrics *metrics = metrics_of(&call);
  if (metrics == NULL) return NULL;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  uint64_t nanoseconds = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
  const char *problem = snt_metrics_describe(metrics, call.guest->plan->metrics_version, texts[0], kind, texts[1], texts[2],
                                             bounds, bound_count, nanoseconds);
  if (problem != NULL) log_refusal(call.guest, texts[0], problem);
  return NULL;
}
