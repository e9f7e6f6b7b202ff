#include <stdio.h>
#include <string.h>

#include "../src/log.h"
#include "fake_engine.h"
#include "harness.h"

#define CAPACITY 32768
#define MILLISECONDS UINT64_C(1767323045678)
#define TIME "2026-01-02T03:04:05.678+00:00"
#define START "{\"time\":\"" TIME "\",\"level\":"

static snt_log *log_;
static uint8_t *drained;
static size_t size, offset;
static uint64_t milliseconds = MILLISECONDS;
static char out[2 * CAPACITY];

static snt_text text(const char *bytes) { return (snt_text){(const uint8_t *)bytes, strlen(bytes)}; }

static void write_line(uint32_t level, const char *guest, const char *label, const char *message) {
  CHECK(snt_log_put(log_, level, text(guest), text(label), text(message)));
}

/* What the lines that were written take, in a block of just that size: the sanitizer sees what is
 * read beyond it. */
static void drain(void) {
  static uint8_t scratch[CAPACITY];
  uint64_t dropped = 0;
  size = snt_log_drain(log_, scratch, &dropped);
  free(drained);
  drained = malloc(size > 0 ? size : 1);
  CHECK(drained != NULL && dropped == 0);
  memcpy(drained, scratch, size);
  offset = 0;
}

static const char *render(uint32_t least, size_t room) {
  char *to = malloc(room > 0 ? room : 1);
  CHECK(to != NULL && room < sizeof out);
  size_t length = snt_log_render(drained, size, &offset, least, milliseconds, (uint8_t *)to, room);
  CHECK(length <= room);
  memcpy(out, to, length);
  out[length] = 0;
  free(to);
  return out;
}

static bool renders(const char *expected) { return strcmp(render(0, CAPACITY), expected) == 0; }

static void a_line_is_an_object(void) {
  write_line(2, "access-log", "r1", "all is well");
  write_line(4, "g", "", "");
  drain();
  CHECK(renders(START "\"info\",\"guest\":\"access-log\",\"request_id\":\"r1\",\"message\":\"all is well\"}\n"
                START "\"error\",\"guest\":\"g\",\"request_id\":null,\"message\":\"\"}\n"));
  CHECK(offset == size && renders(""));
}

static void quotes_and_backslashes_are_escaped(void) {
  write_line(3, "a\"b", "c\\d", "\"\\ \\\" {\"key\":\"C:\\x\"} ~/'");
  drain();
  CHECK(renders(START "\"warn\",\"guest\":\"a\\\"b\",\"request_id\":\"c\\\\d\",\"message\":"
                      "\"\\\"\\\\ \\\\\\\" {\\\"key\\\":\\\"C:\\\\x\\\"} ~/'\"}\n"));
}

static void every_byte_is_plain_or_not(void) {
  for (int byte = 1; byte < 256; byte++) {
    char message[] = {'a', (char)byte, 'b', 0};
    write_line(0, "g", "r", message);
    drain();
    bool plain = byte >= 0x20 && byte <= 0x7e;
    CHECK((*render(0, CAPACITY) != 0) == plain);
    CHECK(offset == (plain ? size : 0));
    const char *found = strstr(out, "\"message\":\"a");
    CHECK(!plain || found[12 + (byte == '"' || byte == '\\')] == (char)byte);
  }
}

/* Texts are looked at in pieces of sixteen bytes, and escaped in words of eight. */
static void every_place_in_a_text_counts(void) {
  static const char specials[] = "\"\\\x1f\x7f\x80\xa2\xdc\xff";
  for (size_t length = 0; length <= 34; length++) {
    char message[64], expected[256];
    memset(message, 'a', length);
    message[length] = 0;
    write_line(0, "g", "r", message);
    drain();
    sprintf(expected, START "\"trace\",\"guest\":\"g\",\"request_id\":\"r\",\"message\":\"%s\"}\n", message);
    CHECK(renders(expected) && offset == size);
    for (size_t place = 0; place < length; place++) {
      for (const char *special = specials; *special != 0; special++) {
        message[place] = *special;
        write_line(0, "g", "r", message);
        drain();
        bool escaped = *special == '"' || *special == '\\';
        sprintf(expected, START "\"trace\",\"guest\":\"g\",\"request_id\":\"r\",\"message\":\"%.*s\\%s\"}\n", (int)place,
                message, message + place);
        CHECK(renders(escaped ? expected : "") && offset == (escaped ? size : 0));
        message[place] = 'a';
      }
    }
  }
}

static void runs_lie_between_escapes(void) {
  for (size_t run = 0; run <= 17; run++) {
    char message[64], expected[256], plain[18];
    memset(plain, ' ', run);
    plain[run] = 0;
    sprintf(message, "%s\"%s\\%s", plain, plain, plain);
    write_line(0, "g", "r", message);
    drain();
    sprintf(expected, START "\"trace\",\"guest\":\"g\",\"request_id\":\"r\",\"message\":\"%s\\\"%s\\\\%s\"}\n", plain, plain,
            plain);
    CHECK(renders(expected) && offset == size);
  }
}

static void times_are_told_to_the_millisecond(void) {
  static const struct {
    uint64_t milliseconds;
    const char *text;
  } times[] = {{0, "1970-01-01T00:00:00.000+00:00"},
               {951782400001, "2000-02-29T00:00:00.001+00:00"},
               {1798761599999, "2026-12-31T23:59:59.999+00:00"},
               {4102444800050, "2100-01-01T00:00:00.050+00:00"}};
  for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
    write_line(0, "g", "r", "m");
    drain();
    milliseconds = times[i].milliseconds;
    render(0, CAPACITY);
    CHECK(strncmp(out, "{\"time\":\"", 9) == 0 && strncmp(out + 9, times[i].text, 29) == 0 && out[38] == '"');
  }
  milliseconds = MILLISECONDS;
}

static void it_stops_before_what_is_not_plain(void) {
  static const char *const odd[][3] = {{"g", "r", "line\n"}, {"g", "r", "\xc3\xbc"}, {"g", "\x7f", "m"}, {"\x1b", "r", "m"}};
  for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
    write_line(1, "g", "r", "before");
    write_line(1, odd[i][0], odd[i][1], odd[i][2]);
    write_line(1, "g", "r", "behind");
    drain();
    CHECK(renders(START "\"debug\",\"guest\":\"g\",\"request_id\":\"r\",\"message\":\"before\"}\n"));
    CHECK(offset == sizeof(snt_log_line) + 8 && renders("") && offset == sizeof(snt_log_line) + 8);
    offset += sizeof(snt_log_line) + strlen(odd[i][0]) + strlen(odd[i][1]) + strlen(odd[i][2]);
    CHECK(renders(START "\"debug\",\"guest\":\"g\",\"request_id\":\"r\",\"message\":\"behind\"}\n") && offset == size);
  }
}

static void lines_below_a_level_are_passed_over(void) {
  write_line(0, "g", "r", "a");
  write_line(1, "g", "r", "not plain\t");
  write_line(2, "g", "r", "b");
  write_line(1, "g", "r", "c");
  drain();
  CHECK(strcmp(render(2, CAPACITY), START "\"info\",\"guest\":\"g\",\"request_id\":\"r\",\"message\":\"b\"}\n") == 0);
  CHECK(offset == size);
}

static void nothing_is_written_beyond_the_room(void) {
  char longest[SNT_LOG_MESSAGE_MAX + 1];
  memset(longest, '"', SNT_LOG_MESSAGE_MAX);
  longest[SNT_LOG_MESSAGE_MAX] = 0;
  write_line(2, "guest", "r", longest);
  write_line(2, "guest", "r", longest);
  drain();
  size_t whole = strlen(render(0, CAPACITY));
  CHECK(whole > 2 * SNT_LOG_MESSAGE_MAX && offset == size / 2); /* the second one did not fit */
  CHECK(strlen(render(0, CAPACITY)) == whole && offset == size);
  bool fitted = false;
  for (size_t room = 0; room < whole + 100; room++) {
    if (room == 200) room = whole - 50;
    offset = 0;
    size_t written = strlen(render(0, room));
    CHECK(written == (offset == 0 ? 0 : whole) && written <= room);
    fitted = written > 0;
  }
  CHECK(fitted);
}

int main(void) {
  log_ = snt_log_new(&FAKE_ENGINE, CAPACITY);
  CHECK(log_ != NULL);
  RUN(a_line_is_an_object);
  RUN(quotes_and_backslashes_are_escaped);
  RUN(every_byte_is_plain_or_not);
  RUN(every_place_in_a_text_counts);
  RUN(runs_lie_between_escapes);
  RUN(times_are_told_to_the_millisecond);
  RUN(it_stops_before_what_is_not_plain);
  RUN(lines_below_a_level_are_passed_over);
  RUN(nothing_is_written_beyond_the_room);
  snt_log_free(log_);
  free(drained);
  return 0;
}
