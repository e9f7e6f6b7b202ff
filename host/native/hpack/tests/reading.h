/* Reads any bytes as a header block, in buffers to the byte, so that the address sanitizer sees every
 * read and write beyond them. */
#ifndef SNT_TESTS_READING_H
#define SNT_TESTS_READING_H

#include <stdlib.h>
#include <string.h>

#include "../../tests/harness.h"
#include "../src/block.h"
#include "../src/huffman.h"

static inline snt_text copy_of(const uint8_t *bytes, size_t length) {
  uint8_t *copy = malloc(length);
  if (length > 0) memcpy(copy, bytes, length);
  return (snt_text){copy, length};
}

static inline void forget(snt_text text) { free((void *)(uintptr_t)text.bytes); }

/* The string decoded, or a copy; without bytes when it is malformed. */
static inline snt_text decoded(snt_string string) {
  if (!string.is_coded) return copy_of(string.text.bytes, string.text.length);
  snt_text coded = copy_of(string.text.bytes, string.text.length);
  uint8_t *out = malloc(coded.length / 5 * 8 + coded.length % 5 * 8 / 5 + 1);
  size_t length = 0;
  if (!snt_huffman_decode(coded, out, &length)) length = 0;
  CHECK(length <= coded.length * 8 / 5 && length <= SNT_HUFFMAN_MAX(coded.length));
  forget(coded);
  return (snt_text){out, length};
}

static inline bool same(snt_text one, snt_text other) {
  return one.length == other.length && (one.length == 0 || memcmp(one.bytes, other.bytes, one.length) == 0);
}

/* What we write of a field is within its bound, and reads as the same. */
static inline void check_written(snt_text name, snt_text value) {
  size_t most = SNT_LITERAL_MAX(name.length, value.length);
  uint8_t *bytes = malloc(most);
  size_t length = (size_t)(snt_put_literal(bytes, name, value) - bytes);
  CHECK(length <= most);
  snt_text whole = copy_of(bytes, length), block = whole;
  snt_representation read;
  CHECK(snt_next_representation(&block, &read) == SNT_READ && block.length == 0);
  CHECK(read.kind == SNT_LITERAL && read.index <= SNT_STATIC_COUNT);
  CHECK(read.index != 0 || (same(read.name.text, name) && !read.name.is_coded));
  CHECK(same(read.value.text, value) && !read.value.is_coded);
  forget(whole);
  free(bytes);
}

/* How many representations the bytes begin with. */
static inline int read_block(const uint8_t *data, size_t size) {
  snt_text whole = copy_of(data, size), block = whole;
  int count = 0;
  snt_representation read;
  while (block.length > 0) {
    const uint8_t *before = block.bytes;
    if (snt_next_representation(&block, &read) != SNT_READ) break;
    CHECK(block.bytes > before && block.bytes + block.length == whole.bytes + whole.length);
    count++;
    if (read.kind == SNT_INDEXED || read.kind == SNT_TABLE_SIZE) continue;
    snt_text name = read.index == 0 ? decoded(read.name) : copy_of((const uint8_t *)"date", 4);
    snt_text value = decoded(read.value);
    check_written(name, value);
    forget(name);
    forget(value);
  }
  forget(whole);
  return count;
}

#endif
