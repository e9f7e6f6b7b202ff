/* sentinel_host.fields._fields: whole lists of header fields, checked and written in one pass.
 *
 * Python's own means take a pass for each question and an object for each piece. Not through cffi,
 * to which a list is opaque. What is read stays as it is meanwhile: no code of Python's runs
 * between the checks and the writing.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "src/field.h"
#include "src/head.h"
#include "src/pack.h"
#include "src/record.h"

static PyObject *refuse(const char *what, snt_text text) {
  PyObject *shown = PyBytes_FromStringAndSize((const char *)text.bytes, text.length < 64 ? (Py_ssize_t)text.length : 64);
  if (shown == NULL) return NULL;
  PyErr_Format(PyExc_ValueError, "%s %R", what, shown);
  Py_DECREF(shown);
  return NULL;
}

/* The size of the lines of all fields, or -1 with an error for what may not be written. */
static Py_ssize_t measure_lines(const snt_fields *opened) {
  size_t size = 0;
  for (Py_ssize_t i = 0; i < opened->count; i++) {
    snt_field field;
    if (!snt_read_field(opened, i, &field)) return -1;
    if (!snt_is_token(field.name)) {
      refuse("malformed header name", field.name);
      return -1;
    }
    if (!snt_is_value(field.value)) {
      refuse("control character in header", field.name);
      return -1;
    }
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

/* Room for `start`, the lines and `end`, with the first two written; NULL with an error. */
static PyObject *write_lines(snt_text start, const snt_fields *opened, snt_text end) {
  Py_ssize_t lines = measure_lines(opened);
  if (lines < 0) return NULL;
  PyObject *written = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(start.length + end.length) + lines);
  if (written == NULL) return NULL;
  uint8_t *out = snt_put_text((uint8_t *)PyBytes_AS_STRING(written), start);
  snt_put_text(put_lines(out, opened), end);
  return written;
}

static PyObject *add_lines(PyObject *module, PyObject *const *args, Py_ssize_t count) {
  (void)module;
  snt_text start, end;
  snt_fields opened;
  if (count != 3 || !snt_read_text(args[0], &start) || !snt_read_text(args[2], &end)) {
    PyErr_SetString(PyExc_TypeError, "add_lines(start: bytes, fields, end: bytes)");
    return NULL;
  }
  if (!snt_open_fields(args[1], &opened)) return NULL;
  PyObject *written = write_lines(start, &opened, end);
  Py_DECREF(opened.sequence);
  return written;
}

static PyObject *start_request(PyObject *module, PyObject *const *args, Py_ssize_t count) {
  (void)module;
  snt_text method, target, host;
  if (count != 3 || !snt_read_text(args[0], &method) || !snt_read_text(args[1], &target) || !snt_read_text(args[2], &host)) {
    PyErr_SetString(PyExc_TypeError, "start_request(method: bytes, target: bytes, host: bytes)");
    return NULL;
  }
  if (!snt_is_token(method)) return refuse("malformed method", method);
  if (!snt_is_target(target)) return refuse("malformed request target", target);
  if (!snt_is_value(host)) return refuse("malformed host", host);
  const snt_text space = {(const uint8_t *)" ", 1}, version = {(const uint8_t *)" HTTP/1.1\r\nhost: ", 17};
  const snt_text parts[] = {method, space, target, version, host};
  size_t size = 0;
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) size += parts[i].length;
  PyObject *written = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
  if (written == NULL) return NULL;
  uint8_t *out = (uint8_t *)PyBytes_AS_STRING(written);
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) out = snt_put_text(out, parts[i]);
  return written;
}

static PyObject *pack_record(PyObject *module, PyObject *const *args, Py_ssize_t count) {
  (void)module;
  return snt_pack_record(args, count);
}

static PyObject *first_fault(PyObject *module, PyObject *fields) {
  (void)module;
  snt_fields opened;
  if (!snt_open_fields(fields, &opened)) return NULL;
  Py_ssize_t fault = -1;
  for (Py_ssize_t i = 0; i < opened.count; i++) {
    snt_field field;
    if (!snt_read_field(&opened, i, &field)) {
      Py_DECREF(opened.sequence);
      return NULL;
    }
    if (!snt_is_value(field.value)) {
      fault = i;
      break;
    }
  }
  Py_DECREF(opened.sequence);
  return PyLong_FromSsize_t(fault);
}

static PyObject *read_head(PyObject *module, PyObject *const *args, Py_ssize_t count) {
  (void)module;
  snt_text data;
  snt_head head;
  if (count != 3 || !snt_read_text(args[0], &data)) {
    PyErr_SetString(PyExc_TypeError, "read_head(data: bytes, most_bytes: int, most_fields: int)");
    return NULL;
  }
  Py_ssize_t bytes = PyLong_AsSsize_t(args[1]), fields = PyLong_AsSsize_t(args[2]);
  if ((bytes < 0 || fields < 0) && PyErr_Occurred()) return NULL;
  if ((Py_ssize_t)data.length > bytes) data.length = bytes > 0 ? (size_t)bytes : 0;
  if (!snt_read_head(data, &head) || (Py_ssize_t)head.fields > fields) Py_RETURN_NONE;
  return Py_BuildValue("(ny#O)", (Py_ssize_t)head.length, (const char *)head.method.bytes, (Py_ssize_t)head.method.length,
                       head.http11 ? Py_True : Py_False);
}

static bool is_blank(uint8_t byte) { return byte == ' ' || byte == '\t'; }

/* `name` itself if it is in lower case, or else a new one. */
static PyObject *lower(PyObject *name, snt_text text) {
  size_t upper = 0;
  while (upper < text.length && (uint8_t)(text.bytes[upper] - 'A') > 'Z' - 'A') upper++;
  if (upper == text.length) return Py_NewRef(name);
  /* Without the bytes: with them, one of a single byte would be the object that all share. */
  PyObject *made = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)text.length);
  if (made == NULL) return NULL;
  uint8_t *bytes = (uint8_t *)PyBytes_AS_STRING(made);
  for (size_t i = 0; i < text.length; i++)
    bytes[i] = text.bytes[i] | ((uint8_t)(text.bytes[i] - 'A') <= 'Z' - 'A' ? 0x20 : 0);
  return made;
}

static PyObject *strip(PyObject *value, snt_text text) {
  size_t begin = 0, end = text.length;
  while (begin < end && is_blank(text.bytes[begin])) begin++;
  while (end > begin && is_blank(text.bytes[end - 1])) end--;
  if (end - begin == text.length) return Py_NewRef(value);
  return PyBytes_FromStringAndSize((const char *)text.bytes + begin, (Py_ssize_t)(end - begin));
}

static PyObject *field(PyObject *module, PyObject *const *args, Py_ssize_t count) {
  (void)module;
  snt_text name, value;
  if (count != 2 || !snt_read_text(args[0], &name) || !snt_read_text(args[1], &value)) {
    PyErr_SetString(PyExc_TypeError, "field(name: bytes, value: bytes)");
    return NULL;
  }
  PyObject *pair = PyTuple_New(2);
  PyObject *first = pair == NULL ? NULL : lower(args[0], name);
  PyObject *second = first == NULL ? NULL : strip(args[1], value);
  if (second == NULL) {
    Py_XDECREF(first);
    Py_XDECREF(pair);
    return NULL;
  }
  PyTuple_SET_ITEM(pair, 0, first);
  PyTuple_SET_ITEM(pair, 1, second);
  return pair;
}

static PyMethodDef functions[] = {
    {"add_lines", (PyCFunction)(void (*)(void))add_lines, METH_FASTCALL, NULL},
    {"start_request", (PyCFunction)(void (*)(void))start_request, METH_FASTCALL, NULL},
    {"read_head", (PyCFunction)(void (*)(void))read_head, METH_FASTCALL, NULL},
    {"field", (PyCFunction)(void (*)(void))field, METH_FASTCALL, NULL},
    {"first_fault", first_fault, METH_O, NULL},
    {"pack_record", (PyCFunction)(void (*)(void))pack_record, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "_fields", .m_methods = functions};

PyMODINIT_FUNC PyInit__fields(void) { return PyModuleDef_Init(&module); }
