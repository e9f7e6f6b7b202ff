#include "record.h"

/* One value of a record: None, str, a number that is not negative, bytes, a list of fields, or a
 * tuple of one byte string, which is packed already. */
typedef struct {
  enum { NIL, STR, NUMBER, BIN, FIELDS, PACKED } kind;
  snt_text text;
  uint64_t number;
  snt_fields fields;
  size_t size;
} item;

static bool measure_fields(item *read) {
  read->size = snt_array_size((size_t)read->fields.count);
  for (Py_ssize_t i = 0; i < read->fields.count; i++) {
    snt_field field;
    if (!snt_read_field(&read->fields, i, &field)) return false;
    if (field.name.length > UINT32_MAX || field.value.length > UINT32_MAX) {
      PyErr_SetString(PyExc_OverflowError, "a header is larger than MessagePack allows");
      return false;
    }
    read->size += snt_packed_size(&field);
  }
  return true;
}

static bool read_item(PyObject *object, item *read) {
  if (object == Py_None) {
    read->kind = NIL;
    read->size = 1;
  } else if (PyUnicode_Check(object)) {
    read->kind = STR;
    if (PyUnicode_IS_COMPACT_ASCII(object)) {
      /* Nearly all are: without a call. */
      read->text = (snt_text){(const uint8_t *)PyUnicode_1BYTE_DATA(object), (size_t)PyUnicode_GET_LENGTH(object)};
    } else {
      Py_ssize_t length;
      const char *text = PyUnicode_AsUTF8AndSize(object, &length);
      if (text == NULL) return false;
      read->text = (snt_text){(const uint8_t *)text, (size_t)length};
    }
    read->size = snt_str_size(read->text.length);
  } else if (PyLong_Check(object)) {
    read->kind = NUMBER;
    read->number = PyLong_AsUnsignedLongLong(object);
    if (read->number == (uint64_t)-1 && PyErr_Occurred()) return false;
    read->size = snt_number_size(read->number);
  } else if (PyList_Check(object)) {
    read->kind = FIELDS;
    read->fields = (snt_fields){object, PyList_GET_SIZE(object)};
    return measure_fields(read);
  } else if (PyTuple_Check(object) && PyTuple_GET_SIZE(object) == 1 &&
             snt_read_text(PyTuple_GET_ITEM(object, 0), &read->text)) {
    read->kind = PACKED;
    read->size = read->text.length;
  } else if (snt_read_text(object, &read->text)) {
    read->kind = BIN;
    read->size = snt_bin_size(read->text.length);
  } else {
    PyErr_Format(PyExc_TypeError, "a record holds None, str, int, bytes, lists of headers and packed values, not %R", object);
    return false;
  }
  if (read->size > UINT32_MAX) {
    PyErr_SetString(PyExc_OverflowError, "a value is larger than MessagePack allows");
    return false;
  }
  return true;
}

static uint8_t *put_item(uint8_t *out, const item *read) {
  switch (read->kind) {
    case STR: return snt_put_str(out, read->text);
    case NUMBER: return snt_put_number(out, read->number);
    case BIN: return snt_put_bin(out, read->text);
    case PACKED: memcpy(out, read->text.bytes, read->text.length); return out + read->text.length;
    case FIELDS: break;
    default: return snt_put_nil(out);
  }
  out = snt_put_array(out, (size_t)read->fields.count);
  for (Py_ssize_t i = 0; i < read->fields.count; i++) {
    snt_field field;
    snt_read_field(&read->fields, i, &field);
    out = snt_put_packed(out, &field);
  }
  return out;
}

/* The largest record, `summary`, has 19. */
#define RECORD_MAX 32

PyObject *snt_pack_record(PyObject *const *values, Py_ssize_t count) {
  item items[RECORD_MAX];
  if (count > RECORD_MAX) {
    PyErr_Format(PyExc_TypeError, "a record has at most %d values", RECORD_MAX);
    return NULL;
  }
  size_t size = snt_array_size((size_t)count);
  for (Py_ssize_t i = 0; i < count; i++) {
    if (!read_item(values[i], &items[i])) return NULL;
    size += items[i].size;
  }
  PyObject *packed = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
  if (packed == NULL) return NULL;
  uint8_t *out = snt_put_array((uint8_t *)PyBytes_AS_STRING(packed), (size_t)count);
  for (Py_ssize_t i = 0; i < count; i++) out = put_item(out, &items[i]);
  return packed;
}
