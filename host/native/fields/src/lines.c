#include "lines.h"

#include "pack.h"

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

/* The size of the lines of all fields, or -1 with an error for what may not be written. */
static Py_ssize_t measure_lines(const snt_fields *opened) {
  size_t size = 0;
  for (Py_ssize_t i = 0; i < opened->count; i++) {
    snt_field field;
    if (!snt_read_field(opened, i, &field) || !snt_check_field(&field)) return -1;
    size += snt_line_size(&field);
  }
  return (Py_ssize_t)size;
}

static uint8_t *put_lines(uint8_t *out, const snt_fields *opened) {
  for (Py_ssize_t i = 0; i < opened->count; i++) {
    snt_field field;
    snt_read_field(opened, i, &field);
    out = snt_put_line(out, &field);
  }
  return out;
}

/* The parts one after the other, the lines, and `end`. */
static PyObject *write_behind(const snt_text *parts, size_t count, const snt_fields *opened, snt_text end) {
  Py_ssize_t lines = measure_lines(opened);
  if (lines < 0) return NULL;
  size_t size = end.length;
  for (size_t i = 0; i < count; i++) size += parts[i].length;
  PyObject *written = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size + lines);
  if (written == NULL) return NULL;
  uint8_t *out = (uint8_t *)PyBytes_AS_STRING(written);
  for (size_t i = 0; i < count; i++) out = snt_put_text(out, parts[i]);
  snt_put_text(put_lines(out, opened), end);
  return written;
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
