/* FieldNames: names of header fields with what becomes of the fields; and lists of fields treated
 * accordingly. It never changes, so that its methods need not watch out for each other. */
#include "names_type.h"

#include "src/frames.h"
#include "src/lines.h"
#include "src/sorting.h"

typedef struct {
  PyObject_HEAD
  snt_names names;
  uint8_t *bytes; /* of all names */
} names_object;

static const snt_names *names_of(PyObject *self) { return &((names_object *)self)->names; }

/* Read a name and its number out of a dictionary; false with an error. */
static bool read_entry(PyObject *key, PyObject *value, snt_text *name, uint32_t *number) {
  if (!snt_read_text(key, name) || !snt_is_lower_token(*name)) {
    PyErr_Format(PyExc_ValueError, "a field's name is bytes, a token in lower case, and not %R", key);
    return false;
  }
  long read = PyLong_AsLong(value);
  if (read == -1 && PyErr_Occurred()) return false;
  if (read < 1 || read > 255) {
    PyErr_Format(PyExc_ValueError, "the number of %R is from 1 to 255, and not %ld", key, read);
    return false;
  }
  *number = (uint32_t)read;
  return true;
}

/* Nothing of Python's runs between the two passes over the dictionary. */
static bool fill(names_object *self, PyObject *numbers) {
  PyObject *key, *value;
  Py_ssize_t place = 0;
  size_t size = 0;
  snt_text name;
  uint32_t number;
  while (PyDict_Next(numbers, &place, &key, &value)) {
    if (!read_entry(key, value, &name, &number)) return false;
    size += name.length;
  }
  size_t slots = snt_slots_for((size_t)PyDict_GET_SIZE(numbers));
  self->names.slots = PyMem_Calloc(slots, sizeof *self->names.slots);
  self->names.mask = slots - 1;
  self->bytes = PyMem_Malloc(size);
  if (self->names.slots == NULL || self->bytes == NULL) {
    PyErr_NoMemory();
    return false;
  }
  uint8_t *out = self->bytes;
  for (place = 0; PyDict_Next(numbers, &place, &key, &value);) {
    read_entry(key, value, &name, &number);
    memcpy(out, name.bytes, name.length);
    snt_add_name(&self->names, (snt_text){out, name.length}, number);
    out += name.length;
  }
  return true;
}

static PyObject *make_names(PyTypeObject *type, PyObject *args, PyObject *keywords) {
  PyObject *numbers;
  if (keywords != NULL && PyDict_GET_SIZE(keywords) != 0) {
    PyErr_SetString(PyExc_TypeError, "FieldNames takes no keywords");
    return NULL;
  }
  if (!PyArg_ParseTuple(args, "O!:FieldNames", &PyDict_Type, &numbers)) return NULL;
  names_object *self = (names_object *)type->tp_alloc(type, 0);
  if (self != NULL && !fill(self, numbers)) Py_CLEAR(self);
  return (PyObject *)self;
}

static void forget_names(PyObject *object) {
  names_object *self = (names_object *)object;
  PyTypeObject *type = Py_TYPE(object);
  PyMem_Free(self->names.slots);
  PyMem_Free(self->bytes);
  type->tp_free(object);
  Py_DECREF(type);
}

static PyObject *number_of(PyObject *self, PyObject *name) {
  snt_text text;
  if (snt_read_text(name, &text)) return PyLong_FromLong((long)snt_number_of_lowered(names_of(self), text));
  PyErr_Format(PyExc_ValueError, "malformed header name %R", name);
  return NULL;
}

static PyObject *has_any(PyObject *self, PyObject *fields) {
  snt_fields opened;
  if (!snt_open_fields(fields, &opened)) return NULL;
  bool found = false, is_good = true;
  for (Py_ssize_t i = 0; i < opened.count && is_good && !found; i++) {
    snt_field field;
    is_good = snt_read_field(&opened, i, &field);
    found = is_good && snt_number_of(names_of(self), field.name) != 0;
  }
  Py_DECREF(opened.sequence);
  return is_good ? PyBool_FromLong(found) : NULL;
}

static PyObject *sort_request(PyObject *self, PyObject *fields) {
  snt_fields opened;
  if (!snt_open_fields(fields, &opened)) return NULL;
  PyObject *sorted = snt_sort_request(names_of(self), &opened);
  Py_DECREF(opened.sequence);
  return sorted;
}

static PyObject *pass_on(PyObject *self, PyObject *fields) {
  snt_fields opened;
  if (!snt_open_fields(fields, &opened)) return NULL;
  PyObject *kept = snt_pass_on(names_of(self), &opened);
  Py_DECREF(opened.sequence);
  return kept;
}

static PyObject *write_response(PyObject *self, PyObject *const *args, Py_ssize_t count) {
  snt_text line;
  snt_fields opened;
  if (count != 3 || !snt_read_text(args[0], &line) || !PyBool_Check(args[2])) {
    PyErr_SetString(PyExc_TypeError, "write_response(line: bytes, fields, has_length: bool)");
    return NULL;
  }
  if (!snt_open_fields(args[1], &opened)) return NULL;
  PyObject *told = snt_write_response(names_of(self), line, &opened, args[2] == Py_True);
  Py_DECREF(opened.sequence);
  return told;
}

static PyObject *list_response(PyObject *self, PyObject *const *args, Py_ssize_t count) {
  snt_fields opened;
  if (count != 2 || !PyBool_Check(args[1])) {
    PyErr_SetString(PyExc_TypeError, "list_response(fields, has_length: bool)");
    return NULL;
  }
  if (!snt_open_fields(args[0], &opened)) return NULL;
  PyObject *told = snt_list_response(names_of(self), &opened, args[1] == Py_True);
  Py_DECREF(opened.sequence);
  return told;
}

/* False with an error. */
static bool read_response(PyObject *const *args, snt_whole_response *read) {
  unsigned long stream = PyLong_AsUnsignedLong(args[0]);
  long status = PyLong_AsLong(args[1]);
  Py_ssize_t most = PyLong_AsSsize_t(args[5]);
  if (PyErr_Occurred()) return false;
  if (!snt_read_text(args[3], &read->date) || !snt_read_text(args[4], &read->data)) {
    PyErr_SetString(PyExc_TypeError, "a date and a body are bytes");
    return false;
  }
  read->stream = (uint32_t)stream;
  read->status = status < 0 || status > 999 ? 0 : (unsigned)status;
  read->most = most < 0 ? 0 : (size_t)most;
  return true;
}

static PyObject *frame_response(PyObject *self, PyObject *const *args, Py_ssize_t count) {
  snt_whole_response response;
  snt_fields opened;
  if (count != 6) {
    PyErr_SetString(PyExc_TypeError,
                    "frame_response(stream: int, status: int, fields, date: bytes, data: bytes, frame: int)");
    return NULL;
  }
  if (!read_response(args, &response) || !snt_open_fields(args[2], &opened)) return NULL;
  PyObject *frames = snt_frame_response(names_of(self), &opened, &response);
  Py_DECREF(opened.sequence);
  return frames;
}

static PyMethodDef methods[] = {
    {"number_of", number_of, METH_O, NULL},
    {"has_any", has_any, METH_O, NULL},
    {"sort_request", sort_request, METH_O, NULL},
    {"pass_on", pass_on, METH_O, NULL},
    {"write_response", (PyCFunction)(void (*)(void))write_response, METH_FASTCALL, NULL},
    {"list_response", (PyCFunction)(void (*)(void))list_response, METH_FASTCALL, NULL},
    {"frame_response", (PyCFunction)(void (*)(void))frame_response, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "Names of header fields, with what becomes of the fields."},
    {Py_tp_new, make_names},
    {Py_tp_dealloc, forget_names},
    {Py_tp_methods, methods},
    {0, NULL},
};

PyType_Spec snt_names_spec = {
    .name = "sentinel_host.fields._fields.FieldNames",
    .basicsize = sizeof(names_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};
