#include "rules.h"

#include "../../fields/src/field.h"

/* One bit for each byte. */
typedef uint64_t byte_set[4];

/* Lower-case letters, digits and -!#$%&'*+.^_`|~ */
static const byte_set NAME_BYTES = {0x03ff6cfa00000000, 0x57ffffffc0000000, 0, 0};
/* Letters, digits and -._~!$&'()*+= */
static const byte_set HOST_BYTES = {0x23ff6fd200000000, 0x47fffffe87fffffe, 0, 0};
/* Hexadecimal digits, colons and dots. */
static const byte_set ADDRESS_BYTES = {0x07ff400000000000, 0x0000007e0000007e, 0, 0};

static bool has(const byte_set set, uint8_t byte) { return set[byte >> 6] >> (byte & 63) & 1; }

static size_t span(const byte_set set, snt_text text, size_t from) {
  while (from < text.length && has(set, text.bytes[from])) from++;
  return from;
}

static bool is_forbidden(snt_text name) {
  switch (name.length) {
    case 7:
      return SNT_IS(name, "upgrade");
    case 10:
      return SNT_IS(name, "connection") || SNT_IS(name, "keep-alive");
    case 16:
      return SNT_IS(name, "proxy-connection");
    case 17:
      return SNT_IS(name, "transfer-encoding");
    default:
      return false;
  }
}

snt_name_kind snt_kind_of(snt_text name) {
  if (name.length == 0 || span(NAME_BYTES, name, 0) != name.length || is_forbidden(name)) return SNT_NAME_OTHER;
  switch (name.length) {
    case 2:
      return SNT_IS(name, "te") ? SNT_NAME_TE : SNT_NAME_PLAIN;
    case 4:
      return SNT_IS(name, "host") ? SNT_NAME_OTHER : SNT_NAME_PLAIN;
    case 6:
      return SNT_IS(name, "cookie") ? SNT_NAME_COOKIE : SNT_IS(name, "expect") ? SNT_NAME_OTHER : SNT_NAME_PLAIN;
    case 14:
      return SNT_IS(name, "content-length") ? SNT_NAME_LENGTH : SNT_NAME_PLAIN;
    default:
      return SNT_NAME_PLAIN;
  }
}

bool snt_is_bare_value(snt_text value) {
  if (value.length == 0) return true;
  return value.bytes[0] > ' ' && value.bytes[value.length - 1] > ' ' && snt_is_value(value);
}

bool snt_is_path(snt_text path) {
  if (path.length == 0 || path.bytes[0] != '/') return false;
  for (size_t i = 1; i < path.length; i++) {
    uint8_t byte = path.bytes[i];
    if (byte <= ' ' || byte >= 0x7f || byte == '#') return false;
  }
  return true;
}

bool snt_is_authority(snt_text authority) {
  size_t end;
  if (authority.length > 0 && authority.bytes[0] == '[') {
    end = span(ADDRESS_BYTES, authority, 1);
    if (end == 1 || end == authority.length || authority.bytes[end++] != ']') return false;
  } else {
    end = span(HOST_BYTES, authority, 0);
    if (end == 0) return false;
  }
  if (end == authority.length) return true;
  size_t digits = authority.length - end - 1;
  if (authority.bytes[end] != ':' || digits < 1 || digits > 5) return false;
  for (size_t i = end + 1; i < authority.length; i++)
    if (authority.bytes[i] < '0' || authority.bytes[i] > '9') return false;
  return true;
}

int64_t snt_read_length(snt_text digits) {
  if (digits.length < 1 || digits.length > 18) return -1;
  int64_t number = 0;
  for (size_t i = 0; i < digits.length; i++) {
    if (digits.bytes[i] < '0' || digits.bytes[i] > '9') return -1;
    number = 10 * number + (digits.bytes[i] - '0');
  }
  return number;
}
