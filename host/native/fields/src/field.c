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

/* A bit in each of eight bytes that is below a space, or is 0x7f: the high bit tells of a borrow
 * from it, and a byte that has one anyway does not count. Only the lowest is certain, for a borrow
 * reaches the next byte too. The lowest byte is the first. */
static uint64_t controls_of(const uint8_t *bytes) {
  const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
  uint64_t word;
  memcpy(&word, bytes, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  word = __builtin_bswap64(word);
#endif
  uint64_t deletes = word ^ (ones * 0x7f);
  return (((word - ones * ' ') & ~word) | ((deletes - ones) & ~deletes)) & high;
}

size_t snt_value_length(snt_text text) {
  size_t i = 0;
  while (i + 8 <= text.length) {
    uint64_t controls = controls_of(text.bytes + i);
    if (controls == 0) {
      i += 8;
      continue;
    }
    i += (size_t)__builtin_ctzll(controls) / 8;
    if (text.bytes[i] != '\t') return i;
    i++;
  }
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
