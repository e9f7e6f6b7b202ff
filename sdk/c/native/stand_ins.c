/* What stands in for the host in native tests: the imports, and memory. No C library is needed. */
#include "../src/internal.h"
#include "sentinel_test.h"

#define LINES 64
#define LINE 256
#define KEYS 64
#define METRICS 64

typedef struct stored {
  sentinel_bytes key, value;
} stored;

static struct {
  char text[LINES][LINE];
  size_t sizes[LINES];
  sentinel_level levels[LINES];
  size_t count;
} lines;
static stored keys[KEYS];
static size_t key_count;
static struct {
  const char *name;
  size_t size;
  uint64_t sum;
} metrics[METRICS];
static size_t metric_count;
static struct {
  sentinel_bytes name, help;
} descriptions[METRICS];
static size_t description_count;
static uint64_t wall, monotonic, seed;
static sentinel_test_service *service;

#ifdef SENTINEL_TEST_MALLOC
#include <stdlib.h>

/* For the address sanitizer: each block is one of its own. */
void *sentinel_more_memory(size_t size) {
  return malloc(size);
}
#else
static _Alignas(16) char memory[(size_t)64 << 20];
static size_t used;

void *sentinel_more_memory(size_t size) {
  if (size > sizeof memory - used) return NULL;
  void *found = memory + used;
  used += (size + 15) & ~(size_t)15;
  return found;
}
#endif

_Noreturn void sentinel_trap(void) {
  __builtin_trap();
}

static sentinel_bytes kept(const void *data, size_t size) {
  char *copy = sentinel_keep(size);
  if (size > 0) memcpy(copy, data, size);
  return (sentinel_bytes){copy, size};
}

/* As the host does it: the guest's memory, until its call ends. */
static sentinel_list_result handed_over(sentinel_bytes bytes) {
  char *copy = sentinel_allocate(bytes.size);
  if (bytes.size > 0) memcpy(copy, bytes.data, bytes.size);
  return (sentinel_list_result){copy, bytes.size};
}

void sentinel_import_log(uint32_t level, const char *text, size_t size) {
  if (lines.count < LINES) {
    size_t cut = size < LINE ? size : LINE;
    if (cut > 0) memcpy(lines.text[lines.count], text, cut);
    lines.sizes[lines.count] = cut;
    lines.levels[lines.count] = (sentinel_level)level;
  }
  lines.count++;
}

uint64_t sentinel_import_wall(void) {
  return wall;
}

uint64_t sentinel_import_monotonic(void) {
  return monotonic;
}

/* Knuth's MMIX: the same numbers in each run. */
uint64_t sentinel_import_number(void) {
  seed = seed * 6364136223846793005u + 1442695040888963407u;
  return seed;
}

void sentinel_import_random(uint32_t count, sentinel_list_result *result) {
  char *bytes = sentinel_allocate(count);
  for (uint32_t i = 0; i < count; i++) bytes[i] = (char)(sentinel_import_number() >> 56);
  *result = (sentinel_list_result){bytes, count};
}

void sentinel_import_add(const char *name, size_t size, const sentinel_header *labels, size_t count, uint64_t value) {
  (void)labels, (void)count;
  for (size_t i = 0; i < metric_count; i++) {
    if (!sentinel_equal((sentinel_bytes){name, size}, (sentinel_bytes){metrics[i].name, metrics[i].size})) continue;
    metrics[i].sum += value;
    return;
  }
  if (metric_count == METRICS) return;
  metrics[metric_count].name = kept(name, size).data;
  metrics[metric_count].size = size;
  metrics[metric_count++].sum = value;
}

void sentinel_import_observe(const char *name, size_t size, const sentinel_header *labels, size_t count, double value) {
  (void)value;
  sentinel_import_add(name, size, labels, count, 1);
}

void sentinel_import_describe(const char *name, size_t size, uint32_t kind, const char *help, size_t help_size,
                              const char *unit, size_t unit_size, const double *bounds, size_t bound_count) {
  (void)kind, (void)unit, (void)unit_size, (void)bounds, (void)bound_count;
  if (description_count == METRICS) return;
  descriptions[description_count].name = kept(name, size);
  descriptions[description_count++].help = kept(help, help_size);
}

static stored *find(const char *key, size_t size) {
  for (size_t i = 0; i < key_count; i++) {
    if (sentinel_equal(keys[i].key, (sentinel_bytes){key, size})) return &keys[i];
  }
  return NULL;
}

void sentinel_import_get(const char *key, size_t size, sentinel_get_result *result) {
  stored *found = find(key, size);
  *result = (sentinel_get_result){0};
  result->as.value.is_there = found != NULL;
  if (found != NULL) result->as.value.list = handed_over(found->value);
}

/* The contract's `full`, and `not-a-number`. */
enum { FULL, NOT_A_NUMBER = 2 };

void sentinel_import_set(const char *key, size_t size, const char *value, size_t value_size, uint64_t ttl,
                         sentinel_set_result *result) {
  (void)ttl;
  stored *found = find(key, size);
  *result = (sentinel_set_result){0, 0};
  if (found == NULL && key_count == KEYS) {
    *result = (sentinel_set_result){1, FULL};
    return;
  }
  if (found == NULL) {
    found = &keys[key_count++];
    found->key = kept(key, size);
  }
  found->value = kept(value, value_size);
}

void sentinel_import_delete(const char *key, size_t size, sentinel_delete_result *result) {
  stored *found = find(key, size);
  *result = (sentinel_delete_result){0};
  result->as.found = found != NULL;
  if (found != NULL) *found = keys[--key_count];
}

void sentinel_import_count(const char *key, size_t size, int64_t delta, uint64_t ttl, sentinel_add_result *result) {
  stored *found = find(key, size);
  int64_t sum = 0;
  *result = (sentinel_add_result){0};
  if (found != NULL && found->value.size == sizeof sum) {
    memcpy(&sum, found->value.data, sizeof sum);
  } else if (found != NULL) {
    result->failed = 1;
    result->as.error = NOT_A_NUMBER;
    return;
  }
  sum += delta;
  sentinel_set_result stored_result;
  sentinel_import_set(key, size, (const char *)&sum, sizeof sum, ttl, &stored_result);
  result->failed = stored_result.failed;
  if (stored_result.failed) result->as.error = stored_result.error;
  else result->as.sum = sum;
}

void sentinel_import_send(const void *data, size_t size, sentinel_send_result *result) {
  sentinel_reader reader = sentinel_reader_over(data, size);
  size_t fields = sentinel_read_list(&reader);
  sentinel_http_request request = {0};
  request.method = sentinel_string(sentinel_read_string(&reader));
  request.url = sentinel_string(sentinel_read_string(&reader));
  if (fields > 2) request.headers = sentinel_read_headers(&reader);
  if (fields > 3) request.body = sentinel_read_binary(&reader);
  if (fields > 4) request.timeout = (uint32_t)sentinel_read_unsigned(&reader);
  sentinel_response response = {0};
  sentinel_http_error error = service == NULL ? SENTINEL_HTTP_UNREACHABLE : service(&request, &response);
  *result = (sentinel_send_result){0};
  if (error != SENTINEL_HTTP_OK) {
    result->failed = 1;
    result->as.error = (uint8_t)(error - 1);
    return;
  }
  sentinel_writer writer = {0};
  sentinel_write_response(&writer, &response);
  result->as.list = (sentinel_list_result){(const char *)writer.data, writer.size};
}

/* For tests ------------------------------------------------------------------------------------ */

sentinel_request sentinel_test_request(const char *method, const char *path, const sentinel_header *headers,
                                       size_t count) {
  sentinel_request request = {0};
  request.method = sentinel_text(method);
  request.path = sentinel_text(path);
  request.headers = (sentinel_headers){headers, count};
  request.scheme = SENTINEL_TEXT("http");
  request.authority = SENTINEL_TEXT("test");
  request.client = SENTINEL_TEXT("192.0.2.1");
  request.request_id = SENTINEL_TEXT("r-1");
  request.route = SENTINEL_TEXT("/");
  request.http_version = SENTINEL_TEXT("1.1");
  return request;
}

sentinel_incoming_response sentinel_test_response(const sentinel_header *headers, size_t count) {
  sentinel_incoming_response response = {0};
  response.status = 200;
  response.headers = (sentinel_headers){headers, count};
  return response;
}

sentinel_bytes sentinel_test_edited(const sentinel_header_edits *edits, const char *name) {
  sentinel_reader reader = sentinel_reader_over(edits->encoded.data, edits->encoded.size);
  sentinel_bytes value = {NULL, 0};
  for (size_t i = 0; i < edits->count; i++) {
    sentinel_read_list(&reader);
    bool removes = sentinel_read_unsigned(&reader) == 2;
    if (!removes) sentinel_read_list(&reader);
    bool is_meant = sentinel_is(sentinel_read_string(&reader), name);
    sentinel_bytes found = removes ? (sentinel_bytes){NULL, 0} : sentinel_read_binary(&reader);
    if (is_meant) value = found;
  }
  return value;
}

const char *sentinel_test_configure(sentinel_configure_hook *hook, const sentinel_writer *config) {
  sentinel_outcome_area *outcome = sentinel_run_configure(hook, config->data, config->size);
  return outcome->refused ? sentinel_string((sentinel_bytes){outcome->message.data, outcome->message.size}) : NULL;
}

void sentinel_test_end_call(void) {
  sentinel_end_call();
  sentinel_begin_call();
}

size_t sentinel_test_lines(void) {
  return lines.count;
}

sentinel_bytes sentinel_test_line(size_t at) {
  if (at >= lines.count || at >= LINES) return (sentinel_bytes){NULL, 0};
  return (sentinel_bytes){lines.text[at], lines.sizes[at]};
}

sentinel_level sentinel_test_level(size_t at) {
  return at < LINES ? lines.levels[at] : SENTINEL_TRACE;
}

void sentinel_test_set_clocks(uint64_t new_wall, uint64_t new_monotonic) {
  wall = new_wall;
  monotonic = new_monotonic;
}

void sentinel_test_set_service(sentinel_test_service *new_service) {
  service = new_service;
}

uint64_t sentinel_test_counted(const char *name) {
  for (size_t i = 0; i < metric_count; i++) {
    if (sentinel_is((sentinel_bytes){metrics[i].name, metrics[i].size}, name)) return metrics[i].sum;
  }
  return 0;
}

sentinel_bytes sentinel_test_described(const char *name) {
  for (size_t i = 0; i < description_count; i++) {
    if (sentinel_is(descriptions[i].name, name)) return descriptions[i].help;
  }
  return (sentinel_bytes){NULL, 0};
}

void sentinel_test_reset(void) {
  lines.count = key_count = metric_count = description_count = 0;
  wall = monotonic = seed = 0;
  service = NULL;
}
