/* Table: the memory in which all workers keep what they know of endpoints. */
#include "module.h"

static PyObject *make_table(PyTypeObject *type, PyObject *args, PyObject *names) {
  static char *keywords[] = {"memory", "rows", "cells", "secret", NULL};
  Py_buffer memory;
  const char *secret = NULL;
  Py_ssize_t length = 0;
  unsigned int rows = 0, cells = 0;
  if (!PyArg_ParseTupleAndKeywords(args, names, "w*|IIy#", keywords, &memory, &rows, &cells, &secret, &length)) return NULL;
  snt_endpoints *table = NULL;
  if ((uintptr_t)memory.buf % 64 != 0) {
    PyErr_SetString(PyExc_ValueError, "the memory does not begin with a cache line");
  } else if (rows == 0 && cells == 0) {
    table = snt_endpoints_open(memory.buf, (size_t)memory.len);
    if (table == NULL) PyErr_SetString(PyExc_ValueError, "the memory is not a table of endpoints of this version");
  } else if (snt_endpoints_size(rows, cells) != (size_t)memory.len) {
    PyErr_SetString(PyExc_ValueError, "the memory has another size than the table");
  } else if (length != SNT_SECRET_BYTES) {
    PyErr_Format(PyExc_ValueError, "the secret has %d bytes", SNT_SECRET_BYTES);
  } else {
    table = snt_endpoints_make(memory.buf, rows, cells, (const uint8_t *)secret);
  }
  table_object *made = table == NULL ? NULL : (table_object *)type->tp_alloc(type, 0);
  if (made == NULL) {
    PyBuffer_Release(&memory);
    return NULL;
  }
  made->memory = memory;
  made->table = table;
  return (PyObject *)made;
}

static void forget_table(PyObject *self) {
  PyTypeObject *type = Py_TYPE(self);
  PyBuffer_Release(&((table_object *)self)->memory);
  type->tp_free(self);
  Py_DECREF(type);
}

/* The row of a key that is in use, or NULL with a LookupError. */
static snt_row *row_of(PyObject *self, PyObject *key, uint32_t *index) {
  snt_endpoints *table = ((table_object *)self)->table;
  uint64_t number = PyLong_AsUnsignedLongLong(key);
  if (number == (uint64_t)-1 && PyErr_Occurred()) return NULL;
  *index = number < SNT_KEY_MIN ? SNT_NO_ROW : snt_find(table, number);
  if (*index != SNT_NO_ROW) return &table->row[*index];
  PyErr_SetString(PyExc_LookupError, "no worker uses this endpoint");
  return NULL;
}

static PyObject *table_flag(PyObject *self, PyObject *const *args, Py_ssize_t count) {
  if (count != 3) {
    PyErr_SetString(PyExc_TypeError, "flag(key, set, clear)");
    return NULL;
  }
  unsigned long set = PyLong_AsUnsignedLong(args[1]), clear = PyLong_AsUnsignedLong(args[2]);
  if (PyErr_Occurred()) return NULL;
  uint32_t index;
  snt_row *row = row_of(self, args[0], &index);
  if (row == NULL) return NULL;
  return PyLong_FromUnsignedLongLong(snt_flag(row, set, clear, snt_now_ms()));
}

static PyObject *table_readmit(PyObject *self, PyObject *key) {
  uint32_t index;
  snt_row *row = row_of(self, key, &index);
  if (row == NULL) return NULL;
  snt_readmit(row, snt_now_ms());
  Py_RETURN_NONE;
}

static PyObject *table_view(PyObject *self, PyObject *key) {
  uint32_t index;
  snt_row *row = row_of(self, key, &index);
  if (row == NULL) return NULL;
  snt_endpoints *table = ((table_object *)self)->table;
  uint64_t now = snt_now_ms(), ejection = snt_load(&row->ejection), until = ejection & (((uint64_t)1 << 48) - 1);
  uint64_t requests = 0, failures = 0;
  for (uint32_t cell = 0; cell < table->cells; cell++) {
    requests += snt_load(&snt_cell_of(table, index, cell)->requests);
    failures += snt_load(&snt_cell_of(table, index, cell)->failures);
  }
  uint64_t since = snt_in_service_since(row, now);
  PyObject *service = since == 0 ? Py_NewRef(Py_None) : PyLong_FromUnsignedLongLong(now > since ? now - since : 0);
  if (service == NULL) return NULL;
  return Py_BuildValue("(KKKKKKKN)", (unsigned long long)snt_load(&row->flags),
                       (unsigned long long)(until > now ? until - now : 0), (unsigned long long)(ejection >> 48),
                       (unsigned long long)snt_active(table, index), (unsigned long long)requests,
                       (unsigned long long)failures, (unsigned long long)snt_load(&row->latency), service);
}

static PyObject *table_clear_worker(PyObject *self, PyObject *cell) {
  snt_endpoints *table = ((table_object *)self)->table;
  unsigned long number = PyLong_AsUnsignedLong(cell);
  if (number == (unsigned long)-1 && PyErr_Occurred()) return NULL;
  if (number >= table->cells) {
    PyErr_SetString(PyExc_ValueError, "there is no such worker");
    return NULL;
  }
  snt_clear_cell(table, (uint32_t)number);
  Py_RETURN_NONE;
}

static PyObject *table_sweep(PyObject *self, PyObject *sweeps) {
  unsigned long number = PyLong_AsUnsignedLong(sweeps);
  if (number == (unsigned long)-1 && PyErr_Occurred()) return NULL;
  if (number < 1 || number > 65535) {
    PyErr_SetString(PyExc_ValueError, "sweeps must be from 1 to 65535");
    return NULL;
  }
  snt_sweep(((table_object *)self)->table, number);
  Py_RETURN_NONE;
}

static PyObject *table_secret(PyObject *self, PyObject *nothing) {
  (void)nothing;
  return PyBytes_FromStringAndSize((const char *)((table_object *)self)->table->secret, SNT_SECRET_BYTES);
}

static PyMethodDef table_methods[] = {
    {"flag", (PyCFunction)(void (*)(void))table_flag, METH_FASTCALL, NULL},
    {"readmit", table_readmit, METH_O, NULL},
    {"view", table_view, METH_O, NULL},
    {"clear_worker", table_clear_worker, METH_O, NULL},
    {"sweep", table_sweep, METH_O, NULL},
    {"secret", table_secret, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot table_slots[] = {
    {Py_tp_new, make_table}, {Py_tp_dealloc, forget_table}, {Py_tp_methods, table_methods}, {0, NULL}};

PyType_Spec snt_table_type = {
    .name = "sentinel_host.upstream._endpoints.Table",
    .basicsize = sizeof(table_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = table_slots,
};
