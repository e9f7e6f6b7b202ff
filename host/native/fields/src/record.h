/* Python's values as the records of wit/ABI.md section 3, and the lists of header fields among
 * them.
 *
 * What is read stays as it is meanwhile: no code of Python's runs between measuring and writing.
 */
#ifndef SNT_RECORD_H
#define SNT_RECORD_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>

#include "field.h"
#include "writer.h"

/* Of one list, or of a tuple; a reference to it is held. */
typedef struct {
  PyObject *sequence;
  Py_ssize_t count;
} snt_fields;

/* These return false with an error, but for `snt_read_text`, which sets none. They are here to be
 * compiled into loops. */
static inline bool snt_open_fields(PyObject *fields, snt_fields *opened) {
  opened->sequence = PySequence_Fast(fields, "header fields are a sequence of pairs");
  if (opened->sequence == NULL) return false;
  opened->count = PySequence_Fast_GET_SIZE(opened->sequence);
  return true;
}

static inline bool snt_read_text(PyObject *object, snt_text *text) {
  if (!PyBytes_Check(object)) return false;
  *text = (snt_text){(const uint8_t *)PyBytes_AS_STRING(object), (size_t)PyBytes_GET_SIZE(object)};
  return true;
}

static inline bool snt_read_pair(PyObject *name, PyObject *value, snt_field *field) {
  return snt_read_text(name, &field->name) && snt_read_text(value, &field->value);
}

static inline bool snt_read_field(const snt_fields *opened, Py_ssize_t index, snt_field *field) {
  PyObject *pair = PySequence_Fast_GET_ITEM(opened->sequence, index);
  if (PyTuple_Check(pair)) {
    if (PyTuple_GET_SIZE(pair) == 2 && snt_read_pair(PyTuple_GET_ITEM(pair, 0), PyTuple_GET_ITEM(pair, 1), field))
      return true;
  } else if (PyList_Check(pair) && PyList_GET_SIZE(pair) == 2 &&
             snt_read_pair(PyList_GET_ITEM(pair, 0), PyList_GET_ITEM(pair, 1), field)) {
    return true;
  }
  PyErr_Format(PyExc_ValueError, "a header is a pair of byte strings, not %R", pair);
  return false;
}

/* Write a record; of the values, None, str, int, bytes, lists of fields and tuples of one byte
 * string, which is packed already, are possible. False with an error. */
bool snt_put_record(snt_writer *out, PyObject *const *values, Py_ssize_t count);

/* The same as bytes; NULL with an error. */
PyObject *snt_pack_record(PyObject *const *values, Py_ssize_t count);

#endif
