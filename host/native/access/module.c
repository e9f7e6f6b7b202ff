/* sentinel_host.observe._access: lines of the access log, of what a request's summary tells.
 *
 * A line in Python cost a sixth of a plain request's instructions. `layout` of
 * observe/access_format.py says what a line is made of.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>
#include <string.h>

#include "src/line.h"

/* How a value is written. Where there is none, or it is empty, a text other than JSON has a dash. */
typedef enum {
  JSON_STRING = 'j', /* or null */
  TEXT = 't',
  QUOTED = 'q',
  BARE = 'p',      /* quoted, without a dash */
  QUERY = '?',     /* as BARE, behind a question mark unless it is None */
  NUMBER = 'n',
  SIZE = 'b',      /* a number, with a dash for zero */
  JSON_MILLIS = 'm', /* or null */
  MILLIS = 'M',
  RFC3339 = 'z',
  JSON_TIME = 'Z', /* the same as a string */
  CLF_TIME = 'c',
  NAME = 'e', /* that of a number */
} kind;

/* What stands beside a summary: the trace's id, and the fields user-agent and referer. */
#define BESIDE 3

typedef struct {
  PyObject *literal;   /* bytes in front of the value */
  PyObject *attribute; /* of a summary; NULL if the value is beside it */
  PyObject *descriptor; /* the attribute's, of the type of summaries; NULL if it has none that decides */
  getter get;           /* the descriptor's; NULL if it has none */
  void *closure;
  PyObject *last; /* the value that is in the batch already, with the literal: most come again; or NULL */
  size_t at, length;
  Py_ssize_t beside;
  PyObject *names; /* a tuple of bytes */
  kind kind;
} piece;

typedef struct {
  PyObject_HEAD
  piece *pieces;
  Py_ssize_t count;
  PyTypeObject *type; /* of the summaries that the descriptors are for, or NULL */
  size_t around;      /* what a line takes at most beside its texts, and a step */
  snt_second rfc3339, clf;
  PyObject *end;
  PyObject *escape;
  uint8_t *bytes;
  size_t used, room;
} lines;

/* Bytes of a value at most, or of what is around a text: a dash, "null", quotes. */
#define AROUND (SNT_TIME_MAX + 2)

/* Bytes that are copied at a time. */
#define STEP 16

/* A batch's room is kept; what one long line needed beyond it is not. */
#define KEPT_ROOM ((size_t)1 << 17)

static snt_text text_of(PyObject *bytes) {
  return (snt_text){(const uint8_t *)PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes)};
}

static bool grow(lines *self, size_t more) {
  size_t room = self->room > 4096 ? self->room : 4096;
  while (room - self->used < more) room *= 2;
  uint8_t *bytes = PyMem_Realloc(self->bytes, room);
  if (bytes == NULL) {
    PyErr_NoMemory();
    return false;
  }
  self->bytes = bytes;
  self->room = room;
  return true;
}

/* Room for a text, and for what a line takes beside its texts. */
static bool reserve(lines *self, size_t text) {
  return self->room - self->used >= text + self->around || grow(self, text + self->around);
}

static void ended_at(lines *self, const uint8_t *end) { self->used = (size_t)(end - self->bytes); }

/* A part of what is around texts. */
static void put(lines *self, snt_text text) { ended_at(self, snt_put_bytes(self->bytes + self->used, text)); }

static bool put_literal(lines *self, const char *text) {
  put(self, (snt_text){(const uint8_t *)text, strlen(text)});
  return true;
}

/* Copies what is in the batch already. Most of it is shorter than what a call of the C library
 * costs. */
static bool put_again(lines *self, size_t at, size_t length) {
  if (!reserve(self, length)) return false;
  const uint8_t *from = self->bytes + at;
  uint8_t *out = self->bytes + self->used;
  /* A step may begin in one and end in the other, where a line is shorter than it. */
  for (size_t done = 0; done < length; done += STEP) memmove(out + done, from + done, STEP);
  self->used += length;
  return true;
}

/* The text of a str as UTF-8. `owner` is set to what has to be released afterwards, or to NULL. */
static bool read_text(PyObject *value, snt_text *text, PyObject **owner) {
  *owner = NULL;
  if (PyUnicode_Check(value) && PyUnicode_IS_COMPACT_ASCII(value)) {
    *text = (snt_text){PyUnicode_1BYTE_DATA(value), (size_t)PyUnicode_GET_LENGTH(value)};
    return true;
  }
  Py_ssize_t length;
  const char *bytes = PyUnicode_AsUTF8AndSize(value, &length);
  if (bytes == NULL) {
    /* It is no str, or has surrogates. */
    if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) return false;
    PyErr_Clear();
    *owner = PyUnicode_AsEncodedString(value, "utf-8", "replace");
    if (*owner == NULL) return false;
    *text = text_of(*owner);
    return true;
  }
  *text = (snt_text){(const uint8_t *)bytes, (size_t)length};
  return true;
}

static bool put_json_string(lines *self, PyObject *value) {
  if (value == Py_None) return put_literal(self, "null");
  snt_text text;
  PyObject *owner;
  if (!read_text(value, &text, &owner)) return false;
  bool has_room = reserve(self, SNT_JSON_MAX(text.length));
  if (has_room) {
    uint8_t *out = self->bytes + self->used;
    *out++ = '"';
    out = snt_put_json(out, text);
    *out++ = '"';
    ended_at(self, out);
  }
  Py_XDECREF(owner);
  return has_room;
}

static bool put_safe(lines *self, snt_text text, kind kind) {
  if (!reserve(self, SNT_QUOTED_MAX(text.length))) return false;
  uint8_t *out = self->bytes + self->used;
  ended_at(self, kind == TEXT ? snt_put_bytes(out, text) : snt_put_quoted(out, text));
  return true;
}

static bool put_escaped(lines *self, PyObject *value, kind kind) {
  PyObject *escaped = PyObject_CallOneArg(self->escape, value), *owner;
  snt_text text;
  bool done = escaped != NULL && read_text(escaped, &text, &owner);
  if (done) {
    done = put_safe(self, text, kind);
    Py_XDECREF(owner);
  }
  Py_XDECREF(escaped);
  return done;
}

static bool put_text(lines *self, PyObject *value, kind kind) {
  bool has_dash = kind == TEXT || kind == QUOTED;
  if (value == Py_None) return !has_dash || put_literal(self, "-");
  if (kind == QUERY && !put_literal(self, "?")) return false;
  snt_text text;
  PyObject *owner;
  if (!read_text(value, &text, &owner)) return false;
  bool done;
  if (text.length == 0) {
    done = !has_dash || put_literal(self, "-");
  } else {
    done = snt_is_printable(text) ? put_safe(self, text, kind) : put_escaped(self, value, kind);
  }
  Py_XDECREF(owner);
  return done;
}

static bool put_number(lines *self, PyObject *value, const piece *piece) {
  if (value == Py_None) return put_literal(self, piece->kind == JSON_MILLIS ? "null" : "-");
  _Static_assert(sizeof(Py_ssize_t) == sizeof(int64_t), "microseconds since 1970 need 64 bits");
  Py_ssize_t read = PyLong_AsSsize_t(value);
  if (read == -1 && PyErr_Occurred()) return false;
  uint64_t number = read < 0 ? 0 : (uint64_t)read;
  if (piece->kind == NAME) {
    if (number < (uint64_t)PyTuple_GET_SIZE(piece->names)) {
      put(self, text_of(PyTuple_GET_ITEM(piece->names, (Py_ssize_t)number)));
      return true;
    }
    PyErr_Format(PyExc_ValueError, "%U: %zd has no name", piece->attribute, read);
    return false;
  }
  if (piece->kind == SIZE && number == 0) return put_literal(self, "-");
  uint8_t *out = self->bytes + self->used;
  switch (piece->kind) {
    case RFC3339: out = snt_put_rfc3339(out, &self->rfc3339, number); break;
    case JSON_TIME:
      *out++ = '"';
      out = snt_put_rfc3339(out, &self->rfc3339, number);
      *out++ = '"';
      break;
    case CLF_TIME: out = snt_put_clf_time(out, &self->clf, number); break;
    case MILLIS:
    case JSON_MILLIS: out = snt_put_millis(out, number); break;
    default: out = snt_put_count(out, number);
  }
  ended_at(self, out);
  return true;
}

static bool put_value(lines *self, PyObject *value, const piece *piece) {
  switch (piece->kind) {
    case JSON_STRING: return put_json_string(self, value);
    case TEXT:
    case QUOTED:
    case BARE:
    case QUERY: return put_text(self, value, piece->kind);
    default: return put_number(self, value, piece);
  }
}

static PyObject *attribute_of(const piece *piece, PyObject *summary) {
  if (piece->get != NULL) return piece->get(summary, piece->closure);
  if (piece->descriptor == NULL) return PyObject_GetAttr(summary, piece->attribute);
  return Py_TYPE(piece->descriptor)->tp_descr_get(piece->descriptor, summary, (PyObject *)Py_TYPE(summary));
}

static bool put_piece(lines *self, piece *piece, PyObject *summary, PyObject *const *beside) {
  PyObject *value = piece->attribute == NULL ? Py_NewRef(beside[piece->beside]) : attribute_of(piece, summary);
  if (value == NULL) return false;
  if (value == piece->last) {
    Py_DECREF(value);
    return put_again(self, piece->at, piece->length);
  }
  size_t at = self->used;
  put(self, text_of(piece->literal));
  bool done = put_value(self, value, piece);
  /* `escape` is Python, which may do anything. */
  if (done && self->used >= at) {
    piece->at = at;
    piece->length = self->used - at;
    Py_XSETREF(piece->last, value);
  } else {
    Py_DECREF(value);
  }
  return done;
}

/* What is in the batch will not be there any more. */
static void forget_values(lines *self) {
  for (Py_ssize_t index = 0; index < self->count; index++) Py_CLEAR(self->pieces[index].last);
}

/* Look the attributes up that summaries of a type have; a look-up costs more than the rest of a
 * short value. */
static bool learn(lines *self, PyTypeObject *type) {
  for (Py_ssize_t index = 0; index < self->count; index++) {
    piece *piece = &self->pieces[index];
    if (piece->attribute == NULL) continue;
    PyObject *found = PyObject_GetAttr((PyObject *)type, piece->attribute);
    if (found == NULL) {
      if (!PyErr_ExceptionMatches(PyExc_AttributeError)) return false;
      PyErr_Clear();
    } else if (Py_TYPE(found)->tp_descr_get == NULL || Py_TYPE(found)->tp_descr_set == NULL) {
      /* An object's own attribute would come first. */
      Py_CLEAR(found);
    }
    piece->get = NULL;
    if (found != NULL && Py_IS_TYPE(found, &PyGetSetDescr_Type) && PyType_IsSubtype(type, PyDescr_TYPE(found))) {
      const PyGetSetDef *definition = ((PyGetSetDescrObject *)found)->d_getset;
      piece->get = definition->get;
      piece->closure = definition->closure;
    }
    Py_XSETREF(piece->descriptor, found);
  }
  Py_XSETREF(self->type, (PyTypeObject *)Py_NewRef(type));
  return true;
}

static PyObject *lines_add(PyObject *object, PyObject *const *args, Py_ssize_t count) {
  lines *self = (lines *)object;
  if (count != 1 + BESIDE) {
    PyErr_SetString(PyExc_TypeError, "add(summary, trace_id: str, user_agent: str, referer: str)");
    return NULL;
  }
  if (self->type != Py_TYPE(args[0]) && !learn(self, Py_TYPE(args[0]))) return NULL;
  size_t before = self->used;
  bool done = reserve(self, 0);
  for (Py_ssize_t index = 0; done && index < self->count; index++) {
    done = put_piece(self, &self->pieces[index], args[0], args + 1);
  }
  if (!done) {
    /* A line that cannot be finished is none. */
    self->used = before;
    forget_values(self);
    return NULL;
  }
  put(self, text_of(self->end));
  return PyLong_FromSize_t(self->used);
}

static PyObject *lines_take(PyObject *object, PyObject *nothing) {
  (void)nothing;
  lines *self = (lines *)object;
  PyObject *taken = PyBytes_FromStringAndSize((const char *)self->bytes, (Py_ssize_t)self->used);
  if (taken == NULL) return NULL;
  self->used = 0;
  forget_values(self);
  if (self->room > KEPT_ROOM) {
    PyMem_Free(self->bytes);
    self->bytes = NULL;
    self->room = 0;
  }
  return taken;
}

static bool is_kind(int code) { return code > 0 && code < 128 && strchr("jtqp?nbmMzZce", code) != NULL; }

/* Takes (literal, kind, attribute or place beside the summary, names) into a piece. */
static bool take_piece(piece *made, PyObject *tuple) {
  PyObject *literal, *source, *names;
  int code;
  if (!PyTuple_Check(tuple) || !PyArg_ParseTuple(tuple, "SCOO!", &literal, &code, &source, &PyTuple_Type, &names)) {
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, "a piece is a tuple");
    return false;
  }
  Py_ssize_t beside = 0;
  if (!PyUnicode_Check(source)) {
    beside = PyLong_AsSsize_t(source);
    if (beside == -1 && PyErr_Occurred()) return false;
  }
  for (Py_ssize_t index = 0; index < PyTuple_GET_SIZE(names); index++) {
    PyObject *name = PyTuple_GET_ITEM(names, index);
    if (!PyBytes_Check(name) || PyBytes_GET_SIZE(name) > AROUND) code = 0;
  }
  if (!is_kind(code) || beside < 0 || beside >= BESIDE || (code == NAME && !PyUnicode_Check(source))) {
    PyErr_SetString(PyExc_ValueError, "a piece's kind, place or names are not known");
    return false;
  }
  *made = (piece){.literal = Py_NewRef(literal), .names = Py_NewRef(names), .beside = beside, .kind = (kind)code};
  if (PyUnicode_Check(source)) {
    made->attribute = Py_NewRef(source);
    /* Compared by its address when the attribute is looked up. */
    PyUnicode_InternInPlace(&made->attribute);
  }
  return true;
}

static PyObject *make_lines(PyTypeObject *type, PyObject *args, PyObject *keywords) {
  static char *names[] = {"", "", "", NULL};
  PyObject *pieces, *end, *escape;
  if (!PyArg_ParseTupleAndKeywords(args, keywords, "O!SO", names, &PyTuple_Type, &pieces, &end, &escape)) return NULL;
  lines *self = (lines *)type->tp_alloc(type, 0);
  if (self == NULL) return NULL;
  self->end = Py_NewRef(end);
  self->escape = Py_NewRef(escape);
  size_t count = (size_t)PyTuple_GET_SIZE(pieces);
  self->pieces = PyMem_Calloc(count > 0 ? count : 1, sizeof *self->pieces);
  bool done = self->pieces != NULL;
  if (!done) PyErr_NoMemory();
  self->around = (size_t)PyBytes_GET_SIZE(end) + STEP;
  for (; done && self->count < PyTuple_GET_SIZE(pieces); self->count += done) {
    piece *piece = &self->pieces[self->count];
    done = take_piece(piece, PyTuple_GET_ITEM(pieces, self->count));
    if (done) self->around += (size_t)PyBytes_GET_SIZE(piece->literal) + AROUND;
  }
  if (done) return (PyObject *)self;
  Py_DECREF(self);
  return NULL;
}

static void forget_lines(PyObject *object) {
  lines *self = (lines *)object;
  PyTypeObject *type = Py_TYPE(object);
  for (Py_ssize_t index = 0; index < self->count; index++) {
    Py_DECREF(self->pieces[index].literal);
    Py_DECREF(self->pieces[index].names);
    Py_XDECREF(self->pieces[index].attribute);
    Py_XDECREF(self->pieces[index].descriptor);
    Py_XDECREF(self->pieces[index].last);
  }
  PyMem_Free(self->pieces);
  PyMem_Free(self->bytes);
  Py_XDECREF(self->type);
  Py_DECREF(self->end);
  Py_DECREF(self->escape);
  type->tp_free(object);
  Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"add", (PyCFunction)(void (*)(void))lines_add, METH_FASTCALL, NULL},
    {"take", lines_take, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, make_lines},
    {Py_tp_dealloc, forget_lines},
    {Py_tp_methods, methods},
    {0, NULL},
};

static PyType_Spec lines_type = {
    .name = "sentinel_host.observe._access.Lines",
    .basicsize = sizeof(lines),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

static int fill(PyObject *module) {
  PyObject *type = PyType_FromModuleAndSpec(module, &lines_type, NULL);
  if (type == NULL) return -1;
  int added = PyModule_AddType(module, (PyTypeObject *)type);
  Py_DECREF(type);
  return added;
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, fill}, {0, NULL}};

static PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "_access", .m_slots = module_slots};

PyMODINIT_FUNC PyInit__access(void) { return PyModuleDef_Init(&module); }
