/* The decoder of one direction of one connection: the dynamic table, and blocks as lists of fields.
 *
 * A field of a table is a tuple that all lists share in which it stands.
 */
#include "module.h"

/* SETTINGS_HEADER_TABLE_SIZE, whose default we leave as it is, and the most entries that it has
 * room for. */
#define TABLE_SIZE 4096
#define ENTRIES (TABLE_SIZE / SNT_ENTRY_COST)
/* A list beyond that many times the limit ends the connection. */
#define HARD_LIMIT 8
/* Strings that fit are decoded without asking for memory. */
#define USUAL 1024

typedef struct {
  PyObject_HEAD
  PyObject *fixed; /* the static table, a tuple */
  PyObject **ring; /* the dynamic table; NULL while nothing was ever added */
  size_t oldest, count, size, most;
  size_t limit, field_cost, saved_by_crumb;
} decoder;

static bool refuse(const char *reason) {
  PyErr_SetString(PyExc_ValueError, reason);
  return false;
}

static bool refuse_found(snt_found found) {
  return refuse(found == SNT_TOO_SHORT ? "a header block ends early" : "an integer too large");
}

static size_t name_length(PyObject *field) { return (size_t)PyBytes_GET_SIZE(PyTuple_GET_ITEM(field, 0)); }

static size_t size_of(PyObject *field) {
  return name_length(field) + (size_t)PyBytes_GET_SIZE(PyTuple_GET_ITEM(field, 1));
}

/* A borrowed reference; NULL with an error. */
static PyObject *entry(const decoder *self, uint32_t index) {
  if (index == 0) {
    refuse("index zero");
    return NULL;
  }
  if (index <= SNT_STATIC_COUNT) return PyTuple_GET_ITEM(self->fixed, index - 1);
  index -= SNT_STATIC_COUNT;
  if (index > self->count) {
    refuse("an index beyond the table");
    return NULL;
  }
  return self->ring[(self->oldest + self->count - index) % ENTRIES];
}

static void evict(decoder *self) {
  while (self->size > self->most) {
    PyObject *field = self->ring[self->oldest];
    self->size -= size_of(field) + SNT_ENTRY_COST;
    self->oldest = (self->oldest + 1) % ENTRIES;
    self->count--;
    Py_DECREF(field);
  }
}

static bool add(decoder *self, PyObject *field) {
  size_t cost = size_of(field) + SNT_ENTRY_COST;
  /* What is larger than the table empties it (section 4.4). Room is made first: as many as fit are
   * as many as there is room for. */
  bool fits = cost <= self->most;
  size_t most = self->most;
  self->most = fits ? most - cost : 0;
  evict(self);
  self->most = most;
  if (!fits) return true;
  if (self->ring == NULL && (self->ring = PyMem_Calloc(ENTRIES, sizeof *self->ring)) == NULL) {
    PyErr_NoMemory();
    return false;
  }
  self->ring[(self->oldest + self->count++) % ENTRIES] = Py_NewRef(field);
  self->size += cost;
  return true;
}

static bool resize(decoder *self, size_t size) {
  if (size > TABLE_SIZE) return refuse("a table size beyond the setting");
  self->most = size;
  evict(self);
  return true;
}

static PyObject *make_coded(snt_text coded) {
  uint8_t usual[USUAL], *room = usual;
  if (SNT_HUFFMAN_MAX(coded.length) > USUAL && (room = PyMem_Malloc(SNT_HUFFMAN_MAX(coded.length))) == NULL)
    return PyErr_NoMemory();
  size_t length;
  PyObject *made = NULL;
  if (snt_huffman_decode(coded, room, &length))
    made = PyBytes_FromStringAndSize((const char *)room, (Py_ssize_t)length);
  else
    refuse("a malformed Huffman code");
  if (room != usual) PyMem_Free(room);
  return made;
}

static PyObject *make_string(snt_string string) {
  if (string.is_coded) return make_coded(string.text);
  return PyBytes_FromStringAndSize((const char *)string.text.bytes, (Py_ssize_t)string.text.length);
}

static PyObject *make_literal(const decoder *self, const snt_representation *read) {
  PyObject *name;
  if (read->index == 0) {
    name = make_string(read->name);
  } else {
    name = entry(self, read->index);
    if (name != NULL) name = Py_NewRef(PyTuple_GET_ITEM(name, 0));
  }
  PyObject *value = name == NULL ? NULL : make_string(read->value);
  PyObject *field = value == NULL ? NULL : PyTuple_New(2);
  if (field == NULL) {
    Py_XDECREF(name);
    Py_XDECREF(value);
    return NULL;
  }
  PyTuple_SET_ITEM(field, 0, name);
  PyTuple_SET_ITEM(field, 1, value);
  return field;
}

/* A new reference; NULL with an error. */
static PyObject *make_field(decoder *self, const snt_representation *read) {
  if (read->kind == SNT_INDEXED) return Py_XNewRef(entry(self, read->index));
  PyObject *field = make_literal(self, read);
  if (field != NULL && read->kind == SNT_LITERAL_ADDED && !add(self, field)) Py_CLEAR(field);
  return field;
}

static bool is_cookie(PyObject *field) {
  return name_length(field) == 6 && memcmp(PyBytes_AS_STRING(PyTuple_GET_ITEM(field, 0)), "cookie", 6) == 0;
}

/* The size of the list with that field. */
static size_t grown(const decoder *self, size_t size, PyObject *field, bool *has_cookie) {
  size += size_of(field) + self->field_cost;
  if (is_cookie(field)) {
    if (*has_cookie) size -= self->saved_by_crumb;
    *has_cookie = true;
  }
  return size;
}

/* Read a block into `fields`, as far as they are within the limit. */
static bool read_block(decoder *self, snt_text block, PyObject *fields, bool *is_whole) {
  size_t size = 0;
  bool has_cookie = false;
  while (block.length > 0) {
    snt_representation read;
    snt_found found = snt_next_representation(&block, &read);
    if (found != SNT_READ) return refuse_found(found);
    if (read.kind == SNT_TABLE_SIZE) {
      if (size > 0) return refuse("a table size update after a field");
      if (!resize(self, read.index)) return false;
      continue;
    }
    PyObject *field = make_field(self, &read);
    if (field == NULL) return false;
    size = grown(self, size, field, &has_cookie);
    bool goes_on = size > self->limit || PyList_Append(fields, field) == 0;
    Py_DECREF(field);
    if (!goes_on) return false;
    if (size > self->limit * HARD_LIMIT) {
      PyErr_SetString(PyExc_OverflowError, "a header list far beyond the limit");
      return false;
    }
  }
  *is_whole = size <= self->limit;
  return true;
}

static PyObject *decode(PyObject *self, PyObject *bytes) {
  if (!PyBytes_Check(bytes)) {
    PyErr_SetString(PyExc_TypeError, "decode(block: bytes)");
    return NULL;
  }
  snt_text block = {(const uint8_t *)PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes)};
  PyObject *fields = PyList_New(0);
  bool is_whole = false;
  PyObject *result = NULL;
  if (fields != NULL && read_block((decoder *)self, block, fields, &is_whole))
    result = PyTuple_Pack(2, fields, is_whole ? Py_True : Py_False);
  Py_XDECREF(fields);
  return result;
}

static bool is_field(PyObject *pair) {
  return PyTuple_CheckExact(pair) && PyTuple_GET_SIZE(pair) == 2 && PyBytes_CheckExact(PyTuple_GET_ITEM(pair, 0)) &&
         PyBytes_CheckExact(PyTuple_GET_ITEM(pair, 1));
}

static PyObject *make_decoder(PyTypeObject *type, PyObject *args, PyObject *names) {
  PyObject *fixed;
  Py_ssize_t limit, field_cost, saved_by_crumb;
  static char *keywords[] = {"static_table", "limit", "field_cost", "saved_by_crumb", NULL};
  if (!PyArg_ParseTupleAndKeywords(args, names, "O!nnn", keywords, &PyTuple_Type, &fixed, &limit, &field_cost,
                                   &saved_by_crumb))
    return NULL;
  bool is_table = PyTuple_GET_SIZE(fixed) == SNT_STATIC_COUNT;
  for (Py_ssize_t i = 0; is_table && i < SNT_STATIC_COUNT; i++) is_table = is_field(PyTuple_GET_ITEM(fixed, i));
  bool fits = limit >= 0 && limit <= PY_SSIZE_T_MAX / HARD_LIMIT && field_cost >= 1 && saved_by_crumb >= 0 &&
              saved_by_crumb <= field_cost + 6;
  if (!is_table || !fits) {
    PyErr_SetString(PyExc_ValueError, "no static table, or numbers out of range");
    return NULL;
  }
  decoder *made = (decoder *)type->tp_alloc(type, 0);
  if (made == NULL) return NULL;
  made->fixed = Py_NewRef(fixed);
  made->most = TABLE_SIZE;
  made->limit = (size_t)limit;
  made->field_cost = (size_t)field_cost;
  made->saved_by_crumb = (size_t)saved_by_crumb;
  return (PyObject *)made;
}

static void forget_decoder(PyObject *object) {
  PyTypeObject *type = Py_TYPE(object);
  decoder *self = (decoder *)object;
  self->most = 0;
  evict(self);
  PyMem_Free(self->ring);
  Py_DECREF(self->fixed);
  type->tp_free(object);
  Py_DECREF(type);
}

static PyMethodDef methods[] = {{"decode", decode, METH_O, NULL}, {NULL, NULL, 0, NULL}};

static PyType_Slot slots[] = {
    {Py_tp_new, make_decoder}, {Py_tp_dealloc, forget_decoder}, {Py_tp_methods, methods}, {0, NULL}};

PyType_Spec snt_decoder_type = {
    .name = "sentinel_host.http.h2._hpack.Decoder",
    .basicsize = sizeof(decoder),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};
