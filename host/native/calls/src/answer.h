/* A guest's answer where it is plain: edits of a head that C applies by itself, or bytes in a chunk's
 * place.
 *
 * Rule 1: what is not plain is not wrong. It is left to Python's decoder, which is the
 *         specification: whatever is plain here, that takes too, and understands in the same way
 *         (host/sentinel_host/abi/decode.py and rules.py).
 * Rule 2: nothing is read beyond the answer, nothing is allocated, and what is found points into
 *         the answer.
 */
#ifndef SNT_ANSWER_H
#define SNT_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../src/text.h"

/* More edits than this in one answer are not plain. */
#define SNT_PLAIN_EDITS 32

/* As in `header-edit`. */
enum { SNT_SET = 0, SNT_APPEND = 1, SNT_REMOVE = 2 };

typedef struct {
  uint8_t kind;
  snt_text name, value; /* the value of a removal is empty */
} snt_edit;

/* What one answer may hold, as in `AnswerLimits`. */
typedef struct {
  size_t edits, header_bytes, context_bytes;
} snt_answer_limits;

/* A text without bytes' address is none: nothing changes there. */
typedef struct {
  size_t count;
  snt_edit edits[SNT_PLAIN_EDITS];
  snt_text context, path, query, method;
  uint16_t status; /* 0 is none */
} snt_plain;

/* Whether the answer of `on-request`, or of `on-response`, is plain, and what it says. */
bool snt_read_request_answer(snt_text answer, const snt_answer_limits *limits, snt_plain *plain);
bool snt_read_response_answer(snt_text answer, const snt_answer_limits *limits, snt_plain *plain);

/* Whether the answer to a chunk is bytes in its place, and which. */
bool snt_read_chunk_answer(snt_text answer, snt_text *chunk);

#endif
