/* The shared vectors on the conformance guest, natively: run.py writes them to a file, one after
 * another. */
#include <stdio.h>
#include <stdlib.h>

#include "../src/internal.h"
#include "sentinel_test.h"

sentinel_outcome_area *sentinel_exported_configure(const void *config, size_t size);
sentinel_area *sentinel_exported_on_request(const void *head, size_t size);
sentinel_area *sentinel_exported_on_response(const void *head, size_t size, const void *context, size_t context_size);
void sentinel_exported_on_complete(const void *summary, size_t size, const void *context, size_t context_size);
sentinel_area *sentinel_exported_on_request_chunk(const void *chunk, size_t size, int last, const void *context,
                                                  size_t context_size);
sentinel_area *sentinel_exported_on_response_chunk(const void *chunk, size_t size, int last, const void *context,
                                                   size_t context_size);

static unsigned failures, checks;

static void expect(bool holds, sentinel_bytes name) {
  checks++;
  if (holds) return;
  failures++;
  fprintf(stderr, "not as expected: %.*s\n", (int)name.size, name.data);
}

/* An exact copy, so that the sanitizer sees each byte that is read beyond it. */
static void *exact(sentinel_bytes bytes) {
  void *copy = malloc(bytes.size > 0 ? bytes.size : 1);
  memcpy(copy, bytes.data, bytes.size);
  return copy;
}

static sentinel_bytes call(sentinel_bytes hook, sentinel_bytes record, sentinel_bytes context) {
  void *data = exact(record), *more = exact(context);
  sentinel_area *area = NULL;
  if (sentinel_is(hook, "on-request")) area = sentinel_exported_on_request(data, record.size);
  else if (sentinel_is(hook, "on-response")) area = sentinel_exported_on_response(data, record.size, more, context.size);
  else if (sentinel_is(hook, "on-complete")) sentinel_exported_on_complete(data, record.size, more, context.size);
  else if (sentinel_is(hook, "on-request-chunk")) area = sentinel_exported_on_request_chunk(data, record.size, 1, "", 0);
  else area = sentinel_exported_on_response_chunk(data, record.size, 1, "", 0);
  sentinel_bytes answer = area == NULL ? sentinel_test_line(sentinel_test_lines() - 1)
                                       : (sentinel_bytes){area->data, area->size};
  free(data), free(more);
  return answer;
}

/* Whether `part` is at the end of `whole`. */
static bool ends_with(sentinel_bytes whole, sentinel_bytes part) {
  return whole.size >= part.size && sentinel_equal((sentinel_bytes){whole.data + whole.size - part.size, part.size}, part);
}

static void run_vector(sentinel_reader *file) {
  sentinel_bytes name = sentinel_read_string(file), hook = sentinel_read_string(file);
  sentinel_bytes config = sentinel_read_binary(file), record = sentinel_read_binary(file);
  sentinel_bytes context = sentinel_read_binary(file), expected = sentinel_read_binary(file);
  bool is_end = sentinel_read_bool(file);
  sentinel_test_reset();
  expect(!sentinel_exported_configure(config.data, config.size)->refused, name);
  sentinel_bytes answer = call(hook, record, context);
  expect(is_end ? ends_with(answer, expected) : sentinel_equal(answer, expected), name);
}

/* Reads all of it by what each value says to be; true if that is whole. */
static bool walk(sentinel_bytes bytes) {
  void *data = exact(bytes);
  sentinel_reader reader = sentinel_reader_over(data, bytes.size);
  sentinel_skip(&reader);
  bool is_whole = !reader.failed && reader.at == reader.end;
  for (sentinel_kind kind = SENTINEL_NIL; kind <= SENTINEL_NOTHING; kind++) {
    sentinel_reader typed = sentinel_reader_over(data, bytes.size);
    bool fits = sentinel_peek(&typed) == kind;
    switch (kind) {
      case SENTINEL_NIL: sentinel_read_nil(&typed); break;
      case SENTINEL_BOOL: sentinel_read_bool(&typed); break;
      case SENTINEL_INTEGER: sentinel_read_integer(&typed); break;
      case SENTINEL_FLOAT: sentinel_read_float(&typed); break;
      case SENTINEL_STRING: sentinel_read_string(&typed); break;
      case SENTINEL_BINARY: sentinel_read_binary(&typed); break;
      case SENTINEL_LIST: sentinel_read_list(&typed); break;
      case SENTINEL_MAP: sentinel_read_map(&typed); break;
      case SENTINEL_NOTHING: sentinel_skip(&typed); fits = true; break;
    }
    expect(fits || typed.failed || kind == SENTINEL_NIL, SENTINEL_TEXT("a value read as another type"));
  }
  free(data);
  return is_whole;
}

/* Every beginning of a record, and the record with each byte changed: nothing is read beyond, and a
 * beginning is none. */
static void walk_hostile(sentinel_bytes bytes, bool is_whole) {
  expect(walk(bytes) == is_whole, SENTINEL_TEXT("a hostile answer's wholeness"));
  for (size_t size = 0; size < bytes.size && size < 400; size++) {
    bool found = walk((sentinel_bytes){bytes.data, size});
    expect(!is_whole || !found, SENTINEL_TEXT("the beginning of a record is no record"));
  }
  char *changed = exact(bytes);
  for (size_t at = 0; at < bytes.size && at < 200; at++) {
    for (int value = 0; value < 256; value += 3) {
      changed[at] = (char)value;
      walk((sentinel_bytes){changed, bytes.size});
    }
    changed[at] = bytes.data[at];
  }
  free(changed);
}

int main(int count, char **arguments) {
  FILE *stream = count == 2 ? fopen(arguments[1], "rb") : NULL;
  if (stream == NULL) return 2;
  static char data[1 << 20];
  size_t size = fread(data, 1, sizeof data, stream);
  fclose(stream);
  sentinel_reader file = sentinel_reader_over(data, size);
  size_t vectors = sentinel_read_list(&file);
  for (size_t i = 0; i < vectors; i++) run_vector(&file);
  size_t hostile = sentinel_read_list(&file);
  for (size_t i = 0; i < hostile; i++) {
    sentinel_bytes bytes = sentinel_read_binary(&file);
    walk_hostile(bytes, sentinel_read_bool(&file));
  }
  expect(!file.failed && file.at == file.end, SENTINEL_TEXT("the file of vectors is read to its end"));
  printf("%zu vectors, %zu hostile answers: %u checks, %u failures\n", vectors, hostile, checks, failures);
  return failures > 0 || vectors == 0 || hostile == 0;
}
