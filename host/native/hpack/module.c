/* sentinel_host.http.h2._hpack: header compression (RFC 7541), and messages as frames.
 *
 * In Python, a block of each took a fifth of what HTTP/2 itself costs.
 */
#include "module.h"

#include "../fields/src/record.h"

#define END_STREAM 0x1
#define END_HEADERS 0x4
#define DATA 0
#define HEADERS 1

/* What an ordinary response takes: it is put together here, and copied once its length is known. */
#define USUAL 4096

/* A section, opened. `most` is what it takes as a block. */
typedef struct {
  snt_fields fields;
  unsigned status;
  size_t most;
} section;

/* False with an error. */
static bool open_section(section *opened, PyObject *status, PyObject *fields) {
  long number = PyLong_AsLong(status);
  if (number == -1 && PyErr_Occurred()) return false;
  if (number != 0 && (number < 100 || number > 999)) {
    PyErr_Format(PyExc_ValueError, "not a status: %ld", number);
    return false;
  }
  opened->status = (unsigned)number;
  opened->most = SNT_STATUS_MAX;
  if (!snt_open_fields(fields, &opened->fields)) return false;
  for (Py_ssize_t i = 0; i < opened->fields.count; i++) {
    snt_field field;
    if (!snt_read_field(&opened->fields, i, &field)) {
      Py_DECREF(opened->fields.sequence);
      return false;
    }
    opened->most += SNT_LITERAL_MAX(field.name.length, field.value.length);
  }
  return true;
}

static uint8_t *put_section(uint8_t *out, const section *opened) {
  if (opened->status != 0) out = snt_put_status(out, opened->status);
  for (Py_ssize_t i = 0; i < opened->fields.count; i++) {
    snt_field field;
    snt_read_field(&opened->fields, i, &field);
    out = snt_put_literal(out, field.name, field.value);
  }
  return out;
}

/* Room for that many bytes, `usual` if it is enough; NULL with an error. */
static uint8_t *room_for(size_t most, uint8_t *usual) {
  if (most <= USUAL) return usual;
  uint8_t *room = PyMem_Malloc(most);
  if (room == NULL) PyErr_NoMemory();
  return room;
}

/* What was put into that room, as bytes; the room is given back. */
static PyObject *taken(uint8_t *room, const uint8_t *end, const uint8_t *usual) {
  PyObject *bytes = PyBytes_FromStringAndSize((const char *)room, end - room);
  if (room != usual) PyMem_Free(room);
  return bytes;
}

static PyObject *encode_section(PyObject *module, PyObject *const *args, Py_ssize_t count) {
  (void)module;
  if (count != 2) {
    PyErr_SetString(PyExc_TypeError, "encode_section(status: int, fields)");
    return NULL;
  }
  section opened;
  if (!open_section(&opened, args[0], args[1])) return NULL;
  uint8_t usual[USUAL], *room = room_for(opened.most, usual);
  PyObject *block = room == NULL ? NULL : taken(room, put_section(room, &opened), usual);
  Py_DECREF(opened.fields.sequence);
  return block;
}

/* HEADERS with the section, and DATA if `data` is not NULL; None if the block takes more than
 * `frame` bytes. */
static PyObject *put_frames(const section *opened, uint32_t stream, const snt_text *data, bool end, size_t frame) {
  size_t length = data == NULL ? 0 : data->length;
  uint8_t usual[USUAL], *room = room_for(2 * SNT_FRAME_HEAD + opened->most + length, usual);
  if (room == NULL) return NULL;
  uint8_t *block = room + SNT_FRAME_HEAD, *out = put_section(block, opened);
  size_t size = (size_t)(out - block);
  if (size > frame) {
    if (room != usual) PyMem_Free(room);
    Py_RETURN_NONE;
  }
  uint8_t ends = end ? END_STREAM : 0;
  snt_put_frame_head(room, size, HEADERS, (uint8_t)(END_HEADERS | (data == NULL ? ends : 0)), stream);
  if (data != NULL) {
    out = snt_put_frame_head(out, length, DATA, ends, stream);
    if (length > 0) memcpy(out, data->bytes, length);
    out += length;
  }
  return taken(room, out, usual);
}

static PyObject *message_frames(PyObject *module, PyObject *const *args, Py_ssize_t count) {
  (void)module;
  snt_text data;
  if (count != 6 || (args[3] != Py_None && !snt_read_text(args[3], &data))) {
    PyErr_SetString(PyExc_TypeError,
                    "message_frames(stream: int, status: int, fields, data: bytes | None, end: bool, frame: int)");
    return NULL;
  }
  unsigned long stream = PyLong_AsUnsignedLong(args[0]);
  int end = PyObject_IsTrue(args[4]);
  Py_ssize_t frame = PyLong_AsSsize_t(args[5]);
  if (PyErr_Occurred()) return NULL;
  section opened;
  if (!open_section(&opened, args[1], args[2])) return NULL;
  PyObject *frames = put_frames(&opened, (uint32_t)stream, args[3] == Py_None ? NULL : &data, end, (size_t)frame);
  Py_DECREF(opened.fields.sequence);
  return frames;
}

static PyMethodDef functions[] = {
    {"encode_section", (PyCFunction)(void (*)(void))encode_section, METH_FASTCALL, NULL},
    {"message_frames", (PyCFunction)(void (*)(void))message_frames, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

static int add_type(PyObject *module) {
  PyObject *type = PyType_FromModuleAndSpec(module, &snt_decoder_type, NULL);
  int added = type == NULL ? -1 : PyModule_AddType(module, (PyTypeObject *)type);
  Py_XDECREF(type);
  return added;
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, add_type}, {0, NULL}};

static PyModuleDef module = {
    PyModuleDef_HEAD_INIT, .m_name = "_hpack", .m_methods = functions, .m_slots = module_slots};

PyMODINIT_FUNC PyInit__hpack(void) { return PyModuleDef_Init(&module); }
