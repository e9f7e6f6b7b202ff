#include "frames.h"

#include "../../hpack/src/block.h"
#include "field.h"
#include "sorting.h"

#define END_STREAM 0x1
#define END_HEADERS 0x4
#define DATA 0
#define HEADERS 1

#define LENGTH_DIGITS 18
/* What an ordinary head takes. */
#define USUAL 4096

typedef struct {
  uint8_t *at, *end;
} room;

static bool put_field(room *left, snt_text name, snt_text value) {
  if (SNT_LITERAL_MAX(name.length, value.length) > (size_t)(left->end - left->at)) return false;
  left->at = snt_put_literal(left->at, name, value);
  return true;
}

/* Whether the value is the number, in digits that cannot overflow. */
static bool is_number(snt_text value, size_t number) {
  uint64_t read = 0;
  if (value.length == 0 || value.length > LENGTH_DIGITS) return false;
  for (size_t i = 0; i < value.length; i++) {
    uint8_t digit = (uint8_t)(value.bytes[i] - '0');
    if (digit > 9) return false;
    read = read * 10 + digit;
  }
  return read == number;
}

static bool has_body(unsigned status) { return status >= 200 && status <= 999 && status != 204 && status != 304; }

static bool put_fields(room *left, const snt_names *names, const snt_fields *opened,
                       const snt_whole_response *response) {
  bool has_length = false, is_dated = false;
  for (Py_ssize_t i = 0; i < opened->count; i++) {
    snt_field field;
    if (!snt_read_field(opened, i, &field)) return false;
    uint32_t number = snt_number_of_lowered(names, field.name);
    if (number != 0 && number != SNT_LENGTH && number != SNT_DATE) continue;
    if (number == SNT_LENGTH) {
      if (has_length || !is_number(field.value, response->data.length)) return false;
      has_length = true;
    }
    is_dated = is_dated || number == SNT_DATE;
    bool is_fine = snt_is_lower_token(field.name) && snt_is_value(field.value);
    if (!is_fine || !put_field(left, field.name, field.value)) return false;
  }
  static const snt_text date = {(const uint8_t *)"date", 4};
  return has_length && (is_dated || put_field(left, date, response->date));
}

PyObject *snt_frame_response(const snt_names *names, const snt_fields *opened, const snt_whole_response *response) {
  uint8_t usual[USUAL], *block = usual + SNT_FRAME_HEAD;
  size_t length = response->data.length;
  room left = {block, usual + sizeof usual - SNT_FRAME_HEAD};
  if (length <= response->most && has_body(response->status)) {
    left.at = snt_put_status(left.at, response->status);
    size_t size = put_fields(&left, names, opened, response) ? (size_t)(left.at - block) : SIZE_MAX;
    if (size <= response->most) {
      snt_put_frame_head(usual, size, HEADERS, END_HEADERS, response->stream);
      uint8_t *end = snt_put_frame_head(left.at, length, DATA, END_STREAM, response->stream);
      PyObject *frames = PyBytes_FromStringAndSize(NULL, (end - usual) + (Py_ssize_t)length);
      if (frames == NULL) return NULL;
      uint8_t *out = (uint8_t *)PyBytes_AS_STRING(frames);
      memcpy(out, usual, (size_t)(end - usual));
      if (length > 0) memcpy(out + (end - usual), response->data.bytes, length);
      return frames;
    }
  }
  /* `snt_read_field` tells what is no pair of bytes, and so does whoever looks at it next. */
  PyErr_Clear();
  Py_RETURN_NONE;
}
