/* Header fields as lines of an HTTP/1 head, checked before they are written. */
#ifndef SNT_LINES_H
#define SNT_LINES_H

#include "pack.h"
#include "record.h"
#include "writer.h"

/* Raises ValueError that shows the begin of a text; returns NULL. */
PyObject *snt_refuse(const char *what, snt_text text);

/* Whether a field may be written: false with an error for a name that is no token, or a value with
 * a control character. */
bool snt_check_field(const snt_field *field);

static inline bool snt_add_text(snt_writer *out, snt_text text) {
  if (!snt_has_room(out, text.length)) return false;
  out->at = snt_put_text(out->at, text);
  return true;
}

/* A checked field's line, with CR LF before it; false with an error. */
static inline bool snt_add_line(snt_writer *out, const snt_field *field) {
  if (!snt_check_field(field) || !snt_has_room(out, snt_line_size(field))) return false;
  out->at = snt_put_line(out->at, field);
  return true;
}

/* `start`, a line for each field with CR LF before it, and `end`; NULL with an error. */
PyObject *snt_write_lines(snt_text start, const snt_fields *opened, snt_text end);

/* A request line in origin-form, its host field, and the rest as above. */
PyObject *snt_write_request(snt_text method, snt_text target, snt_text host, const snt_fields *opened, snt_text end);

#endif
