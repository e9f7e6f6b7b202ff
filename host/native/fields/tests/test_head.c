/* What Python's tests cannot see: that not a byte is read beyond what was said. The buffers are
 * allocated to the byte, so that the address sanitizer does. */
#include "../src/head.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static bool reads(const char *bytes, size_t length, snt_head *head) {
  uint8_t *copy = malloc(length);
  if (length > 0) memcpy(copy, bytes, length);
  bool whole = snt_read_head((snt_text){copy, length}, head);
  free(copy);
  return whole;
}

static void a_head_is_whole_from_its_last_byte_on(void) {
  const char text[] = "GET / HTTP/1.1\r\nhost: a\r\nx:\r\n\r\nGET";
  size_t whole = sizeof text - 1 - 3;
  snt_head head;
  for (size_t length = 0; length < whole; length++) assert(!reads(text, length, &head));
  for (size_t length = whole; length < sizeof text; length++) {
    assert(reads(text, length, &head));
    assert(head.length == whole && head.fields == 2 && head.method.length == 3 && head.http11);
  }
}

static void every_byte_may_be_any_other(void) {
  const char text[] = "A * HTTP/1.0\r\nb:c\r\n\r\n";
  char changed[sizeof text];
  snt_head head;
  for (size_t place = 0; place < sizeof text - 1; place++)
    for (int byte = 0; byte < 256; byte++) {
      memcpy(changed, text, sizeof text);
      changed[place] = (char)byte;
      for (size_t length = 0; length < sizeof text; length++)
        if (reads(changed, length, &head)) assert(head.length <= length && head.fields <= 1);
    }
}

int main(void) {
  a_head_is_whole_from_its_last_byte_on();
  every_byte_may_be_any_other();
  return 0;
}
