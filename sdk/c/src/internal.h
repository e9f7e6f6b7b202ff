/* What the SDK's files share with each other and with what stands in for the host in native
 * tests. */
#ifndef SENTINEL_INTERNAL_H
#define SENTINEL_INTERNAL_H

#include "sentinel.h"

/* So many bytes, aligned to 16, that nothing else uses; NULL if there are none. */
void *sentinel_more_memory(size_t size);
_Noreturn void sentinel_out_of_memory(void);
/* Ends the call. */
_Noreturn void sentinel_trap(void);

/* The first allocation or hook after a call's end begins the next one. */
void sentinel_begin_call(void);
void sentinel_end_call(void);
/* Never forget what was allocated so far. */
void sentinel_keep_all(void);

/* What a head consists of, in the forms that nearly every value of it has: up to 31 bytes of text,
 * 255 of binary, 15 items. They are read in place; others take the reader's functions. As the reader
 * itself is handed to nobody here, compilers keep it in registers. */
static inline sentinel_bytes sentinel_next_string(sentinel_reader *reader) {
  const uint8_t *at = reader->at;
  ptrdiff_t left = reader->end - at;
  if (left > 0 && (*at & 0xe0) == 0xa0 && (*at & 31) < left) {
    reader->at = at + 1 + (*at & 31);
    return (sentinel_bytes){(const char *)at + 1, *at & 31};
  }
  sentinel_reader other = *reader;
  sentinel_bytes found = sentinel_read_string(&other);
  *reader = other;
  return found;
}

static inline sentinel_bytes sentinel_next_optional_string(sentinel_reader *reader) {
  if (reader->at == reader->end || *reader->at != 0xc0) return sentinel_next_string(reader);
  reader->at++;
  return (sentinel_bytes){NULL, 0};
}

static inline sentinel_bytes sentinel_next_binary(sentinel_reader *reader) {
  const uint8_t *at = reader->at;
  ptrdiff_t left = reader->end - at;
  if (left > 1 && *at == 0xc4 && at[1] < left - 1) {
    reader->at = at + 2 + at[1];
    return (sentinel_bytes){(const char *)at + 2, at[1]};
  }
  sentinel_reader other = *reader;
  sentinel_bytes found = sentinel_read_binary(&other);
  *reader = other;
  return found;
}

static inline size_t sentinel_next_list(sentinel_reader *reader) {
  const uint8_t *at = reader->at;
  ptrdiff_t left = reader->end - at;
  if (left > 0 && (*at & 0xf0) == 0x90 && (*at & 15) < left) {
    reader->at = at + 1;
    return *at & 15;
  }
  sentinel_reader other = *reader;
  size_t found = sentinel_read_list(&other);
  *reader = other;
  return found;
}

/* A record's header fields, allocated. */
sentinel_headers sentinel_read_headers(sentinel_reader *reader);
void sentinel_write_response(sentinel_writer *writer, const sentinel_response *response);

sentinel_config *sentinel_open_config(const void *data, size_t size);
/* What is wrong with the bytes themselves, or NULL. */
const char *sentinel_malformed(const sentinel_config *config);

/* Where the host writes what its functions return: the canonical ABI's layout of these types for a
 * 32-bit memory. */
typedef struct sentinel_list_result {
  const char *data;
  size_t size;
} sentinel_list_result;

typedef struct sentinel_get_result {
  uint8_t failed;
  union {
    uint8_t error;
    struct {
      uint8_t is_there;
      sentinel_list_result list;
    } value;
  } as;
} sentinel_get_result;

typedef struct sentinel_set_result {
  uint8_t failed;
  uint8_t error;
} sentinel_set_result;

typedef struct sentinel_delete_result {
  uint8_t failed;
  union {
    uint8_t error;
    uint8_t found;
  } as;
} sentinel_delete_result;

typedef struct sentinel_add_result {
  uint8_t failed;
  union {
    uint8_t error;
    int64_t sum;
  } as;
} sentinel_add_result;

typedef struct sentinel_send_result {
  uint8_t failed;
  union {
    uint8_t error;
    sentinel_list_result list;
  } as;
} sentinel_send_result;

#ifdef __wasm__
#define SENTINEL_IMPORT(interface, name) \
  __attribute__((import_module("sentinel:gateway/" interface "@0.1.0"), import_name(name)))
#else
#define SENTINEL_IMPORT(interface, name)
#endif

SENTINEL_IMPORT("log", "write") void sentinel_import_log(uint32_t level, const char *text, size_t size);
SENTINEL_IMPORT("clock", "wall") uint64_t sentinel_import_wall(void);
SENTINEL_IMPORT("clock", "monotonic") uint64_t sentinel_import_monotonic(void);
SENTINEL_IMPORT("random", "bytes") void sentinel_import_random(uint32_t count, sentinel_list_result *result);
SENTINEL_IMPORT("random", "number") uint64_t sentinel_import_number(void);
SENTINEL_IMPORT("metrics", "add")
void sentinel_import_add(const char *name, size_t size, const sentinel_header *labels, size_t count, uint64_t value);
SENTINEL_IMPORT("metrics", "observe")
void sentinel_import_observe(const char *name, size_t size, const sentinel_header *labels, size_t count, double value);
SENTINEL_IMPORT("metrics", "describe")
void sentinel_import_describe(const char *name, size_t size, uint32_t kind, const char *help, size_t help_size,
                              const char *unit, size_t unit_size, const double *bounds, size_t bound_count);
SENTINEL_IMPORT("kv", "get") void sentinel_import_get(const char *key, size_t size, sentinel_get_result *result);
SENTINEL_IMPORT("kv", "set")
void sentinel_import_set(const char *key, size_t size, const char *value, size_t value_size, uint64_t ttl,
                         sentinel_set_result *result);
SENTINEL_IMPORT("kv", "delete")
void sentinel_import_delete(const char *key, size_t size, sentinel_delete_result *result);
SENTINEL_IMPORT("kv", "add")
void sentinel_import_count(const char *key, size_t size, int64_t delta, uint64_t ttl, sentinel_add_result *result);
SENTINEL_IMPORT("http-client", "send")
void sentinel_import_send(const void *request, size_t size, sentinel_send_result *result);

#endif
