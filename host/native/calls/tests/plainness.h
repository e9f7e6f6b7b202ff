/* What holds of an answer that was read as plain, whatever it is; for the tests and for the
 * fuzzer. */
#ifndef SNT_TESTS_PLAINNESS_H
#define SNT_TESTS_PLAINNESS_H

#include <stdlib.h>
#include <string.h>

#include "../../fields/src/field.h"
#include "../src/answer.h"

#define MUST(condition) \
  do {                  \
    if (!(condition)) abort(); \
  } while (0)

static inline bool lies_within(snt_text part, snt_text whole) {
  return part.bytes == NULL || (part.bytes >= whole.bytes && part.bytes + part.length <= whole.bytes + whole.length);
}

static inline void must_hold(snt_text answer, const snt_answer_limits *limits, const snt_plain *plain) {
  size_t size = 0;
  MUST(plain->count <= SNT_PLAIN_EDITS && plain->count <= limits->edits);
  for (size_t i = 0; i < plain->count; i++) {
    const snt_edit *edit = &plain->edits[i];
    MUST(edit->kind <= SNT_REMOVE);
    MUST(lies_within(edit->name, answer) && lies_within(edit->value, answer));
    MUST(snt_is_token(edit->name) && snt_is_value(edit->value));
    size += edit->kind == SNT_REMOVE ? edit->value.length : edit->name.length + edit->value.length;
  }
  MUST(size <= limits->header_bytes);
  MUST(lies_within(plain->context, answer) && plain->context.length <= limits->context_bytes);
  MUST(lies_within(plain->path, answer) && lies_within(plain->query, answer) && lies_within(plain->method, answer));
  MUST(plain->path.bytes == NULL || plain->path.bytes[0] == '/');
  MUST(plain->method.bytes == NULL || snt_is_token(plain->method));
  MUST(plain->status == 0 || (plain->status >= 200 && plain->status <= 599));
}

/* Reads an answer as each kind, in memory of exactly its size, so that the address sanitizer sees
 * a byte beyond it. */
static inline void read_each(const uint8_t *bytes, size_t length, const snt_answer_limits *limits) {
  uint8_t *copy = malloc(length);
  snt_text answer = {copy, length};
  snt_plain plain;
  if (length > 0) memcpy(copy, bytes, length);
  if (snt_read_request_answer(answer, limits, &plain)) {
    must_hold(answer, limits, &plain);
    MUST(plain.status == 0);
  }
  if (snt_read_response_answer(answer, limits, &plain)) {
    must_hold(answer, limits, &plain);
    MUST(plain.context.bytes == NULL && plain.path.bytes == NULL && plain.query.bytes == NULL &&
         plain.method.bytes == NULL);
  }
  snt_text chunk;
  if (snt_read_chunk_answer(answer, &chunk)) MUST(chunk.bytes + chunk.length == copy + length && lies_within(chunk, answer));
  free(copy);
}

#endif
