#include "plain.h"

#include <string.h>

#include "../../fields/src/field.h"
#include "common_names.h"

/* As many digits cannot overflow: `grammar.MAX_LENGTH_DIGITS`. */
#define LENGTH_DIGITS 18

const char *const SNT_METHODS[SNT_PLAIN_METHODS] = {"GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"};

static bool is_blank(uint8_t byte) { return byte == ' ' || byte == '\t'; }

static bool is_digit(uint8_t byte) { return byte >= '0' && byte <= '9'; }

static snt_text from(snt_text text, size_t begin) { return (snt_text){text.bytes + begin, text.length - begin}; }

static bool begins_with(snt_text text, const char *with, size_t length) {
  return text.length >= length && memcmp(text.bytes, with, length) == 0;
}

/* Whether `text` is `expected`, which is in lower case and made of token bytes, in any case. */
static bool says(snt_text text, const char *expected, size_t length) {
  if (text.length != length) return false;
  for (size_t i = 0; i < length; i++)
    if (SNT_LOWER[text.bytes[i]] != (uint8_t)expected[i]) return false;
  return true;
}

static snt_text without_blanks_before(snt_text text) {
  while (text.length > 0 && is_blank(text.bytes[0])) text = from(text, 1);
  return text;
}

static snt_text without_blanks_behind(snt_text text) {
  while (text.length > 0 && is_blank(text.bytes[text.length - 1])) text.length--;
  return text;
}

/* Values are read with the blanks behind them, which none may have: llhttp takes a tab there for a
 * part of a length or a coding. */
static bool read_length(snt_text value, snt_plain_head *head) {
  if (head->body >= 0 || head->is_chunked || value.length == 0 || value.length > LENGTH_DIGITS) return false;
  int64_t length = 0;
  for (size_t i = 0; i < value.length; i++) {
    if (!is_digit(value.bytes[i])) return false;
    length = 10 * length + (value.bytes[i] - '0');
  }
  head->body = length;
  return true;
}

static bool read_coding(snt_text value, snt_plain_head *head) {
  if (head->body >= 0 || head->is_chunked) return false;
  head->is_chunked = true;
  return says(value, "chunked", 7);
}

static bool read_connection(snt_text value, snt_plain_head *head) {
  if (says(value, "keep-alive", 10)) return true;
  head->closes = true;
  return says(value, "close", 5);
}

static bool is_name(const uint8_t *name, const char *expected, size_t length) {
  return memcmp(name, expected, length) == 0;
}

/* Whether a name in lower case that is not Upgrade, which is never plain, is one of HOP_BY_HOP. */
static bool is_hop_by_hop(const uint8_t *name, size_t length) {
  switch (length) {
    case 2: return is_name(name, "te", 2);
    case 7: return is_name(name, "trailer", 7);
    case 10: return is_name(name, "connection", 10) || is_name(name, "keep-alive", 10);
    case 16: return is_name(name, "proxy-connection", 16);
    case 17: return is_name(name, "transfer-encoding", 17);
    default: return false;
  }
}

/* What a field says of the message, with the value as sent; false if that is not plain. The name is
 * in lower case. */
static bool read_meaning(const uint8_t *name, size_t length, snt_text value, snt_plain_head *head) {
  switch (length) {
    case 4:
      if (is_name(name, "host", 4)) head->hosts++;
      return true;
    case 6: return !is_name(name, "expect", 6);
    case 7: return !is_name(name, "upgrade", 7);
    case 10: return !is_name(name, "connection", 10) || read_connection(value, head);
    case 12:
      if (is_name(name, "x-request-id", 12)) head->has_request_id = true;
      return true;
    case 14: return !is_name(name, "content-length", 14) || read_length(value, head);
    case 17: return !is_name(name, "transfer-encoding", 17) || read_coding(value, head);
    default: return true;
  }
}

/* Read the field at the start of `text`; its size with the line's end, or 0 if it is not plain. */
static size_t read_field(snt_text text, snt_plain_head *head) {
  uint8_t name[SNT_PLAIN_NAME];
  size_t most = text.length < sizeof name ? text.length : sizeof name, length = 0;
  while (length < most && (name[length] = SNT_LOWER[text.bytes[length]]) != 0) length++;
  if (length == 0 || length == most || text.bytes[length] != ':') return 0;
  snt_text rest = from(text, length + 1);
  size_t size = snt_value_length(rest);
  if (rest.length - size < 2 || rest.bytes[size] != '\r' || rest.bytes[size + 1] != '\n') return 0;
  snt_text value = without_blanks_before((snt_text){rest.bytes, size});
  if (!read_meaning(name, length, value, head)) return 0;
  snt_plain_field *field = &head->fields[head->count++];
  field->name = (snt_text){text.bytes, length};
  field->value = without_blanks_behind(value);
  field->place = snt_common_place(name, length);
  field->is_hop_by_hop = is_hop_by_hop(name, length);
  head->hop_by_hop += field->is_hop_by_hop;
  return length + 1 + size + 2;
}

/* Read the fields that stand at `at`, and the empty line. */
static bool read_fields(snt_text text, size_t at, snt_plain_head *head) {
  head->count = 0;
  head->body = -1;
  head->is_chunked = head->closes = head->has_request_id = false;
  head->hosts = 0;
  head->hop_by_hop = 0;
  while (text.length - at >= 2) {
    if (text.bytes[at] == '\r') {
      head->length = at + 2;
      return text.bytes[at + 1] == '\n';
    }
    size_t size = head->count < SNT_PLAIN_FIELDS ? read_field(from(text, at), head) : 0;
    if (size == 0) return false;
    at += size;
  }
  return false;
}

static bool is_target_byte(uint8_t byte) { return byte > ' ' && byte < 0x7f && byte != '#'; }

/* The size of the method at the start of the text and of the space behind it, or 0. */
static size_t read_method(snt_text text, snt_plain_request *request) {
  for (unsigned i = 0; i < SNT_PLAIN_METHODS; i++) {
    size_t length = strlen(SNT_METHODS[i]);
    if (begins_with(text, SNT_METHODS[i], length) && length < text.length && text.bytes[length] == ' ') {
      request->method = i;
      return length + 1;
    }
  }
  return 0;
}

bool snt_read_plain_request(snt_text text, snt_plain_request *request) {
  static const char END[] = " HTTP/1.1\r\n";
  const size_t end = sizeof END - 1;
  size_t begin = read_method(text, request), at = begin;
  if (begin == 0 || begin == text.length || text.bytes[begin] != '/') return false;
  while (at < text.length && is_target_byte(text.bytes[at])) at++;
  if (!begins_with(from(text, at), END, end)) return false;
  request->target = (snt_text){text.bytes + begin, at - begin};
  return read_fields(text, at + end, &request->head) && request->head.hosts == 1;
}

bool snt_read_plain_response(snt_text text, snt_plain_response *response) {
  static const char BEGIN[] = "HTTP/1.1 ";
  const size_t code = sizeof BEGIN - 1, begin = code + 3;
  if (text.length < begin || !begins_with(text, BEGIN, code)) return false;
  const uint8_t *digits = text.bytes + code;
  if (digits[0] < '2' || digits[0] > '5' || !is_digit(digits[1]) || !is_digit(digits[2])) return false;
  response->status = 100u * (unsigned)(digits[0] - '0') + 10u * (unsigned)(digits[1] - '0') + (unsigned)(digits[2] - '0');
  snt_text rest = from(text, begin);
  size_t reason = snt_value_length(rest);
  if (rest.length - reason < 2 || rest.bytes[reason] != '\r' || rest.bytes[reason + 1] != '\n') return false;
  /* RFC 9112 section 4: a space, also where no reason follows. Many leave it away there. */
  if (reason > 0 && rest.bytes[0] != ' ') return false;
  return read_fields(text, begin + reason + 2, &response->head);
}
