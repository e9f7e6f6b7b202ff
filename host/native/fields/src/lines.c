#include "lines.h"

PyObject *snt_refuse(const char *what, snt_text text) {
  PyObject *shown = PyBytes_FromStringAndSize((const char *)text.bytes, text.length < 64 ? (Py_ssize_t)text.length : 64);
  if (shown == NULL) return NULL;
  PyErr_Format(PyExc_ValueError, "%s %R", what, shown);
  Py_DECREF(shown);
  return NULL;
}

bool snt_check_field(const snt_field *field) {
  if (!snt_is_token(field->name)) return snt_refuse("malformed header name", field->name) != NULL;
  if (!snt_is_value(field->value)) return snt_refuse("control character in header", field->name) != NULL;
  return true;
}

/* The parts one after the other, the lines, and `end`. No code of Python's runs meanwhile. */
static PyObject *write_behind(const snt_text *parts, size_t count, const snt_fields *opened, snt_text end) {
  snt_writer out;
  snt_begin_writing(&out);
  bool is_good = true;
  for (size_t i = 0; i < count && is_good; i++) is_good = snt_add_text(&out, parts[i]);
  for (Py_ssize_t i = 0; i < opened->count && is_good; i++) {
    snt_field field;
    is_good = snt_read_field(opened, i, &field) && snt_add_line(&out, &field);
  }
  return snt_end_writing(&out, is_good && snt_add_text(&out, end));
}

PyObject *snt_write_lines(snt_text start, const snt_fields *opened, snt_text end) {
  return write_behind(&start, 1, opened, end);
}

PyObject *snt_write_request(snt_text method, snt_text target, snt_text host, const snt_fields *opened, snt_text end) {
  if (!snt_is_token(method)) return snt_refuse("malformed method", method);
  if (!snt_is_target(target)) return snt_refuse("malformed request target", target);
  if (!snt_is_value(host)) return snt_refuse("malformed host", host);
  const snt_text space = {(const uint8_t *)" ", 1}, version = {(const uint8_t *)" HTTP/1.1\r\nhost: ", 17};
  const snt_text parts[] = {method, space, target, version, host};
  return write_behind(parts, sizeof parts / sizeof *parts, opened, end);
}
