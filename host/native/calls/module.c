/* sentinel_host.native._calls: a guest's hook called without what cffi does for each argument and
 * around each call, and the hooks of a chain without Python between them.
 *
 * The code that is called stays where it is, behind cffi: this module gets its addresses. It keeps
 * the GIL, which a call gives up at the next tick anyway.
 */
#include "src/answer.h"
#include "src/chain.h"

_Static_assert(_Generic(&snt_call, snt_call_function *: true, default: false), "snt_call has changed");
_Static_assert(_Generic(&snt_guest_output, snt_output_function *: true, default: false), "snt_guest_output has changed");
_Static_assert(_Generic(&snt_guest_move, snt_move_function *: true, default: false), "snt_guest_move has changed");

snt_call_function *snt_calls_hook;
snt_output_function *snt_calls_output;
snt_move_function *snt_calls_move;

static PyObject *bind(PyObject *module, PyObject *args) {
  (void)module;
  unsigned long long call_address, output_address, move_address;
  if (!PyArg_ParseTuple(args, "KKK", &call_address, &output_address, &move_address)) return NULL;
  snt_calls_hook = (snt_call_function *)(uintptr_t)call_address;
  snt_calls_output = (snt_output_function *)(uintptr_t)output_address;
  snt_calls_move = (snt_move_function *)(uintptr_t)move_address;
  Py_RETURN_NONE;
}

static bool read_list(PyObject *object, snt_list *list) {
  if (!PyBytes_Check(object)) {
    PyErr_Format(PyExc_TypeError, "a list for a guest is bytes, not %R", (PyObject *)Py_TYPE(object));
    return false;
  }
  *list = (snt_list){(const uint8_t *)PyBytes_AS_STRING(object), (size_t)PyBytes_GET_SIZE(object)};
  return true;
}

/* The arguments of `call`. Returns what `snt_call` does; Python's exception is set where `guest` is
 * NULL then. */
static int64_t run_hook(PyObject *const *args, Py_ssize_t count, snt_guest **guest) {
  snt_list first, second, label;
  *guest = NULL;
  if (count != 6 || snt_calls_hook == NULL) {
    PyErr_SetString(PyExc_TypeError, "call takes six arguments, once it is bound");
    return 0;
  }
  snt_guest *called = PyLong_AsVoidPtr(args[0]);
  unsigned long slot = PyLong_AsUnsignedLong(args[1]);
  if (PyErr_Occurred()) return 0;
  if (called == NULL) {
    PyErr_SetString(PyExc_ValueError, "the instance is closed");
    return 0;
  }
  if (!read_list(args[2], &first) || !read_list(args[3], &second) || !read_list(args[5], &label)) return 0;
  *guest = called;
  return snt_calls_hook(called, (uint32_t)slot, first.bytes, first.length, second.bytes, second.length,
                        args[4] == Py_True, (const char *)label.bytes);
}

static bool is_plain_length(int64_t length) { return length > 0 && length < SNT_RETIRABLE; }

static PyObject *to_bytes(snt_text text) {
  return PyBytes_FromStringAndSize((const char *)text.bytes, (Py_ssize_t)text.length);
}

static PyObject *call(PyObject *module, PyObject *const *args, Py_ssize_t count) {
  (void)module;
  snt_guest *guest;
  int64_t length = run_hook(args, count, &guest);
  if (guest == NULL) return NULL;
  if (length == 0) Py_RETURN_NONE;
  if (!is_plain_length(length)) return PyLong_FromLongLong(length);
  return to_bytes((snt_text){snt_calls_output(guest), (size_t)length});
}

/* Bytes in the chunk's place are copied once, and not with their answer first. */
static PyObject *call_chunk(PyObject *module, PyObject *const *args, Py_ssize_t count) {
  (void)module;
  snt_guest *guest;
  snt_text chunk;
  int64_t length = run_hook(args, count, &guest);
  if (guest == NULL) return NULL;
  if (length == 0) Py_RETURN_NONE;
  if (!is_plain_length(length)) return PyLong_FromLongLong(length);
  snt_text answer = {snt_calls_output(guest), (size_t)length};
  if (!snt_read_chunk_answer(answer, &chunk)) return to_bytes(answer);
  PyObject *bytes = to_bytes(chunk);
  if (bytes == NULL) return NULL;
  PyObject *found = PyTuple_Pack(1, bytes);
  Py_DECREF(bytes);
  return found;
}

static PyMethodDef functions[] = {
    {"bind", bind, METH_VARARGS, NULL},
    {"call", (PyCFunction)(void (*)(void))call, METH_FASTCALL, NULL},
    {"call_chunk", (PyCFunction)(void (*)(void))call_chunk, METH_FASTCALL, NULL},
    {"run_request", (PyCFunction)(void (*)(void))snt_run_request, METH_FASTCALL, NULL},
    {"run_response", (PyCFunction)(void (*)(void))snt_run_response, METH_FASTCALL, NULL},
    {"run_completion", (PyCFunction)(void (*)(void))snt_run_completion, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

static int execute(PyObject *module) {
  PyObject *hooks = PyType_FromSpec(&snt_hooks_spec);
  if (hooks == NULL) return -1;
  int added = PyModule_AddObjectRef(module, "Hooks", hooks);
  Py_DECREF(hooks);
  return added;
}

static PyModuleDef_Slot phases[] = {{Py_mod_exec, execute}, {0, NULL}};

static PyModuleDef module = {
    PyModuleDef_HEAD_INIT, .m_name = "_calls", .m_methods = functions, .m_slots = phases};

PyMODINIT_FUNC PyInit__calls(void) { return PyModuleDef_Init(&module); }
