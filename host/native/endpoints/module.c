/* sentinel_host.upstream._endpoints: the table of endpoints, and picks from it, for what every
 * request does. */
#define _POSIX_C_SOURCE 200809L
#include "module.h"

#include <time.h>

/* The clock's last tick is exact enough, and four times as fast to read as the time itself. */
uint64_t snt_now_ms(void) {
#ifdef CLOCK_MONOTONIC_COARSE
  const clockid_t clock = CLOCK_MONOTONIC_COARSE;
#else
  const clockid_t clock = CLOCK_MONOTONIC;
#endif
  struct timespec time;
  clock_gettime(clock, &time);
  return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

static PyObject *table_size(PyObject *module, PyObject *const *args, Py_ssize_t count) {
  (void)module;
  unsigned long rows = count == 2 ? PyLong_AsUnsignedLong(args[0]) : 0;
  unsigned long cells = count == 2 ? PyLong_AsUnsignedLong(args[1]) : 0;
  if (PyErr_Occurred()) return NULL;
  size_t size = rows > SNT_ROWS_MAX || cells > SNT_CELLS_MAX ? 0 : snt_endpoints_size((uint32_t)rows, (uint32_t)cells);
  if (size != 0) return PyLong_FromSize_t(size);
  PyErr_Format(PyExc_ValueError, "a table has 1 to %u rows and 1 to %u cells", SNT_ROWS_MAX, SNT_CELLS_MAX);
  return NULL;
}

static PyMethodDef functions[] = {
    {"table_size", (PyCFunction)(void (*)(void))table_size, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject *add_type(PyObject *module, PyType_Spec *spec) {
  PyTypeObject *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);
  if (type != NULL && PyModule_AddType(module, type) != 0) Py_CLEAR(type);
  return type;
}

/* The module's state is the types that others ask for. */
static int add_types(PyObject *module) {
  module_state *state = PyModule_GetState(module);
  state->table = add_type(module, &snt_table_type);
  state->cell = state->table == NULL ? NULL : add_type(module, &snt_cell_type);
  PyTypeObject *group = state->cell == NULL ? NULL : add_type(module, &snt_group_type);
  if (group == NULL) return -1;
  Py_DECREF(group);
  return 0;
}

static int clear_state(PyObject *module) {
  module_state *state = PyModule_GetState(module);
  Py_CLEAR(state->table);
  Py_CLEAR(state->cell);
  return 0;
}

static int visit_state(PyObject *module, visitproc visit, void *arg) {
  module_state *state = PyModule_GetState(module);
  Py_VISIT(state->table);
  Py_VISIT(state->cell);
  return 0;
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, add_types}, {0, NULL}};

static PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_endpoints",
    .m_size = sizeof(module_state),
    .m_methods = functions,
    .m_slots = module_slots,
    .m_traverse = visit_state,
    .m_clear = clear_state,
};

PyMODINIT_FUNC PyInit__endpoints(void) { return PyModuleDef_Init(&module); }
