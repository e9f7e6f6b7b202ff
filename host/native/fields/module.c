/* sentinel_host.fields._fields: whole lists of header fields, checked and written in one pass.
 *
 * Python's own means take a pass for each question and an object for each piece. Not through cffi, to which a list is
 * opaque. What is read stays as it is meanwhile: no code of Python's runs between the checks and the writing.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "src/field.h"
#include "src/head.h"

/* Of one list, or of a tuple; a reference to it is held. */
typedef struct {
  PyObject *sequence;
  Py_ssize_t count;
} list;

static bool open_list(PyObject *fields, list *opened) {
  opened->sequence = PySequence_Fast(fields, "header fields are a sequence of pairs");
  if (opened->sequence == NULL) return false;
  opened->count = PySequence_Fast_GET_SIZE(opened->sequence);
  return true;
}

static bool read_text(PyObject *object, snt_text *text) {
  if (!PyBytes_Check(object)) return false;
  *text = (snt_text){(const uint8_t *)PyBytes_AS_STRING(object), (size_t)PyBytes_GET_SIZE(object)};
  return true;
}

static bool read_field(const list *opened, Py_ssize_t index, snt_field *field) {
  PyObject *pair = PySequence_Fast_GET_ITEM(opened->sequence, index);
  if ((PyTuple_Check(pair) || PyList_Check(pair)) && PySequence_Fast_GET_SIZE(pair) == 2 &&
      read_text(PySequence_Fast_GET_ITEM(pair, 0), &field->name) &&
      read_text(PySequence_Fast_GET_ITEM(pair, 1), &field->value))
    return true;
  PyErr_Format(PyExc_ValueError, "a header is a pair of byte strings, not %R", pair);
  return false;
}

static PyObject *refuse(const char *what, snt_text text) {
  PyObject *shown = PyBytes_FromStringAndSize((const char *)text.bytes, text.length < 64 ? (Py_ssize_t)text.length : 64);
  if (shown == NULL) return NULL;
  PyErr_Format(PyExc_ValueError, "%s %R", what, shown);
  Py_DECREF(shown);
  return NULL;
}

/* The size of the lines of all fields, or -1 with an error for what may not be written. */
static Py_ssize_t measure_lines(const list *opened) {
  size_t size = 0;
  for (Py_ssize_t i = 0; i < opened->count; i++) {
    snt_field field;
    if (!read_field(opened, i, &field)) return -1;
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

static uint8_t *put_lines(uint8_t *out, const list *opened) {
  for (Py_ssize_t i = 0; i < opened->count; i++) {
    snt_field field;
    read_field(opened, i, &field);
    out = snt_put_line(out, &field);
  }
  return out;
}

/* Room for `start`, the lines and `end`, with the first two written; NULL with an error. */
static PyObject *write_lines(snt_text start, const list *opened, snt_text end) {
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
  list opened;
  if (count != 3 || !read_text(args[0], &start) || !read_text(args[2], &end)) {
    PyErr_SetString(PyExc_TypeError, "add_lines(start: bytes, fields, end: bytes)");
    return NULL;
  }
  if (!open_list(args[1], &opened)) return NULL;
  PyObject *written = write_lines(start, &opened, end);
  Py_DECREF(opened.sequence);
  return written;
}

static PyObject *start_request(PyObject *module, PyObject *const *args, Py_ssize_t count) {
  (void)module;
  snt_text method, target, host;
  if (count != 3 || !read_text(args[0], &method) || !read_text(args[1], &target) || !read_text(args[2], &host)) {
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

static PyObject *first_fault(PyObject *module, PyObject *fields) {
  (void)module;
  list opened;
  if (!open_list(fields, &opened)) return NULL;
  Py_ssize_t fault = -1;
  for (Py_ssize_t i = 0; i < opened.count; i++) {
    snt_field field;
    if (!read_field(&opened, i, &field)) {
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

/* One value of a record: None, str, a number that is not negative, bytes, or a list of fields. */
typedef struct {
  enum { NIL, STR, NUMBER, BIN, FIELDS } kind;
  snt_text text;
  uint64_t number;
  list fields;
  size_t size;
} item;

static bool measure_fields(item *read) {
  read->size = snt_array_size((size_t)read->fields.count);
  for (Py_ssize_t i = 0; i < read->fields.count; i++) {
    snt_field field;
    if (!read_field(&read->fields, i, &field)) return false;
    if (field.name.length > UINT32_MAX || field.value.length > UINT32_MAX) {
      PyErr_SetString(PyExc_OverflowError, "a header is larger than MessagePack allows");
      return false;
    }
    read->size += snt_packed_size(&field);
  }
  return true;
}

static bool read_item(PyObject *object, item *read) {
  if (object == Py_None) {
    read->kind = NIL;
    read->size = 1;
  } else if (PyUnicode_Check(object)) {
    Py_ssize_t length;
    const char *text = PyUnicode_AsUTF8AndSize(object, &length);
    if (text == NULL) return false;
    read->kind = STR;
    read->text = (snt_text){(const uint8_t *)text, (size_t)length};
    read->size = snt_str_size(read->text.length);
  } else if (PyLong_Check(object)) {
    read->kind = NUMBER;
    read->number = PyLong_AsUnsignedLongLong(object);
    if (read->number == (uint64_t)-1 && PyErr_Occurred()) return false;
    read->size = snt_number_size(read->number);
  } else if (PyList_Check(object)) {
    read->kind = FIELDS;
    read->fields = (list){object, PyList_GET_SIZE(object)};
    return measure_fields(read);
  } else if (read_text(object, &read->text)) {
    read->kind = BIN;
    read->size = snt_bin_size(read->text.length);
  } else {
    PyErr_Format(PyExc_TypeError, "a record holds None, str, int, bytes and lists of headers, not %R", object);
    return false;
  }
  if (read->size > UINT32_MAX) {
    PyErr_SetString(PyExc_OverflowError, "a value is larger than MessagePack allows");
    return false;
  }
  return true;
}

static uint8_t *put_item(uint8_t *out, const item *read) {
  switch (read->kind) {
    case STR: return snt_put_str(out, read->text);
    case NUMBER: return snt_put_number(out, read->number);
    case BIN: return snt_put_bin(out, read->text);
    case FIELDS: break;
    default: return snt_put_nil(out);
  }
  out = snt_put_array(out, (size_t)read->fields.count);
  for (Py_ssize_t i = 0; i < read->fields.count; i++) {
    snt_field field;
    read_field(&read->fields, i, &field);
    out = snt_put_packed(out, &field);
  }
  return out;
}

/* The largest record, `summary`, has 17. */
#define RECORD_MAX 32

static PyObject *pack_record(PyObject *module, PyObject *const *args, Py_ssize_t count) {
  (void)module;
  item items[RECORD_MAX];
  if (count > RECORD_MAX) {
    PyErr_Format(PyExc_TypeError, "a record has at most %d values", RECORD_MAX);
    return NULL;
  }
  size_t size = snt_array_size((size_t)count);
  for (Py_ssize_t i = 0; i < count; i++) {
    if (!read_item(args[i], &items[i])) return NULL;
    size += items[i].size;
  }
  PyObject *packed = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
  if (packed == NULL) return NULL;
  uint8_t *out = snt_put_array((uint8_t *)PyBytes_AS_STRING(packed), (size_t)count);
  for (Py_ssize_t i = 0; i < count; i++) out = put_item(out, &items[i]);
  return packed;
}

static PyObject *read_head(PyObject *module, PyObject *const *args, Py_ssize_t count) {
  (void)module;
  snt_text data;
  snt_head head;
  if (count != 3 || !read_text(args[0], &data)) {
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

static PyMethodDef functions[] = {
    {"add_lines", (PyCFunction)(void (*)(void))add_lines, METH_FASTCALL, NULL},
    {"start_request", (PyCFunction)(void (*)(void))start_request, METH_FASTCALL, NULL},
    {"read_head", (PyCFunction)(void (*)(void))read_head, METH_FASTCALL, NULL},
    {"first_fault", first_fault, METH_O, NULL},
    {"pack_record", (PyCFunction)(void (*)(void))pack_record, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "_fields", .m_methods = functions};

PyMODINIT_FUNC PyInit__fields(void) { return PyModuleDef_Init(&module); }
