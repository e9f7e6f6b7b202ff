/* What holds of a head that was read as plain, whatever it is; for the tests and for the fuzzer.
 *
 * `snt_read_head`, which decides about every other head, must accept its bytes. Each field is looked
 * at again, byte by byte. */
#ifndef SNT_TESTS_PLAINNESS_H
#define SNT_TESTS_PLAINNESS_H

#include <stdlib.h>
#include <string.h>

#include "../../fields/src/field.h"
#include "../../fields/src/head.h"
#include "../src/common_names.h"
#include "../src/plain.h"

#define MUST(condition) \
  do {                  \
    if (!(condition)) abort(); \
  } while (0)

static inline bool lies_within(snt_text part, snt_text whole) {
  return part.bytes >= whole.bytes && part.bytes + part.length <= whole.bytes + whole.length;
}

/* Whether `text` is `expected`, in any case. */
static inline bool is_word(snt_text text, const char *expected) {
  if (text.length != strlen(expected)) return false;
  for (size_t i = 0; i < text.length; i++) {
    uint8_t byte = text.bytes[i];
    if ((byte >= 'A' && byte <= 'Z' ? byte + 32 : byte) != expected[i]) return false;
  }
  return true;
}

static inline bool is_blank_byte(uint8_t byte) { return byte == ' ' || byte == '\t'; }

static inline void field_must_hold(snt_text text, const snt_plain_field *field) {
  snt_text name = field->name, value = field->value;
  MUST(lies_within(name, text) && lies_within(value, text) && name.bytes + name.length < value.bytes);
  MUST(snt_is_token(name) && name.bytes[name.length] == ':' && snt_is_value(value));
  MUST(value.length == 0 || (!is_blank_byte(value.bytes[0]) && !is_blank_byte(value.bytes[value.length - 1])));
  if (field->place >= 0) {
    snt_text common = snt_common_name(name.length, (size_t)field->place);
    MUST(common.bytes != NULL && common.length == name.length);
    for (size_t i = 0; i < name.length; i++) MUST(SNT_LOWER[name.bytes[i]] == common.bytes[i]);
  }
}

static inline void head_must_hold(snt_text text, const snt_plain_head *head) {
  unsigned hosts = 0, codings = 0, lengths = 0, closes = 0, hops = 0, ids = 0;
  MUST(head->count <= SNT_PLAIN_FIELDS && head->length <= text.length);
  for (size_t i = 0; i < head->count; i++) {
    snt_text name = head->fields[i].name, value = head->fields[i].value;
    field_must_hold(text, &head->fields[i]);
    MUST(!is_word(name, "upgrade") && !is_word(name, "expect"));
    hosts += is_word(name, "host");
    ids += is_word(name, "x-request-id");
    bool is_hop_by_hop = is_word(name, "connection") || is_word(name, "keep-alive") || is_word(name, "te") ||
                         is_word(name, "proxy-connection") || is_word(name, "transfer-encoding") ||
                         is_word(name, "trailer");
    MUST(head->fields[i].is_hop_by_hop == is_hop_by_hop);
    hops += is_hop_by_hop;
    if (is_word(name, "connection")) {
      MUST(is_word(value, "close") || is_word(value, "keep-alive"));
      closes += is_word(value, "close");
    }
    if (is_word(name, "transfer-encoding")) {
      MUST(is_word(value, "chunked"));
      codings++;
    }
    if (is_word(name, "content-length")) {
      lengths++;
      char digits[20] = {0};
      MUST(value.length > 0 && value.length < sizeof digits);
      memcpy(digits, value.bytes, value.length);
      MUST(strspn(digits, "0123456789") == value.length && strtoll(digits, NULL, 10) == head->body);
    }
  }
  MUST(hops == head->hop_by_hop && head->has_request_id == (ids > 0));
  MUST(hosts == head->hosts && codings + lengths <= 1 && head->closes == (closes > 0));
  MUST(head->is_chunked == (codings == 1) && (head->body >= 0) == (lengths == 1));
}

/* The same fields behind a request line are a head that `snt_read_head` accepts. */
static inline void fields_must_be_accepted(snt_text text, size_t begin, const snt_plain_head *head) {
  const char line[] = "GET / HTTP/1.1\r\n";
  const size_t size = sizeof line - 1, length = size + head->length - begin;
  uint8_t *copy = malloc(length);
  memcpy(copy, line, size);
  memcpy(copy + size, text.bytes + begin, head->length - begin);
  snt_head whole;
  MUST(snt_read_head((snt_text){copy, length}, &whole) && whole.length == length && whole.fields == head->count);
  free(copy);
}

/* Reads a text as both kinds, in memory of exactly its size, so that the address sanitizer sees a
 * byte beyond it; whether it is one of them. */
static inline bool read_both(const uint8_t *bytes, size_t length) {
  uint8_t *copy = malloc(length);
  snt_text text = {copy, length};
  snt_plain_request request;
  snt_plain_response response;
  if (length > 0) memcpy(copy, bytes, length);
  bool is_request = snt_read_plain_request(text, &request), is_response = snt_read_plain_response(text, &response);
  if (is_request) {
    snt_head head;
    MUST(snt_read_head(text, &head) && head.length == request.head.length && head.fields == request.head.count);
    MUST(head.http11 && head.method.length == strlen(SNT_METHODS[request.method]));
    MUST(memcmp(head.method.bytes, SNT_METHODS[request.method], head.method.length) == 0);
    MUST(request.target.bytes == text.bytes + head.method.length + 1 && request.target.bytes[0] == '/');
    MUST(memcmp(request.target.bytes + request.target.length, " HTTP/1.1\r\n", 11) == 0);
    head_must_hold(text, &request.head);
    MUST(request.head.hosts == 1);
  }
  if (is_response) {
    MUST(!is_request && response.status >= 200 && response.status <= 599);
    head_must_hold(text, &response.head);
    const uint8_t *line_end = memchr(text.bytes, '\n', length);
    fields_must_be_accepted(text, (size_t)(line_end + 1 - text.bytes), &response.head);
  }
  free(copy);
  return is_request || is_response;
}

#endif
