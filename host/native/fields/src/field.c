#include "field.h"

#include <string.h>

#include "pack.h"

/* One bit for each byte: letters, digits and -!#$%&'*+.^_`|~ */
static const uint64_t TOKEN_BYTES[4] = {0x03ff6cfa00000000, 0x57ffffffc7fffffe, 0, 0};

bool snt_is_token(snt_text text) {
  for (size_t i = 0; i < text.length; i++)
    if (!(TOKEN_BYTES[text.bytes[i] >> 6] >> (text.bytes[i] & 63) & 1)) return false;
  return text.length > 0;
}

static bool is_value_byte(uint8_t byte) { return (byte >= ' ' && byte != 0x7f) || byte == '\t'; }

/* Whether any of eight bytes is below a space, or is 0x7f: the high bit of each byte tells of a
 * borrow from it, and a byte that has one anyway does not count. */
static bool may_hold_control(const uint8_t *bytes) {
  const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
  uint64_t word;
  memcpy(&word, bytes, sizeof word);
  uint64_t deletes = word ^ (ones * 0x7f);
  return (((word - ones * ' ') & ~word) | ((deletes - ones) & ~deletes)) & high;
}

size_t snt_value_length(snt_text text) {
  size_t i = 0;
  for (; i + 8 <= text.length; i += 8)
    if (may_hold_control(text.bytes + i))
      for (size_t j = i; j < i + 8; j++)
        if (!is_value_byte(text.bytes[j])) return j;
  while (i < text.length && is_value_byte(text.bytes[i])) i++;
  return i;
}

bool snt_is_value(snt_text text) { return snt_value_length(text) == text.length; }

bool snt_is_target(snt_text text) {
  for (size_t i = 0; i < text.length; i++)
    if (text.bytes[i] <= ' ' || text.bytes[i] == 0x7f) return false;
  return text.length > 0;
}

size_t snt_line_size(const snt_field *field) { return 4 + field->name.length + field->value.length; }

uint8_t *snt_put_line(uint8_t *out, const snt_field *field) {
  *out++ = '\r';
  *out++ = '\n';
  out = snt_put_text(out, field->name);
  *out++ = ':';
  *out++ = ' ';
  return snt_put_text(out, field->value);
}
