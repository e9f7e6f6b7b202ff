/* sentinel_host.limiter._check: what every limited request does, without cffi's work for each
 * argument.
 *
 * The limiter itself is behind cffi (_table), and so is the one copy of its code: a `Check` calls
 * it by the address that cffi tells.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#include "src/limiter.h"
#include "src/state.h"

typedef int64_t check_function(snt_table *table, const snt_limit *limit, const uint8_t *key, size_t length);

_Static_assert(offsetof(PyBytesObject, ob_sval) % _Alignof(snt_limit) == 0, "a limit is read where a bytes object has it");

typedef struct {
  PyObject_HEAD
  vectorcallfunc call;
  check_function *function;
  snt_table *table;
} check;

/* `name` with what a verdict tells behind it: a member of `RateLimit`. */
static PyObject *member_of(PyObject *name, int64_t verdict) {
  uint8_t state[SNT_STATE_MAX];
  size_t size = snt_put_state(state, verdict);
  Py_ssize_t length = PyBytes_GET_SIZE(name);
  PyObject *member = PyBytes_FromStringAndSize(NULL, length + (Py_ssize_t)size);
  if (member == NULL) return NULL;
  char *out = PyBytes_AS_STRING(member);
  memcpy(out, PyBytes_AS_STRING(name), (size_t)length);
  memcpy(out + length, state, size);
  return member;
}

/* A field's name, and a value that is its own with what a verdict tells behind it. */
static PyObject *field_of(PyObject *begun, int64_t verdict) {
  PyObject *value = member_of(PyTuple_GET_ITEM(begun, 1), verdict);
  if (value == NULL) return NULL;
  PyObject *field = PyTuple_New(2);
  if (field == NULL) {
    Py_DECREF(value);
    return NULL;
  }
  PyTuple_SET_ITEM(field, 0, Py_NewRef(PyTuple_GET_ITEM(begun, 0)));
  PyTuple_SET_ITEM(field, 1, value);
  return field;
}

static bool is_field(PyObject *object) {
  return PyTuple_Check(object) && PyTuple_GET_SIZE(object) == 2 && PyBytes_Check(PyTuple_GET_ITEM(object, 1));
}

static PyObject *call_check(PyObject *self, PyObject *const *args, size_t count, PyObject *names) {
  Py_ssize_t given = PyVectorcall_NARGS(count);
  if (names != NULL || given < 2 || given > 3 || !PyBytes_Check(args[0]) || !PyBytes_Check(args[1]) ||
      PyBytes_GET_SIZE(args[0]) != sizeof(snt_limit) || (given == 3 && !is_field(args[2]))) {
    PyErr_SetString(PyExc_TypeError,
                    "check(limit: bytes, key: bytes[, begun: tuple[bytes, bytes]]), where the limit is an snt_limit");
    return NULL;
  }
  const check *of = (check *)self;
  const snt_limit *limit = (const snt_limit *)(const void *)PyBytes_AS_STRING(args[0]);
  const uint8_t *key = (const uint8_t *)PyBytes_AS_STRING(args[1]);
  int64_t verdict = of->function(of->table, limit, key, (size_t)PyBytes_GET_SIZE(args[1]));
  if (given == 2) return PyLong_FromLongLong(verdict);
  return verdict < 0 ? PyLong_FromUnsignedLong(snt_seconds_of(verdict)) : field_of(args[2], verdict);
}

static PyObject *make_check(PyTypeObject *type, PyObject *args, PyObject *names) {
  unsigned long long function, table;
  static char *keywords[] = {"", "", NULL};
  if (!PyArg_ParseTupleAndKeywords(args, names, "KK", keywords, &function, &table)) return NULL;
  if (function == 0 || table == 0) {
    PyErr_SetString(PyExc_ValueError, "an address is not zero");
    return NULL;
  }
  check *made = (check *)type->tp_alloc(type, 0);
  if (made == NULL) return NULL;
  made->call = call_check;
  made->function = (check_function *)(uintptr_t)function;
  made->table = (snt_table *)(uintptr_t)table;
  return (PyObject *)made;
}

static void forget_check(PyObject *self) {
  PyTypeObject *type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

static PyMemberDef members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(check, call), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, make_check},
    {Py_tp_dealloc, forget_check},
    {Py_tp_call, PyVectorcall_Call},
    {Py_tp_members, members},
    {0, NULL},
};

static PyType_Spec check_type = {
    .name = "sentinel_host.limiter._check.Check",
    .basicsize = sizeof(check),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

static PyObject *state_member(PyObject *module, PyObject *const *args, Py_ssize_t count) {
  (void)module;
  if (count != 2 || !PyBytes_Check(args[0]) || !PyLong_Check(args[1])) {
    PyErr_SetString(PyExc_TypeError, "state_member(name: bytes, packed: int)");
    return NULL;
  }
  return member_of(args[0], (int64_t)PyLong_AsUnsignedLongLongMask(args[1]));
}

static PyMethodDef functions[] = {
    {"state_member", (PyCFunction)(void (*)(void))state_member, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

static int add_type(PyObject *module) {
  PyObject *type = PyType_FromModuleAndSpec(module, &check_type, NULL);
  if (type == NULL) return -1;
  int added = PyModule_AddType(module, (PyTypeObject *)type);
  Py_DECREF(type);
  return added;
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, add_type}, {0, NULL}};

static PyModuleDef module = {
    PyModuleDef_HEAD_INIT, .m_name = "_check", .m_methods = functions, .m_slots = module_slots};

PyMODINIT_FUNC PyInit__check(void) { return PyModuleDef_Init(&module); }
