#include "record.h"

#include "pack.h"

/* Make room for a value's bytes and what stands before them. */
static inline bool has_room(snt_writer *out, size_t length) { return snt_has_room(out, length + SNT_PACK_HEAD); }

static bool is_small(size_t length) {
  if (length <= UINT32_MAX) return true;
  PyErr_SetString(PyExc_OverflowError, "a value is larger than MessagePack allows");
  return false;
}

static inline bool put_str(snt_writer *out, snt_text text) {
  if (!is_small(text.length) || !has_room(out, text.length)) return false;
  out->at = snt_put_str(out->at, text);
  return true;
}

static bool put_unicode(snt_writer *out, PyObject *object) {
  Py_ssize_t length;
  const char *encoded = PyUnicode_AsUTF8AndSize(object, &length);
  return encoded != NULL && put_str(out, (snt_text){(const uint8_t *)encoded, (size_t)length});
}

static bool put_number(snt_writer *out, PyObject *object) {
  /* What a long holds is read in a few instructions, and as an unsigned number in hundreds. */
  int is_beyond;
  long small = PyLong_AsLongAndOverflow(object, &is_beyond);
  uint64_t number = (uint64_t)small;
  if (small < 0) {
    number = PyLong_AsUnsignedLongLong(object);
    if (number == (uint64_t)-1 && PyErr_Occurred()) return false;
  }
  if (!has_room(out, 0)) return false;
  out->at = snt_put_number(out->at, number);
  return true;
}

static bool put_fields(snt_writer *out, PyObject *list) {
  snt_fields fields = {list, PyList_GET_SIZE(list)};
  if (!has_room(out, 0)) return false;
  out->at = snt_put_array(out->at, (size_t)fields.count);
  for (Py_ssize_t i = 0; i < fields.count; i++) {
    snt_field field;
    if (!snt_read_field(&fields, i, &field)) return false;
    if (!is_small(field.name.length) || !is_small(field.value.length)) return false;
    if (!has_room(out, field.name.length + field.value.length + 2 * SNT_PACK_HEAD)) return false;
    out->at = snt_put_packed(out->at, &field);
  }
  return true;
}

/* The rarer values: bytes, a list of fields, or a tuple of one byte string, which is packed
 * already. */
static bool put_rare(snt_writer *out, PyObject *object) {
  snt_text text;
  if (PyList_Check(object)) return put_fields(out, object);
  if (PyTuple_Check(object) && PyTuple_GET_SIZE(object) == 1 && snt_read_text(PyTuple_GET_ITEM(object, 0), &text)) {
    if (!is_small(text.length) || !has_room(out, text.length)) return false;
    out->at = snt_put_text(out->at, text);
    return true;
  }
  if (snt_read_text(object, &text)) {
    if (!is_small(text.length) || !has_room(out, text.length)) return false;
    out->at = snt_put_bin(out->at, text);
    return true;
  }
  PyErr_Format(PyExc_TypeError, "a record holds None, str, int, bytes, lists of headers and packed values, not %R", object);
  return false;
}

/* One value of a record: str, None, a number that is not negative, or a rarer one. */
static inline bool put_value(snt_writer *out, PyObject *object) {
  if (PyUnicode_Check(object)) {
    /* Nearly all are. Their bytes stand behind the object's head (PEP 393). */
    if (PyUnicode_IS_COMPACT_ASCII(object))
      return put_str(out, (snt_text){(const uint8_t *)((const PyASCIIObject *)object + 1), (size_t)PyUnicode_GET_LENGTH(object)});
    return put_unicode(out, object);
  }
  if (object == Py_None) {
    if (!has_room(out, 0)) return false;
    out->at = snt_put_nil(out->at);
    return true;
  }
  return PyLong_Check(object) ? put_number(out, object) : put_rare(out, object);
}

/* The largest record, `summary`, has 19. */
#define RECORD_MAX 32

bool snt_put_record(snt_writer *out, PyObject *const *values, Py_ssize_t count) {
  if (count > RECORD_MAX) {
    PyErr_Format(PyExc_TypeError, "a record has at most %d values", RECORD_MAX);
    return false;
  }
  if (!has_room(out, 0)) return false;
  out->at = snt_put_array(out->at, (size_t)count);
  for (Py_ssize_t i = 0; i < count; i++)
    if (!put_value(out, values[i])) return false;
  return true;
}

PyObject *snt_pack_record(PyObject *const *values, Py_ssize_t count) {
  snt_writer out;
  snt_begin_writing(&out);
  bool is_written = snt_put_record(&out, values, count);
  return snt_end_writing(&out, is_written);
}
