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
#include "src/lines.h"
#include "src/record.h"
#include "src/trace_parent.h"
#include "names_type.h"

static PyObject *add_lines(PyObject *module, PyObject *const *args, Py_ssize_t count) {
  (void)module;
  snt_text start, end;
  snt_fields opened;
  if (count != 3 || !snt_read_text(args[0], &start) || !snt_read_text(args[2], &end)) {
    PyErr_SetString(PyExc_TypeError, "add_lines(start: bytes, fields, end: bytes)");
    return NULL;
  }
  if (!snt_open_fields(args[1], &opened)) return NULL;
  PyObject *written = snt_write_lines(start, &opened, end);
  Py_DECREF(opened.sequence);
  return written;
}

static PyObject *write_request(PyObject *module, PyObject *const *args, Py_ssize_t count) {
  (void)module;
  snt_text method, target, host, end;
  snt_fields opened;
  if (count != 5 || !snt_read_text(args[0], &method) || !snt_read_text(args[1], &target) ||
      !snt_read_text(args[2], &host) || !snt_read_text(args[4], &end)) {
    PyErr_SetString(PyExc_TypeError, "write_request(method: bytes, target: bytes, host: bytes, fields, end: bytes)");
    return NULL;
  }
  if (!snt_open_fields(args[3], &opened)) return NULL;
  PyObject *written = snt_write_request(method, target, host, &opened, end);
  Py_DECREF(opened.sequence);
  return written;
}

static PyObject *is_plain_path(PyObject *module, PyObject *path) {
  (void)module;
  if (!PyUnicode_Check(path)) {
    PyErr_SetString(PyExc_TypeError, "is_plain_path(path: str)");
    return NULL;
  }
  if (!PyUnicode_IS_COMPACT_ASCII(path)) Py_RETURN_FALSE;
  return PyBool_FromLong(snt_is_plain_path((snt_text){PyUnicode_1BYTE_DATA(path), (size_t)PyUnicode_GET_LENGTH(path)}));
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

static PyObject *add_unsampled_parent(PyObject *module, PyObject *const *args, Py_ssize_t count) {
  (void)module;
  snt_text name;
  if (count != 3 || !PyList_Check(args[0]) || !snt_read_text(args[1], &name) || !PyUnicode_Check(args[2])) {
    PyErr_SetString(PyExc_TypeError, "add_unsampled_parent(fields: list, name: bytes, trace_id: str)");
    return NULL;
  }
  if (!PyUnicode_IS_COMPACT_ASCII(args[2]) || PyUnicode_GET_LENGTH(args[2]) != SNT_TRACE_ID) {
    PyErr_Format(PyExc_ValueError, "the id of a trace has %d digits, unlike %R", SNT_TRACE_ID, args[2]);
    return NULL;
  }
  snt_fields fields = {args[0], PyList_GET_SIZE(args[0])};
  for (Py_ssize_t i = 0; i < fields.count; i++) {
    PyObject *known = PyList_GET_ITEM(args[0], i);
    snt_text other;
    /* Nearly all are told apart by their lengths. */
    if (PyTuple_CheckExact(known) && PyTuple_GET_SIZE(known) == 2 && snt_read_text(PyTuple_GET_ITEM(known, 0), &other) &&
        other.length != name.length)
      continue;
    snt_field field;
    if (!snt_read_field(&fields, i, &field)) return NULL;
    if (field.name.length == name.length && memcmp(field.name.bytes, name.bytes, name.length) == 0) Py_RETURN_NONE;
  }
  PyObject *value = PyBytes_FromStringAndSize(NULL, SNT_TRACE_PARENT);
  PyObject *pair = value == NULL ? NULL : PyTuple_New(2);
  if (pair == NULL) {
    Py_XDECREF(value);
    return NULL;
  }
  snt_put_unsampled_parent((uint8_t *)PyBytes_AS_STRING(value), PyUnicode_1BYTE_DATA(args[2]));
  PyTuple_SET_ITEM(pair, 0, Py_NewRef(args[1]));
  PyTuple_SET_ITEM(pair, 1, value);
  int added = PyList_Append(args[0], pair);
  Py_DECREF(pair);
  if (added < 0) return NULL;
  Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"add_unsampled_parent", (PyCFunction)(void (*)(void))add_unsampled_parent, METH_FASTCALL, NULL},
    {"add_lines", (PyCFunction)(void (*)(void))add_lines, METH_FASTCALL, NULL},
    {"write_request", (PyCFunction)(void (*)(void))write_request, METH_FASTCALL, NULL},
    {"is_plain_path", is_plain_path, METH_O, NULL},
    {"read_head", (PyCFunction)(void (*)(void))read_head, METH_FASTCALL, NULL},
    {"field", (PyCFunction)(void (*)(void))field, METH_FASTCALL, NULL},
    {"first_fault", first_fault, METH_O, NULL},
    {"pack_record", (PyCFunction)(void (*)(void))pack_record, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

static int add_types(PyObject *module) {
  PyObject *type = PyType_FromModuleAndSpec(module, &snt_names_spec, NULL);
  if (type == NULL) return -1;
  int added = PyModule_AddType(module, (PyTypeObject *)type);
  Py_DECREF(type);
  return added;
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, add_types}, {0, NULL}};

static PyModuleDef module = {
    PyModuleDef_HEAD_INIT, .m_name = "_fields", .m_methods = functions, .m_slots = module_slots};

PyMODINIT_FUNC PyInit__fields(void) { return PyModuleDef_Init(&module); }
