/* Header fields as lines of an HTTP/1 head, checked before any is written.
 *
 * What is read stays as it is meanwhile: no code of Python's runs between the checks and the
 * writing.
 */
#ifndef SNT_LINES_H
#define SNT_LINES_H

#include "record.h"

/* Raises ValueError that shows the begin of a text; returns NULL. */
PyObject *snt_refuse(const char *what, snt_text text);

/* Whether a field may be written: false with an error for a name that is no token, or a value with
 * a control character. */
bool snt_check_field(const snt_field *field);

/* `start`, a line for each field with CR LF before it, and `end`; NULL with an error. */
PyObject *snt_write_lines(snt_text start, const snt_fields *opened, snt_text end);

/* A request line in origin-form, its host field, and the rest as above. */
PyObject *snt_write_request(snt_text method, snt_text target, snt_text host, const snt_fields *opened, snt_text end);

#endif
