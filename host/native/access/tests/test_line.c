#include <string.h>
#include <time.h>

#include "../../tests/harness.h"
#include "../src/line.h"

static snt_text text(const char *bytes) { return (snt_text){(const uint8_t *)bytes, strlen(bytes)}; }

/* Puts into a block of just the bound's size, so that the sanitizer sees a byte beyond it. */
#define PUTS(put, bound, value, expected)                                                   \
  do {                                                                                      \
    size_t room_ = (bound);                                                                 \
    uint8_t *block_ = malloc(room_ > 0 ? room_ : 1);                                        \
    CHECK(block_ != NULL);                                                                  \
    size_t length_ = (size_t)(put(block_, value) - block_);                                 \
    CHECK(length_ <= room_);                                                                \
    CHECK(length_ == strlen(expected) && memcmp(block_, expected, length_) == 0);           \
    free(block_);                                                                           \
  } while (0)
#define PUTS_TIME(put, last, value, expected)                        \
  do {                                                               \
    uint8_t *block_ = malloc(SNT_TIME_MAX);                          \
    CHECK(block_ != NULL);                                           \
    size_t length_ = (size_t)(put(block_, last, value) - block_);    \
    CHECK(length_ == strlen(expected));                              \
    CHECK(memcmp(block_, expected, length_) == 0);                   \
    free(block_);                                                    \
  } while (0)
/* The text is in a block of just its size, too. */
#define PUTS_TEXT(put, bound, from, expected)                                   \
  do {                                                                          \
    size_t size_ = strlen(from);                                                \
    uint8_t *copy_ = malloc(size_ > 0 ? size_ : 1);                             \
    CHECK(copy_ != NULL);                                                       \
    memcpy(copy_, from, size_);                                                 \
    PUTS(put, bound(size_), ((snt_text){copy_, size_}), expected);              \
    free(copy_);                                                                \
  } while (0)
#define JSON(from, expected) PUTS_TEXT(snt_put_json, SNT_JSON_MAX, from, expected)
#define QUOTED(from, expected) PUTS_TEXT(snt_put_quoted, SNT_QUOTED_MAX, from, expected)

static void plain_text_stays(void) {
  JSON("", "");
  JSON("/a/b?c=d", "/a/b?c=d");
  JSON("\x7f\xc3\xa4\xe2\x82\xac", "\x7f\xc3\xa4\xe2\x82\xac");
  QUOTED("", "");
  QUOTED("curl/8 'x'", "curl/8 'x'");
}

static void json_escapes_what_it_must(void) {
  JSON("\"\\", "\\\"\\\\");
  JSON("a\nb\rc\td\be\ff", "a\\nb\\rc\\td\\be\\ff");
  for (int byte = 1; byte < 0x20; byte++) {
    char from[] = {(char)byte, 0}, expected[8];
    if (strchr("\b\t\n\f\r", byte) != NULL) continue;
    sprintf(expected, "\\u%04x", (unsigned)byte);
    JSON(from, expected);
  }
  /* The bound is reached. */
  JSON("\x1f\x1f\x1f", "\\u001f\\u001f\\u001f");
}

/* Texts are looked at in words of eight bytes. */
static void every_place_in_a_text_counts(void) {
  static const char specials[] = "\"\\\n\x1f";
  static const char *const escaped[] = {"\\\"", "\\\\", "\\n", "\\u001f"};
  for (size_t length = 0; length <= 34; length++) {
    char from[64], expected[80];
    memset(from, '\x21', length);
    from[length] = 0;
    JSON(from, from);
    for (size_t place = 0; place < length; place++) {
      for (size_t special = 0; special < strlen(specials); special++) {
        from[place] = specials[special];
        sprintf(expected, "%.*s%s%s", (int)place, from, escaped[special], from + place + 1);
        JSON(from, expected);
        from[place] = '\xff';
        JSON(from, from);
        from[place] = '\x21';
      }
    }
  }
}

static void quotes_escape_themselves(void) {
  QUOTED("\"", "\\\"");
  QUOTED("a\\n\"b\"", "a\\\\n\\\"b\\\"");
}

static void printable_is_ascii_without_controls(void) {
  CHECK(snt_is_printable(text("")) && snt_is_printable(text(" ~Az09\"\\")));
  for (int byte = 0; byte < 256; byte++) {
    uint8_t bytes[] = {'a', (uint8_t)byte, 'b'};
    CHECK(snt_is_printable((snt_text){bytes, sizeof bytes}) == (byte >= 0x20 && byte <= 0x7e));
  }
}

static void numbers_have_no_zeros_in_front(void) {
  PUTS(snt_put_count, SNT_NUMBER_MAX, 0, "0");
  PUTS(snt_put_count, SNT_NUMBER_MAX, 9, "9");
  PUTS(snt_put_count, SNT_NUMBER_MAX, 10, "10");
  PUTS(snt_put_count, SNT_NUMBER_MAX, UINT64_MAX, "18446744073709551615");
}

static void milliseconds_have_one_to_three_decimals(void) {
  PUTS(snt_put_millis, SNT_MILLIS_MAX, 0, "0.0");
  PUTS(snt_put_millis, SNT_MILLIS_MAX, 7, "0.007");
  PUTS(snt_put_millis, SNT_MILLIS_MAX, 70, "0.07");
  PUTS(snt_put_millis, SNT_MILLIS_MAX, 1500, "1.5");
  PUTS(snt_put_millis, SNT_MILLIS_MAX, 12000, "12.0");
  PUTS(snt_put_millis, SNT_MILLIS_MAX, UINT64_MAX, "18446744073709551.615");
}

static void times_are_those_of_the_c_library(void) {
  snt_second rfc3339 = {0}, clf = {0};
  /* Every day of 500 years, at a second that moves through it. */
  for (uint64_t day = 0; day < 182622; day++) {
    time_t seconds = (time_t)(day * 86400 + day * 7919 % 86400);
    struct tm utc;
    char expected[64], whole[80];
    CHECK(gmtime_r(&seconds, &utc) != NULL);
    CHECK(strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%S", &utc) > 0);
    sprintf(whole, "%s.%03uZ", expected, (unsigned)(day % 1000));
    uint64_t microseconds = (uint64_t)seconds * 1000000 + day % 1000 * 1000 + 999;
    PUTS_TIME(snt_put_rfc3339, &rfc3339, microseconds, whole);
    CHECK(strftime(expected, sizeof expected, "%d/%b/%Y:%H:%M:%S +0000", &utc) > 0);
    PUTS_TIME(snt_put_clf_time, &clf, microseconds, expected);
  }
}

static void a_second_that_is_kept_is_no_other(void) {
  snt_second rfc3339 = {0}, clf = {0};
  PUTS_TIME(snt_put_rfc3339, &rfc3339, 0, "1970-01-01T00:00:00.000Z");
  PUTS_TIME(snt_put_rfc3339, &rfc3339, 999999, "1970-01-01T00:00:00.999Z");
  PUTS_TIME(snt_put_rfc3339, &rfc3339, 1000000, "1970-01-01T00:00:01.000Z");
  /* Requests end in another order than they began. */
  PUTS_TIME(snt_put_rfc3339, &rfc3339, 999000, "1970-01-01T00:00:00.999Z");
  PUTS_TIME(snt_put_clf_time, &clf, 999999, "01/Jan/1970:00:00:00 +0000");
  PUTS_TIME(snt_put_clf_time, &clf, 0, "01/Jan/1970:00:00:00 +0000");
  PUTS_TIME(snt_put_clf_time, &clf, 1000000, "01/Jan/1970:00:00:01 +0000");
}

static void a_time_beyond_all_calendars_stays_in_its_bound(void) {
  uint8_t *block = malloc(SNT_TIME_MAX);
  CHECK(block != NULL);
  snt_second rfc3339 = {0}, clf = {0};
  CHECK(snt_put_rfc3339(block, &rfc3339, UINT64_MAX) <= block + SNT_TIME_MAX);
  CHECK(snt_put_clf_time(block, &clf, UINT64_MAX) <= block + SNT_TIME_MAX);
  free(block);
}

int main(void) {
  RUN(plain_text_stays);
  RUN(json_escapes_what_it_must);
  RUN(every_place_in_a_text_counts);
  RUN(quotes_escape_themselves);
  RUN(printable_is_ascii_without_controls);
  RUN(numbers_have_no_zeros_in_front);
  RUN(milliseconds_have_one_to_three_decimals);
  RUN(times_are_those_of_the_c_library);
  RUN(a_second_that_is_kept_is_no_other);
  RUN(a_time_beyond_all_calendars_stays_in_its_bound);
  return 0;
}
