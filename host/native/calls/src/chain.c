#include "chain.h"

#include <string.h>

#include "../../fields/src/record.h"
#include "answer.h"
#include "edited.h"
#include "known.h"

/* One hook: its place in the chain, the idle instances (NULL where C cannot call it), and its
 * number in C. */
typedef struct {
  PyObject *place, *idle;
  uint32_t slot;
  snt_answer_limits limits;
  snt_known *known; /* owned */
} hook;

typedef struct {
  PyObject_VAR_HEAD
  PyObject *address;    /* the name of an instance's attribute */
  PyTypeObject *type;   /* of instances, once there was one */
  PyObject *descriptor; /* of the attribute in that type */
  hook hooks[1];
} hooks;

/* The order of a request's values, and of a response's. A request of a client that showed a
 * certificate has one value more. */
enum { METHOD, PATH, QUERY, HEADERS, REQUEST_VALUES = 10, MOST_REQUEST_VALUES };
enum { STATUS, RESPONSE_HEADERS, RESPONSE_VALUES = 3 };
enum { SUMMARY_VALUES = 19 };

/* Of an edited record; nearly all fit. */
enum { ROOM = 2048 };

/* A run that is under way. Its record is in `packed`, in one of `edited`, or in `given`, which
 * Python had already; it has no bytes after an edit, until it is made again of the `values`. These
 * are the caller's, but for those that `edited_values` has instead. What an edit made is owned. */
typedef struct {
  hooks *chain;
  Py_ssize_t index, count;
  snt_text record;
  PyObject *given, *contexts, *head;
  const char *label;
  PyObject *const *values;
  uint32_t owned;
  snt_layout layout;
  PyObject *edited_values[MOST_REQUEST_VALUES];
  snt_writer packed;
  uint8_t edited[2][ROOM];
} run;

/* What became of one hook. */
typedef enum { GO_ON, ANSWERED, STOPPED, FAILED } step;

/* The answer of the call that has just ended; Python's exception is set after FAILED. */
typedef struct {
  PyObject *instance, *result; /* of STOPPED; owned, or NULL */
  snt_guest *suspended;        /* of STOPPED, or NULL */
  snt_text text;               /* of ANSWERED */
} outcome;

static int traverse(PyObject *self, visitproc visit, void *arg) {
  hooks *chain = (hooks *)self;
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(chain->type);
  Py_VISIT(chain->descriptor);
  for (Py_ssize_t i = 0; i < Py_SIZE(self); i++) {
    Py_VISIT(chain->hooks[i].place);
    Py_VISIT(chain->hooks[i].idle);
  }
  return 0;
}

static int clear(PyObject *self) {
  hooks *chain = (hooks *)self;
  for (Py_ssize_t i = 0; i < Py_SIZE(self); i++) {
    Py_CLEAR(chain->hooks[i].place);
    Py_CLEAR(chain->hooks[i].idle);
  }
  return 0;
}

static void dealloc(PyObject *self) {
  PyTypeObject *type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  clear(self);
  for (Py_ssize_t i = 0; i < Py_SIZE(self); i++) snt_known_free(((hooks *)self)->hooks[i].known);
  Py_CLEAR(((hooks *)self)->address);
  Py_CLEAR(((hooks *)self)->type);
  Py_CLEAR(((hooks *)self)->descriptor);
  type->tp_free(self);
  Py_DECREF(type);
}

static bool read_hook(PyObject *entry, hook *read) {
  PyObject *place, *idle;
  unsigned int slot;
  Py_ssize_t edits, header_bytes, context_bytes;
  if (PyLong_Check(entry)) {
    read->place = Py_NewRef(entry);
    return true;
  }
  if (!PyArg_ParseTuple(entry, "O!O!Innn", &PyLong_Type, &place, &PyList_Type, &idle, &slot, &edits, &header_bytes,
                        &context_bytes))
    return false;
  read->place = Py_NewRef(place);
  read->idle = Py_NewRef(idle);
  read->slot = slot;
  read->limits = (snt_answer_limits){(size_t)edits, (size_t)header_bytes, (size_t)context_bytes};
  return true;
}

static PyObject *new_hooks(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
  PyObject *entries;
  if (kwargs != NULL && PyDict_GET_SIZE(kwargs) != 0) {
    PyErr_SetString(PyExc_TypeError, "Hooks takes no keywords");
    return NULL;
  }
  if (!PyArg_ParseTuple(args, "O!", &PyTuple_Type, &entries)) return NULL;
  Py_ssize_t count = PyTuple_GET_SIZE(entries);
  hooks *made = (hooks *)type->tp_alloc(type, count);
  if (made == NULL) return NULL;
  made->address = PyUnicode_InternFromString("address");
  bool is_good = made->address != NULL;
  for (Py_ssize_t i = 0; i < count && is_good; i++) is_good = read_hook(PyTuple_GET_ITEM(entries, i), &made->hooks[i]);
  if (is_good) return (PyObject *)made;
  Py_DECREF(made);
  return NULL;
}

static PyType_Slot slots[] = {
    {Py_tp_doc, "The hooks of one kind in a chain, as C calls them."},
    {Py_tp_new, new_hooks},
    {Py_tp_dealloc, dealloc},
    {Py_tp_traverse, traverse},
    {Py_tp_clear, clear},
    {0, NULL},
};

PyType_Spec snt_hooks_spec = {
    .name = "sentinel_host.native._calls.Hooks",
    .basicsize = offsetof(hooks, hooks),
    .itemsize = sizeof(hook),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

/* With the hooks, an index, a record or None, contexts, a label; the head, if there is one, and the
 * values that it consists of. A run with a record can do without values if there is nothing to
 * edit. */
enum { RUN_ARGUMENTS = 5, HEAD_ARGUMENTS = 6 };

static bool begin(run *begun, PyObject *const *args, Py_ssize_t count, Py_ssize_t first, Py_ssize_t values) {
  if (count != first + values || snt_calls_hook == NULL) {
    PyErr_Format(PyExc_TypeError, "a run takes %zd arguments, once the functions are bound", first + values);
    return false;
  }
  bool is_given = PyBytes_Check(args[2]);
  if (Py_TYPE(args[0])->tp_dealloc != dealloc || !PyDict_Check(args[3]) || !PyBytes_Check(args[4]) ||
      (!is_given && (args[2] != Py_None || values == 0))) {
    PyErr_SetString(PyExc_TypeError, "a run takes hooks, an index, a record or None, contexts and a label");
    return false;
  }
  begun->index = PyLong_AsSsize_t(args[1]);
  if (begun->index < 0) {
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_IndexError, "an index is not negative");
    return false;
  }
  begun->chain = (hooks *)args[0];
  begun->contexts = args[3];
  begun->label = PyBytes_AS_STRING(args[4]);
  begun->given = args[2];
  begun->record = (snt_text){NULL, 0};
  if (is_given) snt_read_text(args[2], &begun->record);
  begun->head = args[first - 1];
  begun->count = values;
  begun->values = args + first;
  begun->owned = 0;
  begun->layout.is_known = false;
  snt_begin_writing(&begun->packed);
  return true;
}

static bool make_record(run *at) {
  snt_writer *out = &at->packed;
  out->at = out->start;
  if (!snt_put_record(out, at->values, at->count)) return false;
  at->record = (snt_text){out->start, (size_t)(out->at - out->start)};
  at->layout.is_known = false;
  return true;
}

/* The next hook, once there is a record for it. NULL at the end, with an exception set when there is
 * no record. */
static hook *next_hook(run *at) {
  if (at->index >= Py_SIZE(at->chain)) return NULL;
  return at->record.bytes != NULL || make_record(at) ? &at->chain->hooks[at->index] : NULL;
}

/* Ends with nothing, or with what `told` is; what the run owns goes. */
static PyObject *finish(run *finished, PyObject *told) {
  if (finished->packed.block != NULL) PyMem_Free(finished->packed.block);
  for (int i = 0; finished->owned >> i != 0; i++)
    if (finished->owned >> i & 1) Py_DECREF(finished->edited_values[i]);
  return told;
}

/* None for a run that is through; NULL with an exception. */
static PyObject *end(run *ended) { return finish(ended, PyErr_Occurred() ? NULL : Py_NewRef(Py_None)); }

static PyObject *to_bytes(snt_text text) {
  return PyBytes_FromStringAndSize((const char *)text.bytes, (Py_ssize_t)text.length);
}

/* (index, record, instance, result); what `why` has is handed on. A call that is suspended reads
 * the record when it goes on: it is told where that is then. */
static PyObject *stop(run *stopped, outcome *why) {
  PyObject *record =
      PyBytes_Check(stopped->given) && stopped->record.bytes == (const uint8_t *)PyBytes_AS_STRING(stopped->given)
          ? Py_NewRef(stopped->given)
          : to_bytes(stopped->record);
  if (record == NULL) {
    Py_XDECREF(why->instance);
    Py_XDECREF(why->result);
    return finish(stopped, NULL);
  }
  if (why->suspended != NULL) snt_calls_move(why->suspended, (const uint8_t *)PyBytes_AS_STRING(record));
  PyObject *instance = why->instance ? why->instance : Py_NewRef(Py_None);
  PyObject *result = why->result ? why->result : Py_NewRef(Py_None);
  return finish(stopped, Py_BuildValue("(nNNN)", stopped->index, record, instance, result));
}

/* A stop at an answer for Python to decode. */
static PyObject *stop_with(run *stopped, snt_text answer) {
  outcome why = {NULL, to_bytes(answer), NULL, {NULL, 0}};
  return why.result == NULL ? finish(stopped, NULL) : stop(stopped, &why);
}

/* An instance's attribute, of which a search of its type would find the same each time: it has
 * slots and nothing else. */
static PyObject *address_of(hooks *chain, PyObject *instance) {
  if (Py_TYPE(instance) != chain->type) {
    PyObject *descriptor = PyObject_GetAttr((PyObject *)Py_TYPE(instance), chain->address);
    if (descriptor == NULL) return NULL;
    if (Py_TYPE(descriptor)->tp_descr_get == NULL) {
      Py_DECREF(descriptor);
      PyErr_SetString(PyExc_TypeError, "an instance's address is a slot");
      return NULL;
    }
    Py_XSETREF(chain->descriptor, descriptor);
    Py_XSETREF(chain->type, (PyTypeObject *)Py_NewRef(Py_TYPE(instance)));
  }
  return Py_TYPE(chain->descriptor)->tp_descr_get(chain->descriptor, instance, (PyObject *)chain->type);
}

static step call(const run *at, const hook *called, snt_text second, outcome *became) {
  *became = (outcome){NULL, NULL, NULL, {NULL, 0}};
  Py_ssize_t idle = called->idle == NULL ? 0 : PyList_GET_SIZE(called->idle);
  if (idle == 0) return STOPPED;
  PyObject *instance = PyList_GET_ITEM(called->idle, idle - 1);
  PyObject *address = address_of(at->chain, instance);
  if (address == NULL) return FAILED;
  /* Cheaper than as a pointer. */
  Py_ssize_t number = PyLong_AsSsize_t(address);
  Py_DECREF(address);
  snt_guest *guest = (snt_guest *)number;
  if (number == -1 || guest == NULL) {
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, "the instance is closed");
    return FAILED;
  }
  int64_t length = snt_calls_hook(guest, called->slot, at->record.bytes, at->record.length, second.bytes, second.length,
                                  false, at->label);
  if (length == 0) return GO_ON;
  if (length > 0 && length < SNT_RETIRABLE) {
    became->text = (snt_text){snt_calls_output(guest), (size_t)length};
    return ANSWERED;
  }
  became->instance = Py_NewRef(instance);
  became->result = PyLong_FromLongLong(length);
  became->suspended = length <= SNT_SUSPENDED ? guest : NULL;
  if (became->result != NULL && PyList_SetSlice(called->idle, idle - 1, idle, NULL) == 0) return STOPPED;
  Py_XDECREF(became->result);
  Py_DECREF(became->instance);
  return FAILED;
}

static snt_text context_of(const run *at, const hook *called) {
  snt_text context = {NULL, 0};
  if (PyDict_GET_SIZE(at->contexts) == 0) return context;
  PyObject *kept = PyDict_GetItemWithError(at->contexts, called->place);
  if (kept != NULL) snt_read_text(kept, &context);
  return context;
}

static bool is_named(PyObject *field, snt_text name) {
  snt_text other;
  return PyTuple_Check(field) && PyTuple_GET_SIZE(field) == 2 && snt_read_text(PyTuple_GET_ITEM(field, 0), &other) &&
         other.length == name.length && memcmp(other.bytes, name.bytes, name.length) == 0;
}

static bool remove_named(PyObject *headers, snt_text name, bool *all_stay) {
  for (Py_ssize_t i = PyList_GET_SIZE(headers) - 1; i >= 0; i--) {
    if (!is_named(PyList_GET_ITEM(headers, i), name)) continue;
    *all_stay = false;
    if (PyList_SetSlice(headers, i, i + 1, NULL) < 0) return false;
  }
  return true;
}

static bool append_field(PyObject *headers, snt_known *known, const snt_plain *plain, size_t index) {
  PyObject *field = snt_field_of(known, plain, index);
  if (field == NULL) return false;
  bool is_added = PyList_Append(headers, field) == 0;
  Py_DECREF(field);
  return is_added;
}

/* `*all_stay` tells whether no field was taken away. */
static bool edit_headers(PyObject *headers, const hook *called, const snt_plain *plain, bool *all_stay) {
  *all_stay = true;
  if (!PyList_Check(headers)) {
    PyErr_SetString(PyExc_TypeError, "a head's fields are a list");
    return false;
  }
  for (size_t i = 0; i < plain->count; i++) {
    const snt_edit *edit = &plain->edits[i];
    if (edit->kind != SNT_APPEND && !remove_named(headers, edit->name, all_stay)) return false;
    if (edit->kind != SNT_REMOVE && !append_field(headers, called->known, plain, i)) return false;
  }
  return true;
}

/* Set an attribute of the head, and the value of the next record. */
static bool set(run *at, const char *name, int value, PyObject *made) {
  if (made == NULL) return false;
  if (PyObject_SetAttrString(at->head, name, made) < 0) {
    Py_DECREF(made);
    return false;
  }
  if (at->owned == 0) {
    memcpy(at->edited_values, at->values, (size_t)at->count * sizeof *at->values);
    at->values = at->edited_values;
  } else if (at->owned >> value & 1) {
    Py_DECREF(at->edited_values[value]);
  }
  at->edited_values[value] = made;
  at->owned |= UINT32_C(1) << value;
  return true;
}

static PyObject *as_text(snt_text text) {
  return PyUnicode_FromStringAndSize((const char *)text.bytes, (Py_ssize_t)text.length);
}

static bool keep_context(const run *at, const hook *called, snt_text context) {
  PyObject *kept = PyBytes_FromStringAndSize((const char *)context.bytes, (Py_ssize_t)context.length);
  bool is_kept = kept != NULL && PyDict_SetItem(at->contexts, called->place, kept) == 0;
  Py_XDECREF(kept);
  return is_kept;
}

/* The record for the hooks that follow, with its header fields edited behind `before` other values;
 * it is made anew later where that is not possible, or something else has changed too. */
static void edit_record(run *at, size_t before, const snt_plain *plain, bool is_all, bool all_stay) {
  if (at->index + 1 >= Py_SIZE(at->chain)) return;
  uint8_t *out = at->edited[at->record.bytes == at->edited[0]];
  size_t size = is_all ? snt_edit_record(at->record, before, &at->layout, plain, all_stay, out, ROOM) : 0;
  at->record = (snt_text){size > 0 ? out : NULL, size};
}

static bool edit_request(run *at, const hook *called, const snt_plain *plain) {
  if (plain->context.length > 0 && !keep_context(at, called, plain->context)) return false;
  if (plain->count == 0 && plain->path.bytes == NULL && plain->query.bytes == NULL && plain->method.bytes == NULL)
    return true;
  bool is_all = plain->path.bytes == NULL && plain->query.bytes == NULL && plain->method.bytes == NULL;
  bool all_stay;
  if (!edit_headers(at->values[HEADERS], called, plain, &all_stay)) return false;
  edit_record(at, HEADERS, plain, is_all, all_stay);
  if (plain->path.bytes != NULL && !set(at, "path", PATH, as_text(plain->path))) return false;
  if (plain->query.bytes != NULL) {
    PyObject *query = plain->query.length > 0 ? as_text(plain->query) : Py_NewRef(Py_None);
    if (!set(at, "query", QUERY, query)) return false;
  }
  return plain->method.bytes == NULL || set(at, "method", METHOD, as_text(plain->method));
}

static bool edit_response(run *at, const hook *called, const snt_plain *plain) {
  if (plain->count == 0 && plain->status == 0) return true;
  bool all_stay;
  if (!edit_headers(at->values[RESPONSE_HEADERS], called, plain, &all_stay)) return false;
  edit_record(at, RESPONSE_HEADERS, plain, plain->status == 0, all_stay);
  return plain->status == 0 || set(at, "status", STATUS, PyLong_FromLong(plain->status));
}

PyObject *snt_run_request(PyObject *module, PyObject *const *args, Py_ssize_t count) {
  (void)module;
  run at;
  outcome became;
  snt_plain own;
  Py_ssize_t values = count == HEAD_ARGUMENTS + MOST_REQUEST_VALUES ? MOST_REQUEST_VALUES : REQUEST_VALUES;
  if (!begin(&at, args, count, HEAD_ARGUMENTS, values)) return NULL;
  for (hook *called; (called = next_hook(&at)) != NULL; at.index++) {
    step taken = call(&at, called, (snt_text){NULL, 0}, &became);
    if (taken == STOPPED) return stop(&at, &became);
    if (taken == FAILED) break;
    if (taken == GO_ON) continue;
    const snt_plain *plain =
        snt_understand(&called->known, became.text, snt_read_request_answer, &called->limits, &own);
    if (plain == NULL) return stop_with(&at, became.text);
    if (!edit_request(&at, called, plain)) break;
  }
  return end(&at);
}

PyObject *snt_run_response(PyObject *module, PyObject *const *args, Py_ssize_t count) {
  (void)module;
  run at;
  outcome became;
  snt_plain own;
  if (!begin(&at, args, count, HEAD_ARGUMENTS, RESPONSE_VALUES)) return NULL;
  for (hook *called; (called = next_hook(&at)) != NULL; at.index++) {
    step taken = call(&at, called, context_of(&at, called), &became);
    if (taken == STOPPED) return stop(&at, &became);
    if (taken == FAILED) break;
    if (taken == GO_ON) continue;
    const snt_plain *plain =
        snt_understand(&called->known, became.text, snt_read_response_answer, &called->limits, &own);
    if (plain == NULL) return stop_with(&at, became.text);
    if (!edit_response(&at, called, plain)) break;
  }
  return end(&at);
}

PyObject *snt_run_completion(PyObject *module, PyObject *const *args, Py_ssize_t count) {
  (void)module;
  run at;
  outcome became;
  if (!begin(&at, args, count, RUN_ARGUMENTS, count == RUN_ARGUMENTS ? 0 : SUMMARY_VALUES)) return NULL;
  for (hook *called; (called = next_hook(&at)) != NULL; at.index++) {
    /* An answer says nothing here. */
    step taken = call(&at, called, context_of(&at, called), &became);
    if (taken == STOPPED) return stop(&at, &became);
    if (taken == FAILED) break;
  }
  return end(&at);
}
