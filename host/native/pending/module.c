/* sentinel_host.http.client._pending: whether anything has come in on a socket, without reading it.
 *
 * `select.poll` gives up the GIL, builds a list and costs several times what the question does in
 * the kernel.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/socket.h>

static PyObject *has_no_pending_input(PyObject *module, PyObject *descriptor) {
  (void)module;
  long socket = PyLong_AsLong(descriptor);
  if (socket == -1 && PyErr_Occurred()) return NULL;
  if (socket < INT_MIN || socket > INT_MAX) {
    PyErr_SetString(PyExc_OverflowError, "a descriptor is a C int");
    return NULL;
  }
  char byte;
  /* An end of stream reads as nothing, without an error. */
  bool nothing = recv((int)socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
  return PyBool_FromLong(nothing);
}

static PyMethodDef functions[] = {
    {"has_no_pending_input", has_no_pending_input, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "_pending", .m_methods = functions};

PyMODINIT_FUNC PyInit__pending(void) { return PyModuleDef_Init(&module); }
