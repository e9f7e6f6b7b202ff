#include "sentinel.h"

/* MessagePack's first bytes: https://github.com/msgpack/msgpack/blob/master/spec.md */
enum {
  FIXMAP = 0x80, FIXARRAY = 0x90, FIXSTR = 0xa0, NIL = 0xc0, FALSE_ = 0xc2, TRUE_ = 0xc3, BIN8 = 0xc4, BIN16 = 0xc5,
  BIN32 = 0xc6, FLOAT32 = 0xca, FLOAT64 = 0xcb, UINT8 = 0xcc, UINT64 = 0xcf, INT8 = 0xd0, INT64 = 0xd3, STR8 = 0xd9,
  STR32 = 0xdb, ARRAY16 = 0xdc, ARRAY32 = 0xdd, MAP16 = 0xde, MAP32 = 0xdf, NEGATIVE = 0xe0,
};

sentinel_reader sentinel_reader_over(const void *data, size_t size) {
  const uint8_t *at = data;
  return (sentinel_reader){at, at + size, false};
}

static uint64_t fail(sentinel_reader *reader) {
  reader->failed = true;
  reader->at = reader->end;
  return 0;
}

/* The first byte of the next value; with nothing left that of no value. */
static uint8_t head(const sentinel_reader *reader) {
  return reader->at < reader->end ? *reader->at : 0xc1;
}

/* A big-endian number behind the first byte. */
static uint64_t number(sentinel_reader *reader, size_t width) {
  if ((size_t)(reader->end - reader->at) < 1 + width) return fail(reader);
  uint64_t value = 0;
  for (size_t i = 1; i <= width; i++) value = value << 8 | reader->at[i];
  reader->at += 1 + width;
  return value;
}

sentinel_kind sentinel_peek(const sentinel_reader *reader) {
  uint8_t first = head(reader);
  if (first < FIXMAP || first >= NEGATIVE || (first >= UINT8 && first <= INT64)) return SENTINEL_INTEGER;
  if (first < FIXARRAY || first == MAP16 || first == MAP32) return SENTINEL_MAP;
  if (first < FIXSTR || first == ARRAY16 || first == ARRAY32) return SENTINEL_LIST;
  if (first < NIL || (first >= STR8 && first <= STR32)) return SENTINEL_STRING;
  if (first == NIL) return SENTINEL_NIL;
  if (first == FALSE_ || first == TRUE_) return SENTINEL_BOOL;
  if (first >= BIN8 && first <= BIN32) return SENTINEL_BINARY;
  if (first == FLOAT32 || first == FLOAT64) return SENTINEL_FLOAT;
  return SENTINEL_NOTHING;
}

bool sentinel_read_nil(sentinel_reader *reader) {
  if (head(reader) != NIL) return false;
  reader->at++;
  return true;
}

bool sentinel_read_bool(sentinel_reader *reader) {
  uint8_t first = head(reader);
  if (first != FALSE_ && first != TRUE_) return fail(reader);
  reader->at++;
  return first == TRUE_;
}

/* An integer and whether it is below zero; its bits are those of two's complement. */
static uint64_t integer(sentinel_reader *reader, bool *negative) {
  uint8_t first = head(reader);
  *negative = false;
  if (first < FIXMAP) return number(reader, 0), first;
  if (first >= NEGATIVE) {
    *negative = true;
    reader->at++;
    return (uint64_t)(int64_t)(int8_t)first;
  }
  if (first >= UINT8 && first <= UINT64) return number(reader, (size_t)1 << (first - UINT8));
  if (first < INT8 || first > INT64) return fail(reader);
  size_t width = (size_t)1 << (first - INT8);
  uint64_t value = number(reader, width), sign = (uint64_t)1 << (8 * width - 1);
  *negative = (value & sign) != 0;
  return *negative ? value | ~(sign - 1) : value;
}

uint64_t sentinel_read_unsigned(sentinel_reader *reader) {
  bool negative;
  uint64_t value = integer(reader, &negative);
  return negative ? fail(reader) : value;
}

int64_t sentinel_read_integer(sentinel_reader *reader) {
  bool negative;
  uint64_t value = integer(reader, &negative);
  return !negative && value > INT64_MAX ? (int64_t)fail(reader) : (int64_t)value;
}

double sentinel_read_float(sentinel_reader *reader) {
  uint8_t first = head(reader);
  if (first == FLOAT64) {
    union { uint64_t bits; double value; } wide = {number(reader, 8)};
    return wide.value;
  }
  if (first == FLOAT32) {
    union { uint32_t bits; float value; } narrow = {(uint32_t)number(reader, 4)};
    return narrow.value;
  }
  return (double)fail(reader);
}

/* Bytes whose length has been read. */
static sentinel_bytes body(sentinel_reader *reader, uint64_t size) {
  if (reader->failed || size > (uint64_t)(reader->end - reader->at)) return fail(reader), (sentinel_bytes){NULL, 0};
  sentinel_bytes found = {(const char *)reader->at, (size_t)size};
  reader->at += size;
  return found;
}

sentinel_bytes sentinel_read_string(sentinel_reader *reader) {
  uint8_t first = head(reader);
  if ((first & 0xe0) == FIXSTR) return reader->at++, body(reader, first & 31);
  if (first >= STR8 && first <= STR32) return body(reader, number(reader, (size_t)1 << (first - STR8)));
  return fail(reader), (sentinel_bytes){NULL, 0};
}

sentinel_bytes sentinel_read_optional_string(sentinel_reader *reader) {
  return sentinel_read_nil(reader) ? (sentinel_bytes){NULL, 0} : sentinel_read_string(reader);
}

sentinel_bytes sentinel_read_binary(sentinel_reader *reader) {
  uint8_t first = head(reader);
  if (first >= BIN8 && first <= BIN32) return body(reader, number(reader, (size_t)1 << (first - BIN8)));
  return fail(reader), (sentinel_bytes){NULL, 0};
}

/* Each value has a byte at least: a count beyond that is a lie that nobody should allocate for. */
static size_t count(sentinel_reader *reader, uint8_t fix, uint8_t wide) {
  uint8_t first = head(reader);
  uint64_t found;
  if ((first & 0xf0) == fix) found = first & 15, reader->at++;
  else if (first == wide || first == wide + 1) found = number(reader, first == wide ? 2 : 4);
  else found = fail(reader);
  return found > (uint64_t)(reader->end - reader->at) ? (size_t)fail(reader) : (size_t)found;
}

size_t sentinel_read_list(sentinel_reader *reader) {
  return count(reader, FIXARRAY, ARRAY16);
}

size_t sentinel_read_map(sentinel_reader *reader) {
  return count(reader, FIXMAP, MAP16);
}

void sentinel_skip(sentinel_reader *reader) {
  /* How many values are to be passed over: nesting costs no stack. */
  for (uint64_t left = 1; left > 0 && !reader->failed; left--) {
    bool negative;
    switch (sentinel_peek(reader)) {
      case SENTINEL_NIL: sentinel_read_nil(reader); break;
      case SENTINEL_BOOL: sentinel_read_bool(reader); break;
      case SENTINEL_INTEGER: integer(reader, &negative); break;
      case SENTINEL_FLOAT: sentinel_read_float(reader); break;
      case SENTINEL_STRING: sentinel_read_string(reader); break;
      case SENTINEL_BINARY: sentinel_read_binary(reader); break;
      case SENTINEL_LIST: left += sentinel_read_list(reader); break;
      case SENTINEL_MAP: left += 2 * (uint64_t)sentinel_read_map(reader); break;
      case SENTINEL_NOTHING: fail(reader); break;
    }
  }
}

static void grow(sentinel_writer *writer, size_t more) {
  size_t capacity = writer->capacity < 128 ? 256 : 2 * writer->capacity;
  while (capacity - writer->size < more) capacity *= 2;
  uint8_t *data = sentinel_allocate(capacity);
  if (writer->size > 0) memcpy(data, writer->data, writer->size);
  writer->data = data;
  writer->capacity = capacity;
}

/* Room for so many bytes more. */
static inline uint8_t *room(sentinel_writer *writer, size_t more) {
  if (writer->capacity - writer->size < more) grow(writer, more);
  return writer->data + writer->size;
}

static inline void put_byte(sentinel_writer *writer, uint8_t byte) {
  *room(writer, 1) = byte;
  writer->size++;
}

static void put(sentinel_writer *writer, uint8_t first, uint64_t value, size_t width) {
  uint8_t *to = room(writer, 1 + width);
  to[0] = first;
  for (size_t i = width; i > 0; i--, value >>= 8) to[i] = (uint8_t)value;
  writer->size += 1 + width;
}

void sentinel_write_raw(sentinel_writer *writer, const void *data, size_t size) {
  if (size == 0) return;
  memcpy(room(writer, size), data, size);
  writer->size += size;
}

void sentinel_write_nil(sentinel_writer *writer) {
  put_byte(writer, NIL);
}

void sentinel_write_bool(sentinel_writer *writer, bool value) {
  put_byte(writer, value ? TRUE_ : FALSE_);
}

void sentinel_write_unsigned(sentinel_writer *writer, uint64_t value) {
  if (value < FIXMAP) put_byte(writer, (uint8_t)value);
  else if (value <= UINT8_MAX) put(writer, UINT8, value, 1);
  else if (value <= UINT16_MAX) put(writer, UINT8 + 1, value, 2);
  else if (value <= UINT32_MAX) put(writer, UINT8 + 2, value, 4);
  else put(writer, UINT64, value, 8);
}

void sentinel_write_integer(sentinel_writer *writer, int64_t value) {
  if (value >= 0) sentinel_write_unsigned(writer, (uint64_t)value);
  else if (value >= -32) put_byte(writer, (uint8_t)value);
  else if (value >= INT8_MIN) put(writer, INT8, (uint64_t)value, 1);
  else if (value >= INT16_MIN) put(writer, INT8 + 1, (uint64_t)value, 2);
  else if (value >= INT32_MIN) put(writer, INT8 + 2, (uint64_t)value, 4);
  else put(writer, INT64, (uint64_t)value, 8);
}

void sentinel_write_float(sentinel_writer *writer, double value) {
  union { double value; uint64_t bits; } wide = {value};
  put(writer, FLOAT64, wide.bits, 8);
}

void sentinel_write_string(sentinel_writer *writer, sentinel_bytes text) {
  if (text.size < 32) put_byte(writer, (uint8_t)(FIXSTR | text.size));
  else if (text.size <= UINT8_MAX) put(writer, STR8, text.size, 1);
  else if (text.size <= UINT16_MAX) put(writer, STR8 + 1, text.size, 2);
  else put(writer, STR32, text.size, 4);
  sentinel_write_raw(writer, text.data, text.size);
}

void sentinel_write_binary(sentinel_writer *writer, sentinel_bytes bytes) {
  if (bytes.size <= UINT8_MAX) put(writer, BIN8, bytes.size, 1);
  else if (bytes.size <= UINT16_MAX) put(writer, BIN16, bytes.size, 2);
  else put(writer, BIN32, bytes.size, 4);
  sentinel_write_raw(writer, bytes.data, bytes.size);
}

static void write_count(sentinel_writer *writer, uint8_t fix, uint8_t wide, size_t count) {
  if (count < 16) put_byte(writer, (uint8_t)(fix | count));
  else if (count <= UINT16_MAX) put(writer, wide, count, 2);
  else put(writer, (uint8_t)(wide + 1), count, 4);
}

void sentinel_write_list(sentinel_writer *writer, size_t count) {
  write_count(writer, FIXARRAY, ARRAY16, count);
}

void sentinel_write_map(sentinel_writer *writer, size_t count) {
  write_count(writer, FIXMAP, MAP16, count);
}
