/* A guest that calls the functions of the host that its configuration names,
 * `{"calls": ["random 8", "clock"]}`, and answers with a line for each. */
#include <sentinel.h>

#define WORDS 8

static const sentinel_value *calls;
static size_t call_count;

static const char *configure(sentinel_config *config) {
  call_count = sentinel_config_texts(config, "calls", &calls);
  return sentinel_finish(config);
}

/* Cuts a line at its spaces. */
static size_t split(sentinel_bytes line, sentinel_bytes *words) {
  size_t count = 0, start = 0;
  for (size_t i = 0; i <= line.size; i++) {
    if (i < line.size && line.data[i] != ' ') continue;
    SENTINEL_ASSERT(count < WORDS);
    words[count++] = (sentinel_bytes){line.data + start, i - start};
    start = i + 1;
  }
  return count;
}

static int64_t number(sentinel_bytes word) {
  int64_t value = 0;
  bool is_negative = word.size > 0 && word.data[0] == '-';
  for (size_t i = is_negative; i < word.size && word.data[i] != '.'; i++) value = 10 * value + (word.data[i] - '0');
  return is_negative ? -value : value;
}

static const char *hex(sentinel_bytes bytes) {
  const char *text = "";
  for (size_t i = 0; i < bytes.size; i++) text = sentinel_format("%s%02x", text, (unsigned char)bytes.data[i]);
  return text;
}

/* Labels, each written `name=value`. */
static sentinel_header *pairs(const sentinel_bytes *words, size_t count) {
  sentinel_header *labels = sentinel_allocate(count * sizeof *labels);
  for (size_t i = 0; i < count; i++) {
    size_t at = 0;
    while (words[i].data[at] != '=') at++;
    labels[i].name = (sentinel_bytes){words[i].data, at};
    labels[i].value = (sentinel_bytes){words[i].data + at + 1, words[i].size - at - 1};
  }
  return labels;
}

static const char *const KV_ERRORS[] = {"", "Full", "TooLarge", "NotANumber", "Unavailable"};
static const char *const HTTP_ERRORS[] = {"", "Denied", "Invalid", "TooMany", "Timeout", "Unreachable", "TooLarge"};

static const char *told(sentinel_kv_error error, const char *result) {
  return error == SENTINEL_KV_OK ? result : KV_ERRORS[error];
}

static __attribute__((noinline)) const char *trap(sentinel_bytes text) {
  sentinel_fail("%s", sentinel_string(text)); /* tests look for this line */
}

static const char *ask(const sentinel_bytes *words) {
  sentinel_header header = {SENTINEL_TEXT("X-Test"), SENTINEL_TEXT("yes")};
  sentinel_http_request request = {
      sentinel_string(words[1]), sentinel_string(words[2]), {&header, 1}, words[3], (uint32_t)number(words[4])};
  sentinel_response answer;
  sentinel_http_error error = sentinel_http_send(&request, &answer);
  if (error != SENTINEL_HTTP_OK) return HTTP_ERRORS[error];
  sentinel_bytes value = sentinel_get(answer.headers, "x-answer");
  if (value.data == NULL) value = SENTINEL_TEXT("none");
  return sentinel_format("%u %.*s %.*s", answer.status, (int)value.size, value.data, (int)answer.body.size,
                         answer.body.data);
}

/* `-` stands for an empty text. */
static void describe(const sentinel_bytes *words, size_t count) {
  double bounds[WORDS];
  for (size_t i = 5; i < count; i++) bounds[i - 5] = (double)number(words[i]);
  sentinel_metrics_describe(&(sentinel_metric){
      .name = sentinel_string(words[1]),
      .kind = sentinel_is(words[2], "histogram") ? SENTINEL_HISTOGRAM : SENTINEL_COUNTER,
      .help = sentinel_is(words[3], "-") ? NULL : sentinel_string(words[3]),
      .unit = sentinel_is(words[4], "-") ? NULL : sentinel_string(words[4]),
      .bounds = bounds,
      .bound_count = count - 5,
  });
}

static const char *call(const sentinel_bytes *words, size_t count) {
  sentinel_bytes name = words[0], value;
  bool found;
  int64_t sum;
  sentinel_kv_error error;
  if (sentinel_is(name, "trap")) return trap(words[1]);
  if (sentinel_is(name, "print")) {
    sentinel_log(SENTINEL_INFO, "printed %d", 1);
    sentinel_log(SENTINEL_WARN, "complained");
    sentinel_log(SENTINEL_DEBUG, "2 + 3 = %d", 2 + 3);
    return "5";
  }
  if (sentinel_is(name, "clock")) {
    return sentinel_format("%llu %llu", (unsigned long long)sentinel_wall_clock(),
                           (unsigned long long)sentinel_monotonic_clock());
  }
  if (sentinel_is(name, "random")) return hex(sentinel_random_bytes((uint32_t)number(words[1])));
  if (sentinel_is(name, "number")) return sentinel_format("%llu", (unsigned long long)sentinel_random_number());
  if (sentinel_is(name, "add")) {
    uint64_t more = (uint64_t)number(words[2]);
    return sentinel_metrics_add(sentinel_string(words[1]), pairs(words + 3, count - 3), count - 3, more), "";
  }
  if (sentinel_is(name, "observe")) {
    double seen = sentinel_is(words[2], "NaN") ? __builtin_nan("") : 0.3;
    return sentinel_metrics_observe(sentinel_string(words[1]), pairs(words + 3, count - 3), count - 3, seen), "";
  }
  if (sentinel_is(name, "describe")) return describe(words, count), "";
  if (sentinel_is(name, "get")) {
    error = sentinel_kv_get(words[1], &value);
    if (value.data == NULL) return told(error, "absent");
    return sentinel_format("%zu bytes %s", value.size, hex((sentinel_bytes){value.data, value.size < 8 ? value.size : 8}));
  }
  if (sentinel_is(name, "set")) return told(sentinel_kv_set(words[1], words[2], (uint64_t)number(words[3])), "done");
  if (sentinel_is(name, "fill")) {
    char *data = sentinel_allocate((size_t)number(words[2]));
    memset(data, 'x', (size_t)number(words[2]));
    return told(sentinel_kv_set(words[1], (sentinel_bytes){data, (size_t)number(words[2])}, 0), "done");
  }
  if (sentinel_is(name, "delete")) {
    error = sentinel_kv_delete(words[1], &found);
    return told(error, found ? "true" : "false");
  }
  if (sentinel_is(name, "count")) {
    error = sentinel_kv_add(words[1], number(words[2]), (uint64_t)number(words[3]), &sum);
    return told(error, sentinel_format("%lld", (long long)sum));
  }
  if (sentinel_is(name, "http")) return ask(words);
  sentinel_fail("no function %s", sentinel_string(name));
}

static const sentinel_response *on_request(sentinel_request *request) {
  (void)request;
  sentinel_writer body = {0};
  if (call_count == 1 && sentinel_is(calls[0].text, "print")) sentinel_log(SENTINEL_INFO, "called");
  for (size_t i = 0; i < call_count; i++) {
    sentinel_bytes words[WORDS];
    size_t count = split(calls[i].text, words);
    const char *line = call(words, count);
    if (i > 0) sentinel_write_raw(&body, "\n", 1);
    sentinel_write_raw(&body, line, strlen(line));
  }
  sentinel_response *response = sentinel_allocate(sizeof *response);
  *response = (sentinel_response){.status = 200, .body = {(const char *)body.data, body.size}};
  return response;
}

SENTINEL_CONFIGURE(configure)
SENTINEL_ON_REQUEST(on_request)
