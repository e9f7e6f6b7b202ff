/* What Python's tests cannot see: that not a byte is read beyond what was said. */
#include "plainness.h"

#include <stdio.h>

static const char *const HEADS[] = {
    "GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 12\r\nx:\r\n\r\n",
    "POST /a?b HTTP/1.1\r\nTransfer-Encoding: chunked\r\nhost:\ta\r\nConnection: keep-alive\r\n\r\n",
    "HTTP/1.1 200 OK\r\nserver: \ta b\t \r\nContent-Length: 123456789012345678\r\n\r\n",
    "HTTP/1.1 503\r\nSet-Cookie: a\r\nset-cookie: b\r\n\r\n",
    "HTTP/1.1 200\r\nTE: a\r\nTrailer: b\r\nKeep-Alive: 5\r\nProxy-Connection: a\r\nX-Request-Id: b\r\n\r\n",
};

static bool is_plain(const char *text, size_t length) { return read_both((const uint8_t *)text, length); }

static void a_head_is_plain_from_its_last_byte_on(const char *head) {
  size_t whole = strlen(head);
  char more[256];
  snprintf(more, sizeof more, "%s: x", head);
  for (size_t length = 0; length < whole; length++) MUST(!is_plain(more, length));
  for (size_t length = whole; length <= strlen(more); length++) MUST(is_plain(more, length));
}

static void every_byte_may_be_any_other(const char *head) {
  size_t length = strlen(head);
  char changed[256];
  for (size_t place = 0; place < length; place++)
    for (int byte = 0; byte < 256; byte++) {
      memcpy(changed, head, length);
      changed[place] = (char)byte;
      is_plain(changed, length);
      is_plain(changed, place + 1);
    }
}

static void there_is_room_for_so_many_fields_and_for_names_so_long(void) {
  const char line[] = "GET / HTTP/1.1\r\nhost:\r\n";
  char head[1024];
  for (size_t count = SNT_PLAIN_FIELDS - 2; count <= SNT_PLAIN_FIELDS + 1; count++) {
    strcpy(head, line);
    for (size_t i = 1; i < count; i++) strcat(head, "a:b\r\n");
    strcat(head, "\r\n");
    MUST(is_plain(head, strlen(head)) == (count <= SNT_PLAIN_FIELDS));
  }
  for (size_t length = SNT_PLAIN_NAME - 2; length <= SNT_PLAIN_NAME + 1; length++) {
    strcpy(head, line);
    memset(head + strlen(line), 'n', length);
    strcpy(head + strlen(line) + length, ":\r\n\r\n");
    MUST(is_plain(head, strlen(head)) == (length < SNT_PLAIN_NAME));
  }
}

int main(void) {
  for (size_t i = 0; i < sizeof HEADS / sizeof *HEADS; i++) {
    a_head_is_plain_from_its_last_byte_on(HEADS[i]);
    every_byte_may_be_any_other(HEADS[i]);
  }
  there_is_room_for_so_many_fields_and_for_names_so_long();
  return 0;
}
