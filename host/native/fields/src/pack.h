/* MessagePack in its shortest form, as the records of wit/ABI.md section 3 are made of it.
 *
 * Rule 1: nothing here knows Python, allocates, or reads beyond the lengths that it is given.
 *         Counts and lengths are below 2^32.
 * Rule 2: a `put` function writes exactly as many bytes as its `size` function says, and returns
 *         where they end.
 * Rule 3: all of it is compiled into its callers. A record has some fifty of these values, most of
 *         them shorter than what calling a function takes.
 */
#ifndef SNT_PACK_H
#define SNT_PACK_H

#include <string.h>

#include "field.h"

/* The most that a value takes beside its bytes. */
#define SNT_PACK_HEAD 9

/* The first and the last `size` bytes of a text that has no more than both. */
#define SNT_PUT_ENDS(out, text, size)                                                \
  do {                                                                               \
    uint8_t first[size], last[size];                                                 \
    memcpy(first, (text).bytes, size);                                               \
    memcpy(last, (text).bytes + (text).length - (size), size);                       \
    memcpy(out, first, size);                                                        \
    memcpy((out) + (text).length - (size), last, size);                              \
  } while (0)

static inline uint8_t *snt_put_text(uint8_t *out, snt_text text) {
  if (text.length > 16) memcpy(out, text.bytes, text.length);
  else if (text.length >= 8) SNT_PUT_ENDS(out, text, 8);
  else if (text.length >= 4) SNT_PUT_ENDS(out, text, 4);
  else
    for (size_t i = 0; i < text.length; i++) out[i] = text.bytes[i];
  return out + text.length;
}

/* A length or a number stands in the type's own byte, or in one, two, four or eight bytes behind
 * it. */
static inline uint8_t *snt_put_head(uint8_t *out, uint8_t type, uint64_t number, size_t size) {
  *out++ = type;
  while (size > 0) *out++ = (uint8_t)(number >> (8 * --size));
  return out;
}

static inline size_t snt_bytes_of(uint64_t number) {
  return number < UINT64_C(1) << 8 ? 1 : number < UINT64_C(1) << 16 ? 2 : number < UINT64_C(1) << 32 ? 4 : 8;
}

static inline size_t snt_array_size(size_t count) { return count < 16 ? 1 : count < 1u << 16 ? 3 : 5; }

static inline uint8_t *snt_put_array(uint8_t *out, size_t count) {
  if (count < 16) return snt_put_head(out, (uint8_t)(0x90 | count), 0, 0);
  size_t size = snt_array_size(count) - 1;
  return snt_put_head(out, size == 2 ? 0xdc : 0xdd, count, size);
}

static inline size_t snt_str_size(size_t length) { return 1 + (length < 32 ? 0 : snt_bytes_of(length)) + length; }

static inline uint8_t *snt_put_str(uint8_t *out, snt_text text) {
  if (text.length < 32) return snt_put_text(snt_put_head(out, (uint8_t)(0xa0 | text.length), 0, 0), text);
  size_t size = snt_bytes_of(text.length);
  uint8_t type = size == 1 ? 0xd9 : size == 2 ? 0xda : 0xdb;
  return snt_put_text(snt_put_head(out, type, text.length, size), text);
}

static inline size_t snt_bin_size(size_t length) { return 1 + snt_bytes_of(length) + length; }

static inline uint8_t *snt_put_bin(uint8_t *out, snt_text text) {
  if (text.length < 1u << 8) return snt_put_text(snt_put_head(out, 0xc4, text.length, 1), text);
  size_t size = snt_bytes_of(text.length);
  return snt_put_text(snt_put_head(out, size == 2 ? 0xc5 : 0xc6, text.length, size), text);
}

static inline size_t snt_number_size(uint64_t number) { return number < 0x80 ? 1 : 1 + snt_bytes_of(number); }

static inline uint8_t *snt_put_number(uint8_t *out, uint64_t number) {
  if (number < 0x80) return snt_put_head(out, (uint8_t)number, 0, 0);
  size_t size = snt_bytes_of(number);
  return snt_put_head(out, size == 1 ? 0xcc : size == 2 ? 0xcd : size == 4 ? 0xce : 0xcf, number, size);
}

static inline uint8_t *snt_put_nil(uint8_t *out) { return snt_put_head(out, 0xc0, 0, 0); }

/* The `header` record: an array of the name as str and the value as bin. */
static inline size_t snt_packed_size(const snt_field *field) {
  return snt_array_size(2) + snt_str_size(field->name.length) + snt_bin_size(field->value.length);
}

static inline uint8_t *snt_put_packed(uint8_t *out, const snt_field *field) {
  return snt_put_bin(snt_put_str(snt_put_array(out, 2), field->name), field->value);
}

#endif
