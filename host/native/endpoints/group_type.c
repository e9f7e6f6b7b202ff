/* Group: an upstream's endpoints, among which a request's is picked. */
#include "module.h"

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
  uint32_t picked = snt_pick(group, hash, excluded, tried, snt_now_ms());
  if (picked == SNT_NO_MEMBER) return PyLong_FromLong(-1);
  snt_group_begins(group, picked);
  return PyLong_FromUnsignedLong(picked);
}

static PyObject *group_take(PyObject *self, PyObject *number) {
  snt_group *group = &((group_object *)self)->group;
  uint32_t index = index_of(group, number);
  if (index == UINT32_MAX) return NULL;
  bool may = snt_may_use(group, index, snt_now_ms());
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
  uint64_t ejected = snt_group_failed(group, index, (uint32_t)kind, client, confirmed != 0, snt_now_ms());
  return PyLong_FromUnsignedLongLong(ejected);
}

static PyObject *group_eject(PyObject *self, PyObject *number) {
  snt_group *group = &((group_object *)self)->group;
  uint32_t index = index_of(group, number);
  if (index == UINT32_MAX) return NULL;
  return PyLong_FromUnsignedLongLong(snt_group_eject(group, index, snt_now_ms()));
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

PyType_Spec snt_group_type = {
    .name = "sentinel_host.upstream._endpoints.Group",
    .basicsize = sizeof(group_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = group_slots,
};
