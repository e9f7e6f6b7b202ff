/* sentinel_host.http._heads: plain heads of HTTP/1.1 as Python's objects.
 *
 * Not through cffi, to which lists and byte strings are opaque.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "src/common_names.h"
#include "src/plain.h"

/* Made once: nearly all names are common, and so are neither allocated nor hashed again. */
typedef struct {
  PyObject *methods[SNT_PLAIN_METHODS];
  PyObject *names[SNT_COMMON_LENGTH + 1][SNT_COMMON_PLACES];
} state;

static PyObject *bytes_of(snt_text text) {
  return PyBytes_FromStringAndSize((const char *)text.bytes, (Py_ssize_t)text.length);
}

static PyObject *name_of(const state *objects, const snt_plain_field *field) {
  if (field->place >= 0) return Py_NewRef(objects->names[field->name.length][field->place]);
  /* Without the bytes: with them, one of a single byte would be the object that all share. */
  PyObject *name = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)field->name.length);
  if (name == NULL) return NULL;
  uint8_t *bytes = (uint8_t *)PyBytes_AS_STRING(name);
  for (size_t i = 0; i < field->name.length; i++) bytes[i] = SNT_LOWER[field->name.bytes[i]];
  return name;
}

/* A tuple of these objects, whose references it takes; NULL if one of them is NULL. */
static PyObject *tuple_of(PyObject *const *items, Py_ssize_t count) {
  PyObject *tuple = PyTuple_New(count);
  bool is_whole = tuple != NULL;
  for (Py_ssize_t i = 0; i < count; i++) {
    is_whole = is_whole && items[i] != NULL;
    if (tuple != NULL)
      PyTuple_SET_ITEM(tuple, i, items[i]);
    else
      Py_XDECREF(items[i]);
  }
  if (is_whole) return tuple;
  Py_XDECREF(tuple);
  return NULL;
}

/* All fields, or those that are not hop-by-hop. */
static PyObject *headers_of(const state *objects, const snt_plain_head *head, bool is_end_to_end) {
  PyObject *list = PyList_New((Py_ssize_t)(is_end_to_end ? head->count - head->hop_by_hop : head->count));
  if (list == NULL) return NULL;
  Py_ssize_t count = 0;
  for (size_t i = 0; i < head->count; i++) {
    if (is_end_to_end && head->fields[i].is_hop_by_hop) continue;
    PyObject *const items[] = {name_of(objects, &head->fields[i]), bytes_of(head->fields[i].value)};
    PyObject *pair = tuple_of(items, 2);
    if (pair == NULL) {
      Py_DECREF(list);
      return NULL;
    }
    PyList_SET_ITEM(list, count++, pair);
  }
  return list;
}

static bool open_text(PyObject *object, snt_text *text) {
  if (PyBytes_Check(object)) {
    *text = (snt_text){(const uint8_t *)PyBytes_AS_STRING(object), (size_t)PyBytes_GET_SIZE(object)};
    return true;
  }
  PyErr_Format(PyExc_TypeError, "a head is bytes, not %R", object);
  return false;
}

static PyObject *read_request(PyObject *module, PyObject *data) {
  const state *objects = PyModule_GetState(module);
  snt_text text;
  snt_plain_request request;
  if (!open_text(data, &text)) return NULL;
  if (!snt_read_plain_request(text, &request)) Py_RETURN_NONE;
  const snt_plain_head *head = &request.head;
  const int64_t body = head->is_chunked ? -1 : head->body > 0 ? head->body : 0;
  PyObject *const items[] = {
      PyLong_FromSize_t(head->length), Py_NewRef(objects->methods[request.method]), bytes_of(request.target),
      headers_of(objects, head, false), PyLong_FromLongLong(body),                  PyBool_FromLong(head->closes),
  };
  return tuple_of(items, sizeof items / sizeof *items);
}

static PyObject *read_response(PyObject *module, PyObject *data) {
  const state *objects = PyModule_GetState(module);
  snt_text text;
  snt_plain_response response;
  if (!open_text(data, &text)) return NULL;
  if (!snt_read_plain_response(text, &response)) Py_RETURN_NONE;
  const snt_plain_head *head = &response.head;
  PyObject *const items[] = {
      PyLong_FromSize_t(head->length),
      PyLong_FromLong((long)response.status),
      headers_of(objects, head, true),
      PyLong_FromLongLong(head->body),
      PyBool_FromLong(head->is_chunked),
      PyBool_FromLong(!head->closes),
      PyBool_FromLong(!head->has_request_id),
  };
  return tuple_of(items, sizeof items / sizeof *items);
}

static int begin(PyObject *module) {
  state *objects = PyModule_GetState(module);
  for (size_t i = 0; i < SNT_PLAIN_METHODS; i++)
    if ((objects->methods[i] = PyUnicode_InternFromString(SNT_METHODS[i])) == NULL) return -1;
  for (size_t length = 0; length <= SNT_COMMON_LENGTH; length++)
    for (size_t place = 0; place < SNT_COMMON_PLACES; place++) {
      snt_text name = snt_common_name(length, place);
      if (name.bytes == NULL) break;
      if ((objects->names[length][place] = bytes_of(name)) == NULL) return -1;
    }
  return 0;
}

static void forget(void *module) {
  state *objects = PyModule_GetState(module);
  for (size_t i = 0; i < SNT_PLAIN_METHODS; i++) Py_CLEAR(objects->methods[i]);
  for (size_t length = 0; length <= SNT_COMMON_LENGTH; length++)
    for (size_t place = 0; place < SNT_COMMON_PLACES; place++) Py_CLEAR(objects->names[length][place]);
}

static PyMethodDef functions[] = {
    {"read_request", read_request, METH_O, NULL},
    {"read_response", read_response, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {{Py_mod_exec, begin}, {0, NULL}};

static PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_heads",
    .m_size = sizeof(state),
    .m_methods = functions,
    .m_slots = slots,
    .m_free = forget,
};

PyMODINIT_FUNC PyInit__heads(void) { return PyModuleDef_Init(&module); }
