#include "head.h"

#include <string.h>

#include "field.h"

static const char VERSION[] = " HTTP/1.";
/* Behind the target: the version's first part, its digit, CR LF. */
#define LINE_END (sizeof VERSION - 1 + 3)

static bool is_target_byte(uint8_t byte) { return byte > ' ' && byte < 0x7f && byte != '#'; }

/* The part of `text` from `begin` to the next such byte, which must be there. */
static bool until(snt_text text, size_t begin, uint8_t byte, snt_text *part) {
  const uint8_t *start = text.bytes + begin;
  const uint8_t *end = begin < text.length ? memchr(start, byte, text.length - begin) : NULL;
  if (end == NULL) return false;
  *part = (snt_text){start, (size_t)(end - start)};
  return true;
}

static bool read_request_line(snt_text text, snt_head *head, size_t *place) {
  if (!until(text, 0, ' ', &head->method) || !snt_is_token(head->method)) return false;
  size_t begin = head->method.length + 1, end = begin;
  while (end < text.length && is_target_byte(text.bytes[end])) end++;
  if (end == begin || text.length - end < LINE_END) return false;
  const uint8_t *rest = text.bytes + end + sizeof VERSION - 1;
  if (memcmp(text.bytes + end, VERSION, sizeof VERSION - 1) != 0 || rest[1] != '\r' || rest[2] != '\n') return false;
  if (rest[0] != '0' && rest[0] != '1') return false;
  head->http11 = rest[0] == '1';
  *place = end + LINE_END;
  return true;
}

bool snt_read_head(snt_text text, snt_head *head) {
  size_t place;
  if (!read_request_line(text, head, &place)) return false;
  snt_text line, name;
  for (head->fields = 0; until(text, place, '\r', &line); head->fields++) {
    size_t next = place + line.length + 2;
    if (next > text.length || text.bytes[next - 1] != '\n') return false;
    if (line.length == 0) {
      head->length = next;
      return true;
    }
    if (!until(line, 0, ':', &name) || !snt_is_token(name)) return false;
    snt_text value = {name.bytes + name.length + 1, line.length - name.length - 1};
    if (!snt_is_value(value)) return false;
    place = next;
  }
  return false;
}
