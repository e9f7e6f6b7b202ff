/* Cell: what one worker counts of one endpoint. */
#include "module.h"

static PyObject *make_cell(PyTypeObject *type, PyObject *args, PyObject *names) {
  static char *keywords[] = {"table", "worker", "key", "from_the_start", NULL};
  const module_state *state = PyType_GetModuleState(type);
  PyObject *table;
  unsigned int worker;
  unsigned long long key;
  int from_the_start;
  if (!PyArg_ParseTupleAndKeywords(args, names, "O!IKp", keywords, state->table, &table, &worker, &key,
                                   &from_the_start)) {
    return NULL;
  }
  snt_endpoints *rows = ((table_object *)table)->table;
  if (worker >= rows->cells || key < SNT_KEY_MIN) {
    PyErr_SetString(PyExc_ValueError, "there is no such worker, or no such key");
    return NULL;
  }
  uint32_t row = snt_acquire(rows, key, worker, from_the_start ? 0 : snt_now_ms());
  if (row == SNT_NO_ROW) {
    PyErr_SetString(PyExc_MemoryError, "the table of endpoints is full");
    return NULL;
  }
  cell_object *made = (cell_object *)type->tp_alloc(type, 0);
  if (made == NULL) {
    snt_release(rows, row, worker);
    return NULL;
  }
  made->table = Py_NewRef(table);
  made->rows = rows;
  made->row = row;
  made->cell = worker;
  return (PyObject *)made;
}

static void forget_cell(PyObject *self) {
  PyTypeObject *type = Py_TYPE(self);
  cell_object *cell = (cell_object *)self;
  snt_release(cell->rows, cell->row, cell->cell);
  Py_DECREF(cell->table);
  type->tp_free(self);
  Py_DECREF(type);
}

static PyObject *cell_begin(PyObject *self, PyObject *nothing) {
  (void)nothing;
  cell_object *cell = (cell_object *)self;
  snt_begin(snt_cell_of(cell->rows, cell->row, cell->cell));
  Py_RETURN_NONE;
}

static PyObject *cell_end(PyObject *self, PyObject *nothing) {
  (void)nothing;
  cell_object *cell = (cell_object *)self;
  snt_end(snt_cell_of(cell->rows, cell->row, cell->cell));
  Py_RETURN_NONE;
}

static PyObject *cell_succeeded(PyObject *self, PyObject *microseconds) {
  uint64_t time = PyLong_AsUnsignedLongLong(microseconds);
  if (time == (uint64_t)-1 && PyErr_Occurred()) return NULL;
  cell_object *cell = (cell_object *)self;
  snt_succeeded(&cell->rows->row[cell->row], time);
  Py_RETURN_NONE;
}

static PyMethodDef cell_methods[] = {
    {"begin", cell_begin, METH_NOARGS, NULL},
    {"end", cell_end, METH_NOARGS, NULL},
    {"succeeded", cell_succeeded, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot cell_slots[] = {
    {Py_tp_new, make_cell}, {Py_tp_dealloc, forget_cell}, {Py_tp_methods, cell_methods}, {0, NULL}};

PyType_Spec snt_cell_type = {
    .name = "sentinel_host.upstream._endpoints.Cell",
    .basicsize = sizeof(cell_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = cell_slots,
};
