/* What Python's tests cannot see: that not a byte is read beyond what was said. The buffers are
 * allocated to the byte, so that the address sanitizer does. */
#include <stdlib.h>
#include <string.h>

#include "../../tests/harness.h"
#include "../src/rules.h"

static void ask_everything(const char *bytes, size_t length) {
  uint8_t *copy = malloc(length);
  if (length > 0) memcpy(copy, bytes, length);
  snt_text text = {copy, length};
  bool is_path = snt_is_path(text);
  CHECK(!is_path || snt_is_bare_value(text));
  CHECK(!snt_is_authority(text) || snt_is_bare_value(text));
  int64_t number = snt_read_length(text);
  CHECK(number < 0 || length <= 18);
  CHECK(number < 0 || snt_kind_of(text) == SNT_NAME_PLAIN);
  free(copy);
}

static void every_prefix_is_read_within_it(void) {
  static const char *const TEXTS[] = {
      "transfer-encoding", "proxy-connection", "content-length", "keep-alive", "connection",     "upgrade", "cookie",
      "expect",            "host",             "te",             "/a/b?c=d",   "[::1]:65535",    "a:12345", "[",
      "[::1",              "a:",               "999999999999999999",           "9223372036854775808",      "a b\t",
  };
  for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++)
    for (size_t length = 0; length <= strlen(TEXTS[i]); length++) ask_everything(TEXTS[i], length);
}

static void every_byte_is_read_within_its_length(void) {
  for (size_t length = 0; length < 40; length++)
    for (int byte = 0; byte < 256; byte++) {
      char bytes[40];
      memset(bytes, byte, sizeof bytes);
      ask_everything(bytes, length);
      if (length > 0) bytes[0] = '/';
      ask_everything(bytes, length);
      if (length > 0) bytes[0] = '[';
      ask_everything(bytes, length);
    }
}

static snt_text text_of(const char *text) { return (snt_text){(const uint8_t *)text, strlen(text)}; }

static void names_of_a_meaning(void) {
  CHECK(snt_kind_of(text_of("te")) == SNT_NAME_TE);
  CHECK(snt_kind_of(text_of("cookie")) == SNT_NAME_COOKIE);
  CHECK(snt_kind_of(text_of("content-length")) == SNT_NAME_LENGTH);
  CHECK(snt_kind_of(text_of("accept")) == SNT_NAME_PLAIN);
  CHECK(snt_kind_of(text_of("host")) == SNT_NAME_OTHER);
  CHECK(snt_read_length(text_of("999999999999999999")) == 999999999999999999);
  CHECK(snt_read_length(text_of("1000000000000000000")) == -1);
}

int main(void) {
  RUN(every_prefix_is_read_within_it);
  RUN(every_byte_is_read_within_its_length);
  RUN(names_of_a_meaning);
  return 0;
}
