/* sentinel_host.upstream._endpoints: the table of endpoints, and picks from it, for what every request does. */
#define PY_SSIZE_T_CLEAN
#define _POSIX_C_SOURCE 200809L
#include <Python.h>
#include <time.h>

#include "src/group.h"

/* Milliseconds of the clock that all workers share. Its last tick is near enough, and four times as fast to read. */
static uint64_t now_ms(void) {
#ifdef CLOCK_MONOTONIC_COARSE
  const clockid_t clock = CLOCK_MONOTONIC_COARSE;
#else
  const clockid_t clock = CLOCK_MONOTONIC;
#endif
  struct timespec time;
  clock_gettime(clock, &time);
  return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

/* --- Table -------------------------------------------------------------------------------------------------------- */

typedef struct {
  PyObject_HEAD
  Py_buffer memory;
  snt_endpoints *table;
} table_object;

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

/* The row of a key that somebody refers to, or NULL with a LookupError. */
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
  return PyLong_FromUnsignedLongLong(snt_flag(row, set, clear, now_ms()));
}

static PyObject *table_readmit(PyObject *self, PyObject *key) {
  uint32_t index;
  snt_row *row = row_of(self, key, &index);
  if (row == NULL) return NULL;
  snt_readmit(row, now_ms());
  Py_RETURN_NONE;
}

static PyObject *table_view(PyObject *self, PyObject *key) {
  uint32_t index;
  snt_row *row = row_of(self, key, &index);
  if (row == NULL) return NULL;
  snt_endpoints *table = ((table_object *)self)->table;
  uint64_t now = now_ms(), ejection = snt_load(&row->ejection), until = ejection & (((uint64_t)1 << 48) - 1);
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

static PyType_Spec table_type = {
    .name = "sentinel_host.upstream._endpoints.Table",
    .basicsize = sizeof(table_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = table_slots,
};

/* --- Cell --------------------------------------------------------------------------------------------------------- */

typedef struct {
  PyObject_HEAD
  PyObject *table; /* kept as long as its memory is used */
  snt_endpoints *rows;
  uint32_t row, cell;
} cell_object;

typedef struct {
  PyTypeObject *table, *cell;
} module_state;

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
  uint32_t row = snt_acquire(rows, key, worker, from_the_start ? 0 : now_ms());
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

static PyType_Spec cell_type = {
    .name = "sentinel_host.upstream._endpoints.Cell",
    .basicsize = sizeof(cell_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = cell_slots,
};

/* --- Group -------------------------------------------------------------------------------------------------------- */

typedef struct {
  PyObject_HEAD
  PyObject *members; /* a tuple of (Cell, weight): kept as long as their rows are used */
  snt_group group;
} group_object;

/* Read the (Cell, weight) pairs; `keys` and `weights` get what a hash is built from. */
static int take_members(snt_group *group, PyObject *members, PyTypeObject *cell_class, uint64_t *keys,
                        uint32_t *weights) {
  for (Py_ssize_t index = 0; index < PyTuple_GET_SIZE(members); index++) {
    PyObject *pair = PyTuple_GET_ITEM(members, index), *member;
    unsigned int weight;
    if (!PyTuple_Check(pair) || !PyArg_ParseTuple(pair, "O!I", cell_class, &member, &weight)) {
      if (!PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, "a member is a tuple of its Cell and weight");
      return -1;
    }
    cell_object *cell = (cell_object *)member;
    if (index == 0) {
      group->table = cell->rows;
      group->cell = cell->cell;
    }
    if (cell->rows != group->table || cell->cell != group->cell || weight < 1 || weight > SNT_WEIGHT_MAX) {
      PyErr_Format(PyExc_ValueError, "members are of one table and worker, and weights from 1 to %u", SNT_WEIGHT_MAX);
      return -1;
    }
    group->members[index] = (snt_member){.row = cell->row, .weight = weight};
    keys[index] = snt_load(&group->table->row[cell->row].key);
    weights[index] = weight;
  }
  group->count = (uint32_t)PyTuple_GET_SIZE(members);
  return 0;
}

static int build(snt_group *group, PyObject *members, PyTypeObject *cell_class) {
  size_t count = (size_t)PyTuple_GET_SIZE(members);
  group->members = PyMem_Calloc(count, sizeof *group->members);
  group->usable = PyMem_Calloc(count, sizeof *group->usable);
  uint64_t *keys = PyMem_Calloc(count, sizeof *keys);
  uint32_t *weights = PyMem_Calloc(count, sizeof *weights), *scratch = PyMem_Calloc(count, 3 * sizeof *scratch);
  int built = -1;
  if (group->members == NULL || group->usable == NULL || keys == NULL || weights == NULL || scratch == NULL) {
    PyErr_NoMemory();
  } else {
    built = take_members(group, members, cell_class, keys, weights);
  }
  if (built == 0 && group->settings.policy == SNT_HASH) {
    group->slots = PyMem_Malloc(SNT_MAGLEV_SLOTS * sizeof *group->slots);
    if (group->slots != NULL) snt_maglev(group->slots, keys, weights, group->count, scratch);
    if (group->slots == NULL) built = PyErr_NoMemory() == NULL ? -1 : 0;
  }
  PyMem_Free(keys);
  PyMem_Free(weights);
  PyMem_Free(scratch);
  if (built == 0) snt_group_begin(group);
  return built;
}

static PyObject *make_group(PyTypeObject *type, PyObject *args, PyObject *names) {
  static char *keywords[] = {"members",          "policy",          "panic_percent", "slow_start_ms", "ejected_percent",
                             "gateway_failures", "server_failures", "base_ms",       "max_ms",        "seed",
                             NULL};
  PyObject *members;
  unsigned int policy;
  unsigned long long seed;
  snt_group_settings settings = {0};
  if (!PyArg_ParseTupleAndKeywords(args, names, "O!$IIIIIIIIK", keywords, &PyTuple_Type, &members, &policy,
                                   &settings.panic_percent, &settings.slow_start_ms, &settings.ejected_percent,
                                   &settings.rules.failures[SNT_GATEWAY_FAILURE],
                                   &settings.rules.failures[SNT_SERVER_FAILURE], &settings.rules.base_ms,
                                   &settings.rules.max_ms, &seed)) {
    return NULL;
  }
  Py_ssize_t count = PyTuple_GET_SIZE(members);
  if (policy >= SNT_POLICIES || settings.panic_percent > 100 || settings.ejected_percent > 100 ||
      settings.slow_start_ms > INT32_MAX || seed == 0 || count < 1 || count > (Py_ssize_t)SNT_MEMBERS_MAX) {
    PyErr_SetString(PyExc_ValueError, "the members, policy, a share, a time or the seed is out of bounds");
    return NULL;
  }
  settings.policy = (snt_policy)policy;
  group_object *made = (group_object *)type->tp_alloc(type, 0);
  if (made == NULL) return NULL;
  made->members = Py_NewRef(members);
  made->group = (snt_group){.settings = settings, .random = seed};
  if (build(&made->group, members, ((module_state *)PyType_GetModuleState(type))->cell) != 0) Py_CLEAR(made);
  return (PyObject *)made;
}

static void forget_group(PyObject *self) {
  PyTypeObject *type = Py_TYPE(self);
  snt_group *group = &((group_object *)self)->group;
  PyMem_Free(group->members);
  PyMem_Free(group->usable);
  PyMem_Free(group->slots);
  Py_DECREF(((group_object *)self)->members);
  type->tp_free(self);
  Py_DECREF(type);
}

/* The index of a member, or UINT32_MAX with an error. */
static uint32_t index_of(const snt_group *group, PyObject *number) {
  unsigned long index = PyLong_AsUnsignedLong(number);
  if (index == (unsigned long)-1 && PyErr_Occurred()) return UINT32_MAX;
  if (index < group->count) return (uint32_t)index;
  PyErr_SetString(PyExc_IndexError, "there is no such member");
  return UINT32_MAX;
}

#define TRIED_MAX 32

static PyObject *group_pick(PyObject *self, PyObject *const *args, Py_ssize_t count) {
  snt_group *group = &((group_object *)self)->group;
  if (count != 2 || !PyTuple_Check(args[1]) || PyTuple_GET_SIZE(args[1]) > TRIED_MAX) {
    PyErr_Format(PyExc_TypeError, "pick(hash: int, tried: tuple of at most %d)", TRIED_MAX);
    return NULL;
  }
  uint64_t hash = PyLong_AsUnsignedLongLongMask(args[0]);
  if (hash == (uint64_t)-1 && PyErr_Occurred()) return NULL;
  uint32_t excluded[TRIED_MAX], tried = (uint32_t)PyTuple_GET_SIZE(args[1]);
  for (uint32_t place = 0; place < tried; place++) {
    excluded[place] = index_of(group, PyTuple_GET_ITEM(args[1], place));
    if (excluded[place] == UINT32_MAX) return NULL;
  }
  uint32_t picked = snt_pick(group, hash, excluded, tried, now_ms());
  if (picked == SNT_NO_MEMBER) return PyLong_FromLong(-1);
  snt_group_begins(group, picked);
  return PyLong_FromUnsignedLong(picked);
}

static PyObject *group_take(PyObject *self, PyObject *number) {
  snt_group *group = &((group_object *)self)->group;
  uint32_t index = index_of(group, number);
  if (index == UINT32_MAX) return NULL;
  bool may = snt_may_use(group, index, now_ms());
  if (may) snt_group_begins(group, index);
  return PyBool_FromLong(may);
}

static PyObject *group_failed(PyObject *self, PyObject *const *args, Py_ssize_t count) {
  snt_group *group = &((group_object *)self)->group;
  if (count != 4) {
    PyErr_SetString(PyExc_TypeError, "failed(index, kind, client, confirmed)");
    return NULL;
  }
  uint32_t index = index_of(group, args[0]);
  unsigned long kind = PyLong_AsUnsignedLong(args[1]);
  uint32_t client = (uint32_t)PyLong_AsUnsignedLongLongMask(args[2]);
  int confirmed = PyObject_IsTrue(args[3]);
  if (index == UINT32_MAX || confirmed < 0 || PyErr_Occurred()) return NULL;
  if (kind > SNT_SERVER_FAILURE) {
    PyErr_SetString(PyExc_ValueError, "there is no such kind of failure");
    return NULL;
  }
  uint64_t ejected = snt_group_failed(group, index, (uint32_t)kind, client, confirmed != 0, now_ms());
  return PyLong_FromUnsignedLongLong(ejected);
}

static PyObject *group_eject(PyObject *self, PyObject *number) {
  snt_group *group = &((group_object *)self)->group;
  uint32_t index = index_of(group, number);
  if (index == UINT32_MAX) return NULL;
  return PyLong_FromUnsignedLongLong(snt_group_eject(group, index, now_ms()));
}

static PyMethodDef group_methods[] = {
    {"pick", (PyCFunction)(void (*)(void))group_pick, METH_FASTCALL, NULL},
    {"take", group_take, METH_O, NULL},
    {"failed", (PyCFunction)(void (*)(void))group_failed, METH_FASTCALL, NULL},
    {"eject", group_eject, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot group_slots[] = {
    {Py_tp_new, make_group}, {Py_tp_dealloc, forget_group}, {Py_tp_methods, group_methods}, {0, NULL}};

static PyType_Spec group_type = {
    .name = "sentinel_host.upstream._endpoints.Group",
    .basicsize = sizeof(group_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = group_slots,
};

/* --- the module --------------------------------------------------------------------------------------------------- */

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
  state->table = add_type(module, &table_type);
  state->cell = state->table == NULL ? NULL : add_type(module, &cell_type);
  PyTypeObject *group = state->cell == NULL ? NULL : add_type(module, &group_type);
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
