/* The plain answer that a hook gave last: many guests give the same one to every request, or to
 * those of one client. Then nothing is read anew, and the header fields that it sets are there.
 *
 * Rule 1: an answer is the same if all of its bytes are. What a hook's answer means depends on
 *         nothing else.
 * Rule 2: header fields are shared by all heads that get them. They are tuples of bytes, which
 *         nobody can change.
 */
#ifndef SNT_KNOWN_H
#define SNT_KNOWN_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "answer.h"

/* Longer answers are read each time. */
#define SNT_KNOWN_ROOM 256

typedef struct {
  size_t length;
  uint8_t bytes[SNT_KNOWN_ROOM];
  snt_plain plain; /* points into the bytes */
  PyObject *fields[SNT_PLAIN_EDITS]; /* of the edits that set or append, once they were asked for */
} snt_known;

typedef bool snt_answer_reader(snt_text answer, const snt_answer_limits *limits, snt_plain *plain);

/* What `answer` says, or NULL where it is not plain; it stays so until the next answer is read.
 * `*known` is made when it is first needed, and is left alone where there is no memory. Where the
 * answer does not fit, `own` takes what is read. */
const snt_plain *snt_understand(snt_known **known, snt_text answer, snt_answer_reader *read,
                                const snt_answer_limits *limits, snt_plain *own);

/* The header field of an edit, which sets or appends it, of what `snt_understand` returned: a new
 * reference, or NULL with an exception. */
PyObject *snt_field_of(snt_known *known, const snt_plain *plain, size_t index);

void snt_known_free(snt_known *known);

#endif
