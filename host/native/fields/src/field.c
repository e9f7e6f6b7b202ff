#include "field.h"

#include <string.h>

#include "pack.h"

/* One bit for each byte: letters, digits and -!#$%&'*+.^_`|~ */
static const uint64_t TOKEN_BYTES[4] = {0x03ff6cfa00000000, 0x57ffffffc7fffffe, 0, 0};

/* The same without the capitals. */
static const uint64_t LOWER_TOKEN_BYTES[4] = {0x03ff6cfa00000000, 0x57ffffffc0000000, 0, 0};

/* Letters, digits, and -!$&'()*+,./:;=@[]^_{|}~ */
static const uint64_t PATH_BYTES[4] = {0x2fffffd200000000, 0x7ffffffeefffffff, 0, 0};

static const uint64_t ONES = 0x0101010101010101u, HIGH = 0x8080808080808080u;

static bool is_one_of(const uint64_t set[4], uint8_t byte) { return set[byte >> 6] >> (byte & 63) & 1; }

static bool are_all_of(const uint64_t set[4], snt_text text) {
  for (size_t i = 0; i < text.length; i++)
    if (!is_one_of(set, text.bytes[i])) return false;
  return true;
}

static uint64_t eight_of(const uint8_t *bytes) {
  uint64_t word;
  memcpy(&word, bytes, sizeof word);
  return word;
}

/* Four to seven bytes as eight: those in the middle stand twice. */
static uint64_t few_of(snt_text text) {
  uint32_t first, last;
  memcpy(&first, text.bytes, sizeof first);
  memcpy(&last, text.bytes + text.length - sizeof last, sizeof last);
  return (uint64_t)last << 32 | first;
}

/* Whether eight bytes are small letters or hyphens. Of bytes below 0x80, the sum with what is
 * missing has the high bit if the byte is large enough; it goes over to no other byte. */
static bool are_usual(uint64_t word) {
  uint64_t from_a = word + ONES * (0x80 - 'a'), beyond_z = word + ONES * (0x7f - 'z');
  uint64_t no_hyphen = (word ^ ONES * '-') + ONES * 0x7f;
  return ((((~from_a | beyond_z) & no_hyphen) | word) & HIGH) == 0;
}

/* Nearly all names are nothing else. */
static bool is_usual_name(snt_text text) {
  if (text.length < 4) return false;
  if (text.length < 8) return are_usual(few_of(text));
  for (size_t i = 8; i < text.length; i += 8)
    if (!are_usual(eight_of(text.bytes + i - 8))) return false;
  return are_usual(eight_of(text.bytes + text.length - 8));
}

bool snt_is_token(snt_text text) {
  return is_usual_name(text) || (text.length > 0 && are_all_of(TOKEN_BYTES, text));
}

bool snt_is_lower_token(snt_text text) {
  return is_usual_name(text) || (text.length > 0 && are_all_of(LOWER_TOKEN_BYTES, text));
}

static bool is_value_byte(uint8_t byte) { return (byte >= ' ' && byte != 0x7f) || byte == '\t'; }

/* A bit in each of eight bytes that is below a space, or is 0x7f: the high bit tells of a borrow
 * from it, and a byte that has one anyway does not count. Only the lowest is certain, for a borrow
 * reaches the next byte too. */
static uint64_t controls_in(uint64_t word) {
  uint64_t deletes = word ^ (ONES * 0x7f);
  return (((word - ONES * ' ') & ~word) | ((deletes - ONES) & ~deletes)) & HIGH;
}

/* The same, with the first byte lowest. */
static uint64_t controls_of(const uint8_t *bytes) {
  uint64_t word = eight_of(bytes);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  word = __builtin_bswap64(word);
#endif
  return controls_in(word);
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

/* Whether no byte is a control character, not even a tab, by a look at eight of them at a time. */
static bool is_usual_value(snt_text text) {
  if (text.length < 4) return false;
  if (text.length < 8) return controls_in(few_of(text)) == 0;
  for (size_t i = 8; i < text.length; i += 8)
    if (controls_in(eight_of(text.bytes + i - 8)) != 0) return false;
  return controls_in(eight_of(text.bytes + text.length - 8)) == 0;
}

bool snt_is_value(snt_text text) { return is_usual_value(text) || snt_value_length(text) == text.length; }

bool snt_is_target(snt_text text) {
  for (size_t i = 0; i < text.length; i++)
    if (text.bytes[i] <= ' ' || text.bytes[i] == 0x7f) return false;
  return text.length > 0;
}

bool snt_is_plain_path(snt_text text) {
  if (text.length == 0 || text.bytes[0] != '/') return false;
  for (size_t i = 1; i < text.length; i++) {
    uint8_t byte = text.bytes[i];
    if (!is_one_of(PATH_BYTES, byte)) return false;
    if ((byte == '/' || byte == '.') && text.bytes[i - 1] == '/') return false;
  }
  return true;
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
