/* Bytes that are written from the front to the back, whatever room they turn out to need.
 *
 * Rule: nearly all fit into the writer itself, which is on the stack. Only others need a block of
 *       their own.
 */
#ifndef SNT_WRITER_H
#define SNT_WRITER_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

#define SNT_WRITER_ROOM 2048

typedef struct {
  uint8_t room[SNT_WRITER_ROOM];
  uint8_t *block, *start, *at, *end;
} snt_writer;

static inline void snt_begin_writing(snt_writer *out) {
  out->block = NULL;
  out->start = out->at = out->room;
  out->end = out->room + SNT_WRITER_ROOM;
}

/* Make room for more than is left; false with an error. */
bool snt_grow(snt_writer *out, size_t size);

/* Make room for so many bytes; false with an error. */
static inline bool snt_has_room(snt_writer *out, size_t size) {
  return (size_t)(out->end - out->at) >= size || snt_grow(out, size);
}

/* What was written as bytes if `is_good`; NULL with an error otherwise. Nothing is kept. */
PyObject *snt_end_writing(snt_writer *out, bool is_good);

#endif
