/* Reading and writing MessagePack, as far as the gateway's contract uses it. Neither side allocates
 * by itself: a reader returns views of what it reads, a writer grows by `sentinel_allocate`. */
#ifndef SENTINEL_MSGPACK_H
#define SENTINEL_MSGPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes, or text in UTF-8, that belong to somebody else. `data` is NULL for what is absent; nothing
 * ends in NUL. */
typedef struct sentinel_bytes {
  const char *data;
  size_t size;
} sentinel_bytes;

/* What a value is. */
typedef enum sentinel_kind {
  SENTINEL_NIL,
  SENTINEL_BOOL,
  SENTINEL_INTEGER,
  SENTINEL_FLOAT,
  SENTINEL_STRING,
  SENTINEL_BINARY,
  SENTINEL_LIST,
  SENTINEL_MAP,
  /* An extension type, a byte that begins no value, or the end of the bytes. */
  SENTINEL_NOTHING,
} sentinel_kind;

/* Reads value after value. What does not fit sets `failed`, which stays; every later call then
 * returns 0 or nothing. */
typedef struct sentinel_reader {
  const uint8_t *at;
  const uint8_t *end;
  bool failed;
} sentinel_reader;

sentinel_reader sentinel_reader_over(const void *data, size_t size);
/* What the next value is, without reading it. */
sentinel_kind sentinel_peek(const sentinel_reader *reader);
/* Reads nil if that is next; tells whether it was. */
bool sentinel_read_nil(sentinel_reader *reader);
bool sentinel_read_bool(sentinel_reader *reader);
/* Any integer of 0 to 2^64 - 1. */
uint64_t sentinel_read_unsigned(sentinel_reader *reader);
/* Any integer of -2^63 to 2^63 - 1. */
int64_t sentinel_read_integer(sentinel_reader *reader);
double sentinel_read_float(sentinel_reader *reader);
/* The bytes of a str. Whether they are UTF-8 is not checked: the host sends nothing else but in
 * configurations. */
sentinel_bytes sentinel_read_string(sentinel_reader *reader);
/* As above, or absent for nil. */
sentinel_bytes sentinel_read_optional_string(sentinel_reader *reader);
sentinel_bytes sentinel_read_binary(sentinel_reader *reader);
/* How many values follow; never more than there are bytes left. */
size_t sentinel_read_list(sentinel_reader *reader);
/* How many keys and values follow. */
size_t sentinel_read_map(sentinel_reader *reader);
/* Passes over a value, whatever is in it. */
void sentinel_skip(sentinel_reader *reader);

/* Collects bytes. It begins as all zeros; `data` is valid until the hook ends. */
typedef struct sentinel_writer {
  uint8_t *data;
  size_t size;
  size_t capacity;
} sentinel_writer;

void sentinel_write_nil(sentinel_writer *writer);
void sentinel_write_bool(sentinel_writer *writer, bool value);
void sentinel_write_unsigned(sentinel_writer *writer, uint64_t value);
void sentinel_write_integer(sentinel_writer *writer, int64_t value);
void sentinel_write_float(sentinel_writer *writer, double value);
void sentinel_write_string(sentinel_writer *writer, sentinel_bytes text);
void sentinel_write_binary(sentinel_writer *writer, sentinel_bytes bytes);
/* The head of a list: so many values have to follow. */
void sentinel_write_list(sentinel_writer *writer, size_t count);
/* The head of a map: so many keys, each with its value, have to follow. */
void sentinel_write_map(sentinel_writer *writer, size_t count);
/* Bytes as they are, such as values that are encoded already. */
void sentinel_write_raw(sentinel_writer *writer, const void *data, size_t size);

#ifdef __cplusplus
}
#endif

#endif
