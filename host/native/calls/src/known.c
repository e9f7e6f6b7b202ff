#include "known.h"

#include <string.h>

static void forget(snt_known *known) {
  for (size_t i = 0; i < known->plain.count; i++) Py_CLEAR(known->fields[i]);
  known->plain.count = 0;
  known->length = 0;
}

const snt_plain *snt_understand(snt_known **place, snt_text answer, snt_answer_reader *read,
                                const snt_answer_limits *limits, snt_plain *own) {
  snt_known *known = *place;
  if (known != NULL && known->length == answer.length && memcmp(known->bytes, answer.bytes, answer.length) == 0)
    return &known->plain;
  if (known == NULL) known = *place = PyMem_Calloc(1, sizeof *known);
  if (known == NULL || answer.length > sizeof known->bytes) return read(answer, limits, own) ? own : NULL;
  forget(known);
  memcpy(known->bytes, answer.bytes, answer.length);
  if (!read((snt_text){known->bytes, answer.length}, limits, &known->plain)) {
    known->plain.count = 0;
    return NULL;
  }
  known->length = answer.length;
  return &known->plain;
}

static PyObject *make_field(const snt_edit *edit) {
  PyObject *name = PyBytes_FromStringAndSize((const char *)edit->name.bytes, (Py_ssize_t)edit->name.length);
  PyObject *value = PyBytes_FromStringAndSize((const char *)edit->value.bytes, (Py_ssize_t)edit->value.length);
  PyObject *field = name == NULL || value == NULL ? NULL : PyTuple_Pack(2, name, value);
  Py_XDECREF(name);
  Py_XDECREF(value);
  return field;
}

PyObject *snt_field_of(snt_known *known, const snt_plain *plain, size_t index) {
  if (known == NULL || plain != &known->plain) return make_field(&plain->edits[index]);
  PyObject **field = &known->fields[index];
  if (*field == NULL) *field = make_field(&plain->edits[index]);
  return Py_XNewRef(*field);
}

void snt_known_free(snt_known *known) {
  if (known == NULL) return;
  forget(known);
  PyMem_Free(known);
}
