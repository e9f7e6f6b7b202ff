#include "answer.h"

#include <string.h>

#include "../../fields/src/field.h"

/* One bit for each byte: those of a token (RFC 9110 section 5.6.2) but for capitals. */
static const uint64_t NAME_BYTES[4] = {0x03ff6cfa00000000, 0x57ffffffc0000000, 0, 0};

/* One bit for each byte, as `_PLAIN` of paths.py has them, with the slash; and printable ASCII
 * without `#`. */
static const uint64_t PATH_BYTES[4] = {0x2fffffd200000000, 0x7ffffffeefffffff, 0, 0};
static const uint64_t QUERY_BYTES[4] = {0xfffffff600000000, 0x7fffffffffffffff, 0, 0};

/* What is left of the answer. */
typedef struct {
  const uint8_t *at, *end;
} reader;

static bool has(const reader *in, size_t count) { return (size_t)(in->end - in->at) >= count; }

/* A number of `size` bytes, the highest first. */
static bool read_big_endian(reader *in, size_t size, size_t *number) {
  if (!has(in, size)) return false;
  *number = 0;
  for (; size > 0; size--) *number = *number << 8 | *in->at++;
  return true;
}

static bool read_array(reader *in, size_t *count) {
  if (!has(in, 1)) return false;
  uint8_t type = *in->at++;
  if ((type & 0xf0) == 0x90) {
    *count = type & 0x0f;
    return true;
  }
  return type == 0xdc && read_big_endian(in, 2, count);
}

static bool read_bytes(reader *in, size_t length, snt_text *text) {
  if (!has(in, length)) return false;
  *text = (snt_text){in->at, length};
  in->at += length;
  return true;
}

static bool read_str(reader *in, snt_text *text) {
  size_t length;
  if (!has(in, 1)) return false;
  uint8_t type = *in->at++;
  if ((type & 0xe0) == 0xa0) return read_bytes(in, type & 0x1f, text);
  if (type < 0xd9 || type > 0xdb) return false;
  return read_big_endian(in, (size_t)1 << (type - 0xd9), &length) && read_bytes(in, length, text);
}

static bool read_bin(reader *in, snt_text *text) {
  size_t length;
  if (!has(in, 1)) return false;
  uint8_t type = *in->at++;
  if (type < 0xc4 || type > 0xc6) return false;
  return read_big_endian(in, (size_t)1 << (type - 0xc4), &length) && read_bytes(in, length, text);
}

static bool skip_byte(reader *in, uint8_t byte) {
  if (!has(in, 1) || *in->at != byte) return false;
  in->at++;
  return true;
}

static bool skip_nil(reader *in) { return skip_byte(in, 0xc0); }

static bool is_made_of(snt_text text, const uint64_t bytes[4]) {
  for (size_t i = 0; i < text.length; i++)
    if (!(bytes[text.bytes[i] >> 6] >> (text.bytes[i] & 63) & 1)) return false;
  return true;
}

static bool equals(snt_text text, const char *other) {
  return strlen(other) == text.length && memcmp(text.bytes, other, text.length) == 0;
}

/* RFC 9110 sections 7.6.1 and 6.6.1, and RFC 9112: what the gateway writes by itself. */
static bool is_owned(snt_text name) {
  switch (name.length) {
    case 2: return equals(name, "te");
    case 4: return equals(name, "host");
    case 7: return equals(name, "trailer") || equals(name, "upgrade");
    case 10: return equals(name, "connection") || equals(name, "keep-alive");
    case 14: return equals(name, "content-length");
    case 16: return equals(name, "proxy-connection");
    case 17: return equals(name, "transfer-encoding");
    default: return false;
  }
}

static bool read_name(reader *in, snt_text *name) {
  return read_str(in, name) && name->length > 0 && is_made_of(*name, NAME_BYTES) && !is_owned(*name);
}

static bool is_blank(uint8_t byte) { return byte == ' ' || byte == '\t'; }

static bool read_value(reader *in, snt_text *value) {
  if (!read_bin(in, value) || !snt_is_value(*value)) return false;
  for (; value->length > 0 && is_blank(value->bytes[0]); value->length--) value->bytes++;
  while (value->length > 0 && is_blank(value->bytes[value->length - 1])) value->length--;
  return true;
}

static bool read_edit(reader *in, snt_edit *edit) {
  size_t count;
  if (!read_array(in, &count) || count != 2 || !has(in, 1)) return false;
  edit->kind = *in->at++;
  edit->value = (snt_text){in->at, 0};
  if (edit->kind == SNT_REMOVE) return read_name(in, &edit->name);
  if (edit->kind > SNT_REMOVE) return false;
  return read_array(in, &count) && count == 2 && read_name(in, &edit->name) && read_value(in, &edit->value);
}

static bool read_edits(reader *in, const snt_answer_limits *limits, snt_plain *plain) {
  size_t size = 0;
  if (!read_array(in, &plain->count) || plain->count > SNT_PLAIN_EDITS || plain->count > limits->edits) return false;
  for (size_t i = 0; i < plain->count; i++) {
    snt_edit *edit = &plain->edits[i];
    if (!read_edit(in, edit)) return false;
    if (edit->kind != SNT_REMOVE) size += edit->name.length + edit->value.length;
  }
  return size <= limits->header_bytes;
}

/* Of the paths in canonical form those that no setting says anything about. */
static bool is_simple_path(snt_text path) {
  if (path.length == 0 || path.bytes[0] != '/' || !is_made_of(path, PATH_BYTES)) return false;
  for (size_t i = 1; i < path.length; i++)
    if (path.bytes[i - 1] == '/' && (path.bytes[i] == '/' || path.bytes[i] == '.')) return false;
  return true;
}

static bool read_path(reader *in, snt_text *path) { return skip_nil(in) || (read_str(in, path) && is_simple_path(*path)); }

static bool read_query(reader *in, snt_text *query) {
  return skip_nil(in) || (read_str(in, query) && is_made_of(*query, QUERY_BYTES));
}

static bool read_method(reader *in, snt_text *method) {
  return skip_nil(in) || (read_str(in, method) && snt_is_token(*method) && !equals(*method, "CONNECT"));
}

static bool read_status(reader *in, uint16_t *status) {
  size_t number;
  if (skip_nil(in)) return true;
  bool is_short = skip_byte(in, 0xcc);
  if (!is_short && !skip_byte(in, 0xcd)) return false;
  if (!read_big_endian(in, is_short ? 1 : 2, &number) || number < 200 || number > 599) return false;
  *status = (uint16_t)number;
  return true;
}

/* `body-mode`: that the guest does not see the body. */
static bool skip_mode(reader *in) {
  size_t count;
  if (!read_array(in, &count) || count == 0 || count > 2 || !skip_byte(in, 0)) return false;
  return count == 1 || skip_nil(in) || skip_byte(in, 0x90);
}

/* The variant's case of edits, and how many fields its record has. */
static bool open_edits(reader *in, snt_text answer, snt_plain *plain, size_t *fields) {
  size_t count;
  *in = (reader){answer.bytes, answer.bytes + answer.length};
  plain->count = 0;
  plain->status = 0;
  plain->context = plain->path = plain->query = plain->method = (snt_text){NULL, 0};
  *fields = 0;
  if (!read_array(in, &count) || count == 0 || count > 2 || !skip_byte(in, 0)) return false;
  return count == 1 || read_array(in, fields);
}

bool snt_read_request_answer(snt_text answer, const snt_answer_limits *limits, snt_plain *plain) {
  reader in;
  size_t fields;
  if (!open_edits(&in, answer, plain, &fields) || fields > 7) return false;
  if (fields > 0 && !read_edits(&in, limits, plain)) return false;
  if (fields > 1 && (!read_bin(&in, &plain->context) || plain->context.length > limits->context_bytes)) return false;
  if (fields > 2 && !read_path(&in, &plain->path)) return false;
  if (fields > 3 && !read_query(&in, &plain->query)) return false;
  if (fields > 4 && !read_method(&in, &plain->method)) return false;
  if (fields > 5 && !skip_nil(&in)) return false;
  if (fields > 6 && !skip_mode(&in)) return false;
  return in.at == in.end;
}

bool snt_read_response_answer(snt_text answer, const snt_answer_limits *limits, snt_plain *plain) {
  reader in;
  size_t fields;
  if (!open_edits(&in, answer, plain, &fields) || fields > 3) return false;
  if (fields > 0 && !read_edits(&in, limits, plain)) return false;
  if (fields > 1 && !read_status(&in, &plain->status)) return false;
  if (fields > 2 && !skip_mode(&in)) return false;
  return in.at == in.end;
}

bool snt_read_chunk_answer(snt_text answer, snt_text *chunk) {
  reader in = {answer.bytes, answer.bytes + answer.length};
  size_t count;
  return read_array(&in, &count) && count == 2 && skip_byte(&in, 0) && read_bin(&in, chunk) && in.at == in.end;
}
