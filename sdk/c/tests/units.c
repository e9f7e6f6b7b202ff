/* The SDK's functions, natively. */
#include <assert.h>
#include <stdio.h>

#include "../src/internal.h"
#include "sentinel_test.h"

static void test_text(void) {
  assert(sentinel_is(sentinel_lower(SENTINEL_TEXT("X-Ab[")), "x-ab["));
  assert(sentinel_is_ignoring_case(SENTINEL_TEXT("GziP"), "gzip"));
  assert(!sentinel_is_ignoring_case(SENTINEL_TEXT("gzi"), "gzip"));
  assert(sentinel_starts_with(SENTINEL_TEXT("/health/x"), "/health"));
  assert(sentinel_ends_with(SENTINEL_TEXT("image/svg+xml"), "+xml"));
  assert(!sentinel_ends_with(SENTINEL_TEXT("xml"), "+xml"));
  assert(sentinel_is(sentinel_media_type(SENTINEL_TEXT("Text/HTML; charset=x")), "text/html"));
  assert(sentinel_is(sentinel_json_string(SENTINEL_TEXT("a\"\\\n\xc3\xbc")), "\"a\\\"\\\\\\u000a\xc3\xbc\""));
  assert(sentinel_text(NULL).data == NULL);
}

static void test_secrets(void) {
  assert(sentinel_equal_secret(SENTINEL_TEXT("abc"), SENTINEL_TEXT("abc")));
  assert(sentinel_equal_secret(SENTINEL_TEXT(""), SENTINEL_TEXT("")));
  const char *guesses[] = {"", "a", "ab", "abd", "abcd", "abcabc", "Abc"};
  for (size_t i = 0; i < sizeof guesses / sizeof *guesses; i++) {
    assert(!sentinel_equal_secret(sentinel_text(guesses[i]), SENTINEL_TEXT("abc")));
  }
}

static void test_utf8(void) {
  const char *valid[] = {"", "a", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"};
  const char *invalid[] = {"\x80",         "\xc3",         "\xc3(",         "\xc0\xaf",         "\xe0\x80\xaf",
                           "\xed\xa0\x80", "\xe2\x82",     "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xff"};
  for (size_t i = 0; i < sizeof valid / sizeof *valid; i++) assert(sentinel_is_utf8(sentinel_text(valid[i])));
  for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++) assert(!sentinel_is_utf8(sentinel_text(invalid[i])));
}

static void test_format(void) {
  const char *text = sentinel_format("%s|%5s|%.*s|%c|%d|%5d|%05d|%x|%02x|%llu|%lld|%zu|%%", "a", "b", 2, "cdef", 'g',
                                     -7, -42, -42, 255u, 10u, 18446744073709551615ull, -9223372036854775807ll - 1,
                                     (size_t)9);
  assert(sentinel_is(sentinel_text(text),
                     "a|    b|cd|g|-7|  -42|-0042|ff|0a|18446744073709551615|-9223372036854775808|9|%"));
}

static void test_header_problems(void) {
  assert(sentinel_header_name_problem(SENTINEL_TEXT("X-Key")) == NULL);
  const char *bad[] = {"", "api key", ":status", "Host", "content-LENGTH", "a\n"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert(sentinel_header_name_problem(sentinel_text(bad[i])));
  assert(sentinel_header_value_problem(SENTINEL_TEXT("a\tb \xff")) == NULL);
  assert(sentinel_header_value_problem(SENTINEL_TEXT("a\nb")) != NULL);
}

/* What a hook left is used again: a thousand calls need no more than the largest of them. */
static void test_calls_do_not_grow(void) {
  sentinel_test_end_call();
  char *first = sentinel_allocate(100);
  char *large = sentinel_allocate(100000);
  for (int i = 0; i < 1000; i++) {
    sentinel_test_end_call();
    assert((char *)sentinel_allocate(100) == first);
    assert((char *)sentinel_allocate(100000) == large);
  }
  void *kept = sentinel_keep(5000);
  sentinel_release(kept);
  assert(sentinel_keep(5000) == kept);
}

static sentinel_bytes name;
static int64_t limit;
static bool is_strict;

static const char *configure(sentinel_config *config) {
  name = sentinel_config_text(config, "name", "nobody");
  limit = sentinel_config_integer(sentinel_config_map(config, "limits"), "requests", 10);
  is_strict = sentinel_config_bool(config, "strict", false);
  return sentinel_finish(config);
}

static const char *configured(const char *key, const char *inner, int64_t value) {
  sentinel_writer writer = {0};
  sentinel_write_map(&writer, 2);
  sentinel_write_string(&writer, SENTINEL_TEXT("name"));
  sentinel_write_string(&writer, SENTINEL_TEXT("somebody"));
  sentinel_write_string(&writer, sentinel_text(key));
  sentinel_write_map(&writer, 1);
  sentinel_write_string(&writer, sentinel_text(inner));
  sentinel_write_integer(&writer, value);
  return sentinel_test_configure(configure, &writer);
}

static void test_config(void) {
  assert(configured("limits", "requests", -70000) == NULL);
  assert(sentinel_is(name, "somebody") && limit == -70000 && !is_strict);
  assert(sentinel_is(sentinel_text(configured("limits", "request", 1)), "limits: unknown key `request`"));
  assert(sentinel_is(sentinel_text(configured("limit", "requests", 1)), "unknown key `limit`"));
  assert(sentinel_is(sentinel_text(configured("strict", "x", 1)), "strict: expected a boolean, found a map"));
}

static void test_integers_come_back(void) {
  int64_t values[] = {0, 127, 128, 255, 256, 65535, 65536, 4294967295, 4294967296, INT64_MAX, -1, -32, -33, -128, -129,
                      -32768, -32769, -2147483648ll, -2147483649ll, INT64_MIN};
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    sentinel_writer writer = {0};
    sentinel_write_integer(&writer, values[i]);
    sentinel_reader reader = sentinel_reader_over(writer.data, writer.size);
    assert(sentinel_read_integer(&reader) == values[i] && !reader.failed && reader.at == reader.end);
  }
  sentinel_writer writer = {0};
  sentinel_write_float(&writer, 1.5);
  sentinel_reader reader = sentinel_reader_over(writer.data, writer.size);
  assert(sentinel_read_float(&reader) == 1.5);
}

static sentinel_http_error answer(const sentinel_http_request *request, sentinel_response *response) {
  if (request->timeout != 5) return SENTINEL_HTTP_TIMEOUT;
  *response = (sentinel_response){.status = 201, .body = request->body};
  return SENTINEL_HTTP_OK;
}

static void test_the_host(void) {
  sentinel_test_reset();
  sentinel_bytes value;
  int64_t sum;
  bool found;
  assert(sentinel_kv_get(SENTINEL_TEXT("a"), &value) == SENTINEL_KV_OK && value.data == NULL);
  assert(sentinel_kv_add(SENTINEL_TEXT("a"), 5, 0, &sum) == SENTINEL_KV_OK && sum == 5);
  assert(sentinel_kv_add(SENTINEL_TEXT("a"), -7, 0, &sum) == SENTINEL_KV_OK && sum == -2);
  assert(sentinel_kv_set(SENTINEL_TEXT("a"), SENTINEL_TEXT("x"), 0) == SENTINEL_KV_OK);
  assert(sentinel_kv_add(SENTINEL_TEXT("a"), 1, 0, &sum) == SENTINEL_KV_NOT_A_NUMBER);
  assert(sentinel_kv_delete(SENTINEL_TEXT("a"), &found) == SENTINEL_KV_OK && found);
  sentinel_test_set_clocks(7, 9);
  assert(sentinel_wall_clock() == 7 && sentinel_monotonic_clock() == 9);
  assert(sentinel_random_bytes(3).size == 3 && sentinel_random_number() != sentinel_random_number());
  sentinel_metrics_add("seen", NULL, 0, 2);
  sentinel_metrics_add("seen", NULL, 0, 3);
  assert(sentinel_test_counted("seen") == 5);
  sentinel_metrics_describe(&(sentinel_metric){.name = "seen", .help = "What was seen."});
  sentinel_metrics_describe(&(sentinel_metric){.name = "age_seconds", .kind = SENTINEL_HISTOGRAM, .unit = "seconds"});
  assert(sentinel_is(sentinel_test_described("seen"), "What was seen."));
  assert(sentinel_test_described("age_seconds").size == 0 && sentinel_test_described("other").data == NULL);
  sentinel_http_request request = {.method = "POST", .url = "http://a/", .body = SENTINEL_TEXT("b"), .timeout = 5};
  sentinel_response response;
  assert(sentinel_http_send(&request, &response) == SENTINEL_HTTP_UNREACHABLE);
  sentinel_test_set_service(answer);
  assert(sentinel_http_send(&request, &response) == SENTINEL_HTTP_OK);
  assert(response.status == 201 && sentinel_is(response.body, "b"));
  request.timeout = 0;
  assert(sentinel_http_send(&request, &response) == SENTINEL_HTTP_TIMEOUT);
  sentinel_log(SENTINEL_WARN, "%d of %d", 1, 2);
  assert(sentinel_test_lines() == 1 && sentinel_is(sentinel_test_line(0), "1 of 2"));
  assert(sentinel_test_level(0) == SENTINEL_WARN);
}

int main(void) {
  test_text();
  test_secrets();
  test_utf8();
  test_format();
  test_header_problems();
  test_calls_do_not_grow();
  test_config();
  test_integers_come_back();
  test_the_host();
  printf("the SDK's functions: all tests passed\n");
}
