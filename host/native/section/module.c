/* sentinel_host.http.server._section: field sections of ordinary messages on HTTP/2 and HTTP/3, read
 * in one pass.
 *
 * In Python, a look-up and a check for every field of a request took 7,000 instructions.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>

#include "../fields/src/field.h"
#include "../fields/src/record.h"
#include "src/rules.h"

/* Names that are added to sections. */
typedef struct {
  PyObject *host, *method, *scheme, *authority, *path;
} module_state;

/* The pseudo-headers of a request, each NULL until it was seen; borrowed. */
typedef struct {
  PyObject *method, *path, *authority;
  bool has_scheme, is_https;
} pseudo_headers;

/* Where the value of that name belongs that is not there yet; NULL for another name. */
static PyObject **place_of(pseudo_headers *seen, snt_text name) {
  PyObject **place = SNT_IS(name, ":method")      ? &seen->method
                     : SNT_IS(name, ":path")      ? &seen->path
                     : SNT_IS(name, ":authority") ? &seen->authority
                                                  : NULL;
  return place != NULL && *place == NULL ? place : NULL;
}

static bool read_scheme(pseudo_headers *seen, snt_text value) {
  if (seen->has_scheme) return false;
  seen->has_scheme = true;
  seen->is_https = SNT_IS(value, "https");
  return seen->is_https || SNT_IS(value, "http");
}

static PyObject *value_of(const snt_fields *opened, Py_ssize_t index) {
  return PySequence_Fast_GET_ITEM(PySequence_Fast_GET_ITEM(opened->sequence, index), 1);
}

/* The number of pseudo-headers; -1 for others than an ordinary request has. */
static Py_ssize_t read_pseudo_headers(const snt_fields *opened, pseudo_headers *seen) {
  Py_ssize_t index = 0;
  for (; index < opened->count; index++) {
    snt_field field;
    if (!snt_read_field(opened, index, &field)) return -1;
    if (field.name.length == 0 || field.name.bytes[0] != ':') break;
    if (SNT_IS(field.name, ":scheme")) {
      if (!read_scheme(seen, field.value)) return -1;
      continue;
    }
    PyObject **place = place_of(seen, field.name);
    if (place == NULL) return -1;
    *place = value_of(opened, index);
    bool fits = place == &seen->path        ? snt_is_path(field.value)
                : place == &seen->authority ? snt_is_authority(field.value)
                                            : true; /* a method that is served is a token */
    if (!fits) return -1;
  }
  return seen->method != NULL && seen->path != NULL && seen->authority != NULL && seen->has_scheme ? index : -1;
}

/* Whether the regular fields are an ordinary request's. `length` is the content-length, or -1. */
static bool read_request_fields(const snt_fields *opened, Py_ssize_t from, int64_t *length) {
  bool has_cookie = false;
  *length = -1;
  for (Py_ssize_t i = from; i < opened->count; i++) {
    snt_field field;
    if (!snt_read_field(opened, i, &field) || !snt_is_bare_value(field.value)) return false;
    switch (snt_kind_of(field.name)) {
      case SNT_NAME_PLAIN:
        break;
      case SNT_NAME_COOKIE:
        if (has_cookie) return false;
        has_cookie = true;
        break;
      case SNT_NAME_LENGTH:
        if (*length >= 0 || (*length = snt_read_length(field.value)) < 0) return false;
        break;
      case SNT_NAME_TE:
        if (!SNT_IS(field.value, "trailers")) return false;
        break;
      case SNT_NAME_OTHER:
        return false;
    }
  }
  return true;
}

/* The regular fields behind "host". */
static PyObject *with_host(PyObject *host, const snt_fields *opened, Py_ssize_t from, PyObject *authority) {
  PyObject *headers = PyList_New(opened->count - from + 1);
  PyObject *first = headers == NULL ? NULL : PyTuple_Pack(2, host, authority);
  if (first == NULL) {
    Py_XDECREF(headers);
    return NULL;
  }
  PyList_SET_ITEM(headers, 0, first);
  for (Py_ssize_t i = from; i < opened->count; i++)
    PyList_SET_ITEM(headers, i - from + 1, Py_NewRef(PySequence_Fast_GET_ITEM(opened->sequence, i)));
  return headers;
}

/* None, or NULL where the fields are no pairs of bytes. */
static PyObject *not_ordinary(void) {
  if (PyErr_Occurred()) return NULL;
  Py_RETURN_NONE;
}

static PyObject *read_opened(PyObject *host, const snt_fields *opened, Py_ssize_t most) {
  pseudo_headers seen = {0};
  Py_ssize_t from = read_pseudo_headers(opened, &seen);
  int64_t length;
  if (from < 0 || opened->count - from > most || !read_request_fields(opened, from, &length)) return not_ordinary();
  PyObject *headers = with_host(host, opened, from, seen.authority);
  PyObject *number = headers == NULL ? NULL : PyLong_FromLongLong((long long)length);
  PyObject *read = number == NULL ? NULL
                                  : PyTuple_Pack(5, seen.method, seen.path, seen.is_https ? Py_True : Py_False, headers,
                                                 number);
  Py_XDECREF(number);
  Py_XDECREF(headers);
  return read;
}

static PyObject *ordinary_request(PyObject *module, PyObject *const *args, Py_ssize_t count) {
  if (count != 2) {
    PyErr_SetString(PyExc_TypeError, "ordinary_request(fields, most: int)");
    return NULL;
  }
  Py_ssize_t most = PyLong_AsSsize_t(args[1]);
  if (most == -1 && PyErr_Occurred()) return NULL;
  const module_state *state = PyModule_GetState(module);
  snt_fields opened;
  if (!snt_open_fields(args[0], &opened)) return NULL;
  PyObject *read = read_opened(state->host, &opened, most);
  Py_DECREF(opened.sequence);
  return read;
}

/* Whether the fields are an ordinary response's or its trailers'. `length` is the content-length, or
 * -1. */
static bool read_response_fields(const snt_fields *opened, Py_ssize_t from, int64_t *length) {
  *length = -1;
  for (Py_ssize_t i = from; i < opened->count; i++) {
    snt_field field;
    if (!snt_read_field(opened, i, &field) || !snt_is_bare_value(field.value)) return false;
    snt_name_kind kind = snt_kind_of(field.name);
    if (kind == SNT_NAME_OTHER) return false;
    if (kind == SNT_NAME_LENGTH && (*length >= 0 || (*length = snt_read_length(field.value)) < 0)) return false;
  }
  return true;
}

/* 0 if the first field is not a status. */
static int read_status(const snt_fields *opened) {
  snt_field field;
  if (opened->count == 0 || !snt_read_field(opened, 0, &field)) return 0;
  int64_t status = field.value.length == 3 && SNT_IS(field.name, ":status") ? snt_read_length(field.value) : 0;
  return status < 100 ? 0 : (int)status;
}

static PyObject *response_of(const snt_fields *opened, Py_ssize_t most) {
  int64_t length;
  int status = read_status(opened);
  if (status == 0 || opened->count - 1 > most || !read_response_fields(opened, 1, &length)) return not_ordinary();
  PyObject *headers = PyList_GetSlice(opened->sequence, 1, opened->count);
  PyObject *number = headers == NULL ? NULL : PyLong_FromLong(status);
  PyObject *size = number == NULL ? NULL : PyLong_FromLongLong((long long)length);
  PyObject *read = size == NULL ? NULL : PyTuple_Pack(3, number, headers, size);
  Py_XDECREF(size);
  Py_XDECREF(number);
  Py_XDECREF(headers);
  return read;
}

static PyObject *ordinary_response(PyObject *module, PyObject *const *args, Py_ssize_t count) {
  (void)module;
  if (count != 2 || !PyList_Check(args[0])) {
    PyErr_SetString(PyExc_TypeError, "ordinary_response(fields: list, most: int)");
    return NULL;
  }
  Py_ssize_t most = PyLong_AsSsize_t(args[1]);
  if (most == -1 && PyErr_Occurred()) return NULL;
  snt_fields opened = {args[0], PyList_GET_SIZE(args[0])};
  return response_of(&opened, most);
}

static PyObject *are_ordinary_trailers(PyObject *module, PyObject *fields) {
  (void)module;
  snt_fields opened;
  int64_t length;
  if (!snt_open_fields(fields, &opened)) return NULL;
  bool are = read_response_fields(&opened, 0, &length) && length < 0;
  Py_DECREF(opened.sequence);
  return PyErr_Occurred() ? NULL : PyBool_FromLong(are);
}

static PyObject *pseudo_headers_of(PyObject *module, PyObject *const *args, Py_ssize_t count) {
  snt_text method, scheme, authority, path;
  if (count != 4 || !snt_read_text(args[0], &method) || !snt_read_text(args[1], &scheme) ||
      !snt_read_text(args[2], &authority) || !snt_read_text(args[3], &path)) {
    PyErr_SetString(PyExc_TypeError, "pseudo_headers(method: bytes, scheme: bytes, authority: bytes, path: bytes)");
    return NULL;
  }
  if (!snt_is_token(method) || !snt_is_token(scheme) || !snt_is_bare_value(authority) || !snt_is_path(path))
    Py_RETURN_NONE;
  const module_state *state = PyModule_GetState(module);
  PyObject *const names[] = {state->method, state->scheme, state->authority, state->path};
  PyObject *fields = PyList_New(4);
  for (Py_ssize_t i = 0; fields != NULL && i < 4; i++) {
    PyObject *field = PyTuple_Pack(2, names[i], args[i]);
    if (field == NULL)
      Py_CLEAR(fields);
    else
      PyList_SET_ITEM(fields, i, field);
  }
  return fields;
}

static PyMethodDef functions[] = {
    {"are_ordinary_trailers", are_ordinary_trailers, METH_O, NULL},
    {"ordinary_response", (PyCFunction)(void (*)(void))ordinary_response, METH_FASTCALL, NULL},
    {"pseudo_headers", (PyCFunction)(void (*)(void))pseudo_headers_of, METH_FASTCALL, NULL},
    {"ordinary_request", (PyCFunction)(void (*)(void))ordinary_request, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

static int make_names(PyObject *module) {
  module_state *state = PyModule_GetState(module);
  bool made = (state->host = PyBytes_FromString("host")) != NULL &&
              (state->method = PyBytes_FromString(":method")) != NULL &&
              (state->scheme = PyBytes_FromString(":scheme")) != NULL &&
              (state->authority = PyBytes_FromString(":authority")) != NULL &&
              (state->path = PyBytes_FromString(":path")) != NULL;
  return made ? 0 : -1;
}

static int clear_state(PyObject *module) {
  module_state *state = PyModule_GetState(module);
  Py_CLEAR(state->host);
  Py_CLEAR(state->method);
  Py_CLEAR(state->scheme);
  Py_CLEAR(state->authority);
  Py_CLEAR(state->path);
  return 0;
}

static void free_state(void *module) { clear_state((PyObject *)module); }

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, make_names}, {0, NULL}};

static PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_section",
    .m_size = sizeof(module_state),
    .m_methods = functions,
    .m_slots = module_slots,
    .m_clear = clear_state,
    .m_free = free_state,
};

PyMODINIT_FUNC PyInit__section(void) { return PyModuleDef_Init(&module); }
