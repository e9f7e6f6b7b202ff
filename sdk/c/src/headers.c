#include "internal.h"

sentinel_bytes sentinel_get(sentinel_headers headers, const char *name) {
  for (size_t i = 0; i < headers.count; i++) {
    if (sentinel_is(headers.items[i].name, name)) return headers.items[i].value;
  }
  return (sentinel_bytes){NULL, 0};
}

bool sentinel_has(sentinel_headers headers, const char *name) {
  return sentinel_get(headers, name).data != NULL;
}

size_t sentinel_count(sentinel_headers headers, const char *name) {
  size_t found = 0;
  for (size_t i = 0; i < headers.count; i++) found += sentinel_is(headers.items[i].name, name);
  return found;
}

enum { SET, APPEND, REMOVE };

static void write_name(sentinel_writer *writer, const char *name) {
  sentinel_write_string(writer, sentinel_lower(sentinel_text(name)));
}

static void write_field(sentinel_header_edits *edits, uint64_t kind, const char *name, sentinel_bytes value) {
  sentinel_write_list(&edits->encoded, 2);
  sentinel_write_unsigned(&edits->encoded, kind);
  sentinel_write_list(&edits->encoded, 2);
  write_name(&edits->encoded, name);
  sentinel_write_binary(&edits->encoded, value);
  edits->count++;
}

void sentinel_set(sentinel_header_edits *edits, const char *name, sentinel_bytes value) {
  write_field(edits, SET, name, value);
}

void sentinel_append(sentinel_header_edits *edits, const char *name, sentinel_bytes value) {
  write_field(edits, APPEND, name, value);
}

void sentinel_remove(sentinel_header_edits *edits, const char *name) {
  sentinel_write_list(&edits->encoded, 2);
  sentinel_write_unsigned(&edits->encoded, REMOVE);
  write_name(&edits->encoded, name);
  edits->count++;
}

void sentinel_add_edits(sentinel_header_edits *edits, const sentinel_header_edits *others) {
  sentinel_write_raw(&edits->encoded, others->encoded.data, others->encoded.size);
  edits->count += others->count;
}

/* The fields that the gateway writes itself. */
static const char *const OWNED[] = {
    "content-length", "transfer-encoding", "connection", "keep-alive", "proxy-connection",
    "te",             "trailer",           "upgrade",    "host",
};

/* RFC 9110, section 5.6.2. */
static bool is_token(sentinel_bytes text) {
  for (size_t i = 0; i < text.size; i++) {
    char at = text.data[i];
    bool is_letter = (at | 0x20) >= 'a' && (at | 0x20) <= 'z', is_digit = at >= '0' && at <= '9', is_mark = false;
    for (const char *mark = "!#$%&'*+-.^_`|~"; *mark != 0; mark++) is_mark |= at == *mark;
    if (!is_letter && !is_digit && !is_mark) return false;
  }
  return text.size > 0;
}

const char *sentinel_header_name_problem(sentinel_bytes name) {
  if (!is_token(name)) return sentinel_format("`%s` is not a header name", sentinel_string(name));
  for (size_t i = 0; i < sizeof OWNED / sizeof *OWNED; i++) {
    if (sentinel_is_ignoring_case(name, OWNED[i])) {
      return sentinel_format("the header `%s` belongs to the gateway", OWNED[i]);
    }
  }
  return NULL;
}

const char *sentinel_header_value_problem(sentinel_bytes value) {
  for (size_t i = 0; i < value.size; i++) {
    unsigned char at = (unsigned char)value.data[i];
    if ((at < 0x20 && at != '\t') || at == 0x7f) return "a header's value cannot hold control characters";
  }
  return NULL;
}
