#include "sorting.h"

#include "lines.h"

/* As many digits cannot overflow a signed 64-bit integer. */
#define LENGTH_DIGITS 18

static bool is_text(snt_text text, const char *name) {
  return text.length == strlen(name) && snt_is_lowered(text, (const uint8_t *)name);
}

/* What a client or an upstream says of its own connection, and of no field. */
static bool is_own_option(snt_text value) { return is_text(value, "keep-alive") || is_text(value, "close"); }

/* A list of as many places, filled from the front; the rest is cut off by `ended_at`. */
static PyObject *new_list(const snt_fields *opened) { return PyList_New(opened->count); }

/* To make a list or a tuple may collect garbage, which runs others' code: the size is asked anew,
 * and a pair is held. */
static bool has_field(const snt_fields *opened, Py_ssize_t index) {
  return index < opened->count && index < PySequence_Fast_GET_SIZE(opened->sequence);
}

static PyObject *ended_at(PyObject *list, Py_ssize_t size) {
  Py_SET_SIZE(list, size);
  return list;
}

static bool has_alias_byte(snt_text name) {
  for (size_t i = 0; i < name.length; i++)
    if (name.bytes[i] == '_' || name.bytes[i] == '.') return true;
  return false;
}

/* The number of a name that is in no table, or -1 with an error. */
static int judge_name(snt_text name) {
  static const char vouched[] = "x-forwarded-";
  if (!snt_is_lower_token(name)) {
    PyObject *shown = PyBytes_FromStringAndSize((const char *)name.bytes, name.length < 64 ? (Py_ssize_t)name.length : 64);
    if (shown != NULL) PyErr_Format(PyExc_ValueError, "header name %R is not a token", shown);
    Py_XDECREF(shown);
    return -1;
  }
  if (has_alias_byte(name)) return SNT_ALIAS;
  const size_t length = sizeof vouched - 1;
  return name.length >= length && memcmp(name.bytes, vouched, length) == 0 ? SNT_VOUCHED : SNT_KEEP;
}

static bool refuse_value(snt_text name) {
  size_t length = name.length < 64 ? name.length : 64;
  PyObject *shown = PyUnicode_DecodeLatin1((const char *)name.bytes, (Py_ssize_t)length, NULL);
  if (shown != NULL) PyErr_Format(PyExc_ValueError, "header %U: value holds a control character", shown);
  Py_XDECREF(shown);
  return false;
}

/* Takes the references; NULL with an error if one of them is NULL. */
static PyObject *in_tuple(PyObject *first, PyObject *second, PyObject *third) {
  bool has_all = first != NULL && second != NULL && third != NULL;
  PyObject *tuple = has_all ? PyTuple_New(3) : NULL;
  if (tuple == NULL) {
    Py_XDECREF(first);
    Py_XDECREF(second);
    Py_XDECREF(third);
    return NULL;
  }
  PyTuple_SET_ITEM(tuple, 0, first);
  PyTuple_SET_ITEM(tuple, 1, second);
  PyTuple_SET_ITEM(tuple, 2, third);
  return tuple;
}

static bool add_special(PyObject **special, int number, PyObject *pair) {
  PyObject *name = PySequence_Fast_GET_ITEM(pair, 0), *value = PySequence_Fast_GET_ITEM(pair, 1);
  PyObject *entry = in_tuple(PyLong_FromLong(number), Py_NewRef(name), Py_NewRef(value));
  if (entry == NULL) return false;
  if (*special == NULL) *special = PyList_New(0);
  bool added = *special != NULL && PyList_Append(*special, entry) == 0;
  Py_DECREF(entry);
  return added;
}

PyObject *snt_sort_request(const snt_names *names, const snt_fields *opened) {
  PyObject *kept = new_list(opened), *special = NULL, *host = NULL;
  if (kept == NULL) return NULL;
  Py_ssize_t count = 0;
  bool is_good = true;
  for (Py_ssize_t i = 0; is_good && has_field(opened, i); i++) {
    snt_field field;
    is_good = snt_read_field(opened, i, &field);
    if (!is_good) break;
    int number = (int)snt_number_of(names, field.name);
    if (number == 0) number = judge_name(field.name);
    is_good = number >= 0 && (snt_is_value(field.value) || refuse_value(field.name));
    if (!is_good) break;
    PyObject *pair = PySequence_Fast_GET_ITEM(opened->sequence, i);
    if (number == SNT_KEEP) {
      PyList_SET_ITEM(kept, count++, Py_NewRef(pair));
    } else if (number == SNT_HOST && host == NULL) {
      host = Py_NewRef(PySequence_Fast_GET_ITEM(pair, 1));
    } else if (number != SNT_DROP && !(number == SNT_CONNECTION && is_own_option(field.value))) {
      is_good = add_special(&special, number, Py_NewRef(pair));
      Py_DECREF(pair);
    }
  }
  ended_at(kept, count);
  if (is_good)
    return in_tuple(kept, special == NULL ? Py_NewRef(Py_None) : special, host == NULL ? Py_NewRef(Py_None) : host);
  Py_DECREF(kept);
  Py_XDECREF(special);
  Py_XDECREF(host);
  return NULL;
}

PyObject *snt_pass_on(const snt_names *names, const snt_fields *opened) {
  PyObject *kept = new_list(opened);
  if (kept == NULL) return NULL;
  Py_ssize_t count = 0;
  bool is_good = true, names_others = false;
  for (Py_ssize_t i = 0; is_good && !names_others && has_field(opened, i); i++) {
    snt_field field;
    is_good = snt_read_field(opened, i, &field);
    if (!is_good) break;
    uint32_t number = snt_number_of(names, field.name);
    if (number == 0) PyList_SET_ITEM(kept, count++, Py_NewRef(PySequence_Fast_GET_ITEM(opened->sequence, i)));
    names_others = number == SNT_NAMES_OTHERS && !is_own_option(field.value);
  }
  ended_at(kept, count);
  if (is_good && !names_others) return kept;
  Py_DECREF(kept);
  return is_good ? Py_NewRef(Py_None) : NULL;
}

/* Take a Content-Length; false with an error if it is no number, or the second. */
static bool take_length(snt_text value, long long *length) {
  bool is_good = *length < 0 && value.length > 0 && value.length <= LENGTH_DIGITS;
  long long number = 0;
  for (size_t i = 0; i < value.length && is_good; i++) {
    is_good = (uint8_t)(value.bytes[i] - '0') <= 9;
    number = number * 10 + (value.bytes[i] - '0');
  }
  if (!is_good) return snt_refuse("malformed or repeated content-length", value) != NULL;
  *length = number;
  return true;
}

static bool says_close(snt_text value) {
  static const char word[] = "close";
  const size_t length = sizeof word - 1;
  for (size_t i = 0; i + length <= value.length; i++)
    if (snt_is_lowered((snt_text){value.bytes + i, length}, (const uint8_t *)word)) return true;
  return false;
}

static bool is_written(uint32_t number, bool has_length) {
  return number == 0 || number == SNT_DATE || (number == SNT_LENGTH && has_length);
}

PyObject *snt_write_response(const snt_names *names, snt_text line, const snt_fields *opened, bool has_length) {
  long long length = -1;
  bool is_dated = false, closes = false;
  snt_writer out;
  snt_begin_writing(&out);
  bool is_good = snt_add_text(&out, line);
  for (Py_ssize_t i = 0; i < opened->count && is_good; i++) {
    snt_field field;
    is_good = snt_read_field(opened, i, &field);
    if (!is_good) break;
    uint32_t number = snt_number_of_lowered(names, field.name);
    is_good = number != SNT_LENGTH || take_length(field.value, &length);
    is_dated = is_dated || number == SNT_DATE;
    closes = closes || (number == SNT_CLOSES && says_close(field.value));
    if (is_good && is_written(number, has_length)) is_good = snt_add_line(&out, &field);
  }
  PyObject *head = snt_end_writing(&out, is_good), *number = head == NULL ? NULL : PyLong_FromLongLong(length);
  PyObject *told = number == NULL ? NULL : PyTuple_New(4);
  if (told == NULL) {
    Py_XDECREF(head);
    Py_XDECREF(number);
    return NULL;
  }
  PyTuple_SET_ITEM(told, 0, head);
  PyTuple_SET_ITEM(told, 1, number);
  PyTuple_SET_ITEM(told, 2, Py_NewRef(is_dated ? Py_True : Py_False));
  PyTuple_SET_ITEM(told, 3, Py_NewRef(closes ? Py_True : Py_False));
  return told;
}

/* The pair itself if it is a tuple with its name in lower case, or else a new one. */
static PyObject *lowered(PyObject *pair, snt_text name) {
  if (PyTuple_Check(pair) && snt_is_lower_token(name)) return Py_NewRef(pair);
  PyObject *made = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)name.length);
  if (made == NULL) return NULL;
  uint8_t *bytes = (uint8_t *)PyBytes_AS_STRING(made);
  for (size_t i = 0; i < name.length; i++) bytes[i] = snt_lower(name.bytes[i]);
  PyObject *tuple = PyTuple_Pack(2, made, PySequence_Fast_GET_ITEM(pair, 1));
  Py_DECREF(made);
  return tuple;
}

PyObject *snt_list_response(const snt_names *names, const snt_fields *opened, bool has_length) {
  PyObject *kept = new_list(opened);
  if (kept == NULL) return NULL;
  long long length = -1;
  bool is_dated = false, is_good = true;
  Py_ssize_t count = 0;
  for (Py_ssize_t i = 0; is_good && has_field(opened, i); i++) {
    snt_field field;
    is_good = snt_read_field(opened, i, &field);
    if (!is_good) break;
    uint32_t number = snt_number_of_lowered(names, field.name);
    is_good = number != SNT_LENGTH || take_length(field.value, &length);
    is_dated = is_dated || number == SNT_DATE;
    if (!is_good || !is_written(number, has_length)) continue;
    is_good = snt_check_field(&field);
    if (!is_good) break;
    PyObject *pair = Py_NewRef(PySequence_Fast_GET_ITEM(opened->sequence, i));
    PyObject *lower = lowered(pair, field.name);
    Py_DECREF(pair);
    is_good = lower != NULL;
    if (is_good) PyList_SET_ITEM(kept, count++, lower);
  }
  ended_at(kept, count);
  if (is_good) return in_tuple(kept, PyLong_FromLongLong(length), Py_NewRef(is_dated ? Py_True : Py_False));
  Py_DECREF(kept);
  return NULL;
}
