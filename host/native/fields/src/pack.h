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
  if (text.length > 32) memcpy(out, text.bytes, text.length);
  else if (text.length > 16) SNT_PUT_ENDS(out, text, 16);
  else if (text.length >= 8) SNT_PUT_ENDS(out, text, 8);
  else if (text.length >= 4) SNT_PUT_ENDS(out, text, 4);
  else if (text.length > 0) {
    /* The first, the second or the last, and the last byte of up to three. */
    uint8_t first = text.bytes[0], middle = text.bytes[text.length / 2], last = text.bytes[text.length - 1];
    out[0] = first;
    out[text.length / 2] = middle;
    out[text.length - 1] = last;
  }
  return out + text.length;
}

/* The lowest `size` bytes of a number, the highest first. */
static inline uint8_t *snt_put_big_endian(uint8_t *out, uint64_t number, size_t size) {
  uint64_t shifted = number << (64 - 8 * size);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  shifted = __builtin_bswap64(shifted);
#endif
  memcpy(out, &shifted, size);
  return out + size;
}

/* A length or a number behind its type, of the first of the types that has room for it: in one,
 * two, four or eight bytes. */
static inline uint8_t *snt_put_head(uint8_t *out, uint8_t type, uint64_t number) {
  if (number < UINT64_C(1) << 8) {
    out[0] = type;
    out[1] = (uint8_t)number;
    return out + 2;
  }
  if (number < UINT64_C(1) << 16) {
    *out = (uint8_t)(type + 1);
    return snt_put_big_endian(out + 1, number, 2);
  }
  if (number < UINT64_C(1) << 32) {
    *out = (uint8_t)(type + 2);
    return snt_put_big_endian(out + 1, number, 4);
  }
  *out = (uint8_t)(type + 3);
  return snt_put_big_endian(out + 1, number, 8);
}

static inline uint8_t *snt_put_byte(uint8_t *out, uint8_t byte) {
  *out = byte;
  return out + 1;
}

static inline size_t snt_bytes_of(uint64_t number) {
  return number < UINT64_C(1) << 8 ? 1 : number < UINT64_C(1) << 16 ? 2 : number < UINT64_C(1) << 32 ? 4 : 8;
}

static inline size_t snt_array_size(size_t count) { return count < 16 ? 1 : count < 1u << 16 ? 3 : 5; }

static inline uint8_t *snt_put_array(uint8_t *out, size_t count) {
  if (count < 16) return snt_put_byte(out, (uint8_t)(0x90 | count));
  if (count < 1u << 16) return snt_put_big_endian(snt_put_byte(out, 0xdc), count, 2);
  return snt_put_big_endian(snt_put_byte(out, 0xdd), count, 4);
}

static inline size_t snt_str_size(size_t length) { return 1 + (length < 32 ? 0 : snt_bytes_of(length)) + length; }

static inline uint8_t *snt_put_str(uint8_t *out, snt_text text) {
  if (text.length < 32) return snt_put_text(snt_put_byte(out, (uint8_t)(0xa0 | text.length)), text);
  return snt_put_text(snt_put_head(out, 0xd9, text.length), text);
}

static inline size_t snt_bin_size(size_t length) { return 1 + snt_bytes_of(length) + length; }

static inline uint8_t *snt_put_bin(uint8_t *out, snt_text text) {
  return snt_put_text(snt_put_head(out, 0xc4, text.length), text);
}

static inline size_t snt_number_size(uint64_t number) { return number < 0x80 ? 1 : 1 + snt_bytes_of(number); }

static inline uint8_t *snt_put_number(uint8_t *out, uint64_t number) {
  return number < 0x80 ? snt_put_byte(out, (uint8_t)number) : snt_put_head(out, 0xcc, number);
}

static inline uint8_t *snt_put_nil(uint8_t *out) { return snt_put_byte(out, 0xc0); }

/* The `header` record: an array of the name as str and the value as bin. */
static inline size_t snt_packed_size(const snt_field *field) {
  return snt_array_size(2) + snt_str_size(field->name.length) + snt_bin_size(field->value.length);
}

static inline uint8_t *snt_put_packed(uint8_t *out, const snt_field *field) {
  return snt_put_bin(snt_put_str(snt_put_array(out, 2), field->name), field->value);
}

#endif
