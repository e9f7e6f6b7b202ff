#include "field.h"

#include <string.h>

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

bool snt_is_value(snt_text text) {
  size_t i = 0;
  for (; i + 8 <= text.length; i += 8)
    if (may_hold_control(text.bytes + i))
      for (size_t j = i; j < i + 8; j++)
        if (!is_value_byte(text.bytes[j])) return false;
  for (; i < text.length; i++)
    if (!is_value_byte(text.bytes[i])) return false;
  return true;
}

bool snt_is_target(snt_text text) {
  for (size_t i = 0; i < text.length; i++)
    if (text.bytes[i] <= ' ' || text.bytes[i] == 0x7f) return false;
  return text.length > 0;
}

uint8_t *snt_put_text(uint8_t *out, snt_text text) {
  if (text.length > 0) memcpy(out, text.bytes, text.length);
  return out + text.length;
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

/* MessagePack tells a length in the type's own byte, or in one, two, four or eight bytes behind
 * it. */
static uint8_t *put_head(uint8_t *out, uint8_t type, uint64_t number, size_t size) {
  *out++ = type;
  while (size > 0) *out++ = (uint8_t)(number >> (8 * --size));
  return out;
}

static size_t bytes_of(uint64_t number) {
  return number < UINT64_C(1) << 8 ? 1 : number < UINT64_C(1) << 16 ? 2 : number < UINT64_C(1) << 32 ? 4 : 8;
}

size_t snt_array_size(size_t count) { return count < 16 ? 1 : count < 1u << 16 ? 3 : 5; }

uint8_t *snt_put_array(uint8_t *out, size_t count) {
  size_t size = snt_array_size(count) - 1;
  uint8_t type = size == 0 ? (uint8_t)(0x90 | count) : size == 2 ? 0xdc : 0xdd;
  return put_head(out, type, count, size);
}

static size_t str_head(size_t length) { return length < 32 ? 0 : bytes_of(length); }

size_t snt_str_size(size_t length) { return 1 + str_head(length) + length; }

uint8_t *snt_put_str(uint8_t *out, snt_text text) {
  size_t size = str_head(text.length);
  uint8_t type = size == 0 ? (uint8_t)(0xa0 | text.length) : size == 1 ? 0xd9 : size == 2 ? 0xda : 0xdb;
  return snt_put_text(put_head(out, type, text.length, size), text);
}

size_t snt_bin_size(size_t length) { return 1 + bytes_of(length) + length; }

uint8_t *snt_put_bin(uint8_t *out, snt_text text) {
  size_t size = bytes_of(text.length);
  return snt_put_text(put_head(out, size == 1 ? 0xc4 : size == 2 ? 0xc5 : 0xc6, text.length, size), text);
}

size_t snt_number_size(uint64_t number) { return number < 0x80 ? 1 : 1 + bytes_of(number); }

uint8_t *snt_put_number(uint8_t *out, uint64_t number) {
  if (number < 0x80) return put_head(out, (uint8_t)number, 0, 0);
  size_t size = bytes_of(number);
  return put_head(out, size == 1 ? 0xcc : size == 2 ? 0xcd : size == 4 ? 0xce : 0xcf, number, size);
}

uint8_t *snt_put_nil(uint8_t *out) { return put_head(out, 0xc0, 0, 0); }

size_t snt_packed_size(const snt_field *field) {
  return snt_array_size(2) + snt_str_size(field->name.length) + snt_bin_size(field->value.length);
}

uint8_t *snt_put_packed(uint8_t *out, const snt_field *field) {
  return snt_put_bin(snt_put_str(snt_put_array(out, 2), field->name), field->value);
}
