#include "internal.h"

sentinel_bytes sentinel_text(const char *text) {
  return text == NULL ? (sentinel_bytes){NULL, 0} : (sentinel_bytes){text, strlen(text)};
}

const char *sentinel_string(sentinel_bytes text) {
  char *copy = sentinel_allocate(text.size + 1);
  if (text.size > 0) memcpy(copy, text.data, text.size);
  copy[text.size] = 0;
  return copy;
}

bool sentinel_equal(sentinel_bytes a, sentinel_bytes b) {
  return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

bool sentinel_is(sentinel_bytes bytes, const char *text) {
  return sentinel_equal(bytes, sentinel_text(text));
}

static char lower(char letter) {
  return letter >= 'A' && letter <= 'Z' ? (char)(letter | 0x20) : letter;
}

bool sentinel_is_ignoring_case(sentinel_bytes bytes, const char *text) {
  size_t i = 0;
  for (; i < bytes.size && text[i] != 0; i++) {
    if (lower(bytes.data[i]) != lower(text[i])) return false;
  }
  return i == bytes.size && text[i] == 0;
}

bool sentinel_starts_with(sentinel_bytes bytes, const char *text) {
  size_t size = strlen(text);
  return bytes.size >= size && sentinel_is((sentinel_bytes){bytes.data, size}, text);
}

bool sentinel_ends_with(sentinel_bytes bytes, const char *text) {
  size_t size = strlen(text);
  return bytes.size >= size && sentinel_is((sentinel_bytes){bytes.data + bytes.size - size, size}, text);
}

bool sentinel_equal_secret(sentinel_bytes guess, sentinel_bytes secret) {
  /* Volatile, so that no compiler ends the loop early. */
  volatile unsigned char difference = guess.size != secret.size;
  for (size_t i = 0; i < guess.size; i++) {
    char other = secret.size > 0 ? secret.data[i % secret.size] : 0;
    difference = (unsigned char)(difference | (guess.data[i] ^ other));
  }
  return difference == 0;
}

sentinel_bytes sentinel_lower(sentinel_bytes text) {
  char *copy = sentinel_allocate(text.size);
  for (size_t i = 0; i < text.size; i++) copy[i] = lower(text.data[i]);
  return (sentinel_bytes){copy, text.size};
}

sentinel_bytes sentinel_media_type(sentinel_bytes content_type) {
  size_t size = 0;
  while (size < content_type.size) {
    char at = content_type.data[size];
    if (at == ';' || at == ' ' || at == '\t') break;
    size++;
  }
  return sentinel_lower((sentinel_bytes){content_type.data, size});
}

bool sentinel_is_utf8(sentinel_bytes text) {
  const unsigned char *at = (const unsigned char *)text.data, *end = at + text.size;
  while (at < end) {
    unsigned char first = *at++;
    if (first < 0x80) continue;
    /* How many bytes follow, and what the first of them may be: no overlong form, no surrogate, not
     * beyond U+10FFFF. */
    unsigned char low = 0x80, high = 0xbf;
    ptrdiff_t more;
    if (first >= 0xc2 && first <= 0xdf) more = 1;
    else if (first >= 0xe0 && first <= 0xef) more = 2;
    else if (first >= 0xf0 && first <= 0xf4) more = 3;
    else return false;
    if (first == 0xe0) low = 0xa0;
    else if (first == 0xed) high = 0x9f;
    else if (first == 0xf0) low = 0x90;
    else if (first == 0xf4) high = 0x8f;
    if (end - at < more || *at < low || *at > high) return false;
    for (ptrdiff_t i = 1; i < more; i++) {
      if ((at[i] & 0xc0) != 0x80) return false;
    }
    at += more;
  }
  return true;
}

sentinel_bytes sentinel_json_string(sentinel_bytes text) {
  sentinel_writer out = {0};
  sentinel_write_raw(&out, "\"", 1);
  for (size_t i = 0; i < text.size; i++) {
    char at = text.data[i];
    if (at == '"' || at == '\\') {
      char escaped[2] = {'\\', at};
      sentinel_write_raw(&out, escaped, 2);
    } else if ((unsigned char)at < 0x20) {
      const char *hex = "0123456789abcdef";
      char escaped[6] = {'\\', 'u', '0', '0', hex[at >> 4], hex[at & 15]};
      sentinel_write_raw(&out, escaped, 6);
    } else {
      sentinel_write_raw(&out, &at, 1);
    }
  }
  sentinel_write_raw(&out, "\"", 1);
  return (sentinel_bytes){(const char *)out.data, out.size};
}

/* Formatting ----------------------------------------------------------------------------------- */

static void pad(sentinel_writer *out, char with, size_t width, size_t size) {
  for (; size < width; size++) sentinel_write_raw(out, &with, 1);
}

static void write_digits(sentinel_writer *out, uint64_t value, unsigned base, bool negative, char with, size_t width) {
  char digits[24];
  size_t first = sizeof digits;
  do {
    digits[--first] = "0123456789abcdef"[value % base];
    value /= base;
  } while (value > 0);
  if (negative && with == '0') sentinel_write_raw(out, "-", 1);
  pad(out, with, width, sizeof digits - first + negative);
  if (negative && with != '0') sentinel_write_raw(out, "-", 1);
  sentinel_write_raw(out, digits + first, sizeof digits - first);
}

/* A list by address: va_list may be an array, which no function can be handed and change for its
 * caller. */
typedef struct arguments {
  va_list list;
} arguments;

/* The integer arguments of the widths that a format names: 0 for int, 1 for long, 2 for long long,
 * 3 for size_t. */
static uint64_t take_integer(arguments *all, unsigned width, bool is_signed, bool *negative) {
  int64_t value;
  *negative = false;
  if (!is_signed) {
    if (width == 3) return va_arg(all->list, size_t);
    if (width == 2) return va_arg(all->list, unsigned long long);
    if (width == 1) return va_arg(all->list, unsigned long);
    return va_arg(all->list, unsigned);
  }
  if (width == 3) value = va_arg(all->list, ptrdiff_t);
  else if (width == 2) value = va_arg(all->list, long long);
  else if (width == 1) value = va_arg(all->list, long);
  else value = va_arg(all->list, int);
  *negative = value < 0;
  return value < 0 ? ~(uint64_t)value + 1 : (uint64_t)value;
}

static sentinel_bytes take_text(arguments *all, bool is_limited, int limit) {
  const char *text = va_arg(all->list, const char *);
  if (text == NULL) return SENTINEL_TEXT("(null)");
  size_t size = 0;
  while ((!is_limited || size < (size_t)limit) && text[size] != 0) size++;
  return (sentinel_bytes){text, size};
}

const char *sentinel_format_list(const char *format, va_list list) {
  arguments all;
  va_copy(all.list, list);
  sentinel_writer out = {0};
  for (const char *at = format; *at != 0; at++) {
    if (*at != '%') {
      sentinel_write_raw(&out, at, 1);
      continue;
    }
    char with = ' ';
    size_t width = 0;
    bool is_limited = false, negative = false;
    int limit = 0;
    unsigned size = 0;
    if (*++at == '0') with = '0', at++;
    for (; *at >= '0' && *at <= '9'; at++) width = 10 * width + (size_t)(*at - '0');
    if (at[0] == '.' && at[1] == '*') is_limited = true, limit = va_arg(all.list, int), at += 2;
    for (; *at == 'l' || *at == 'z' || *at == 'h'; at++) size = *at == 'z' ? 3 : *at == 'l' ? size + 1 : size;
    if (*at == 's') {
      sentinel_bytes text = take_text(&all, is_limited, limit);
      pad(&out, ' ', width, text.size);
      sentinel_write_raw(&out, text.data, text.size);
    } else if (*at == 'c') {
      char one = (char)va_arg(all.list, int);
      sentinel_write_raw(&out, &one, 1);
    } else if (*at == 'd' || *at == 'i') {
      uint64_t value = take_integer(&all, size, true, &negative);
      write_digits(&out, value, 10, negative, with, width);
    } else if (*at == 'u' || *at == 'x') {
      uint64_t value = take_integer(&all, size, false, &negative);
      write_digits(&out, value, *at == 'x' ? 16 : 10, false, with, width);
    } else if (*at == '%') {
      sentinel_write_raw(&out, "%", 1);
    } else {
      sentinel_log_text(SENTINEL_ERROR, sentinel_text(format));
      sentinel_fail("a format has a conversion that is none: %%%c", *at);
    }
  }
  va_end(all.list);
  sentinel_write_raw(&out, "", 1);
  return (const char *)out.data;
}

const char *sentinel_format(const char *format, ...) {
  va_list list;
  va_start(list, format);
  const char *text = sentinel_format_list(format, list);
  va_end(list);
  return text;
}

/* Log ------------------------------------------------------------------------------------------ */

void sentinel_log_text(sentinel_level level, sentinel_bytes text) {
  sentinel_import_log((uint32_t)level, text.data, text.size);
}

void sentinel_log(sentinel_level level, const char *format, ...) {
  va_list list;
  va_start(list, format);
  sentinel_log_text(level, sentinel_text(sentinel_format_list(format, list)));
  va_end(list);
}

_Noreturn void sentinel_fail(const char *format, ...) {
  va_list list;
  va_start(list, format);
  sentinel_log_text(SENTINEL_ERROR, sentinel_text(sentinel_format_list(format, list)));
  va_end(list);
  sentinel_trap();
}

/* Nothing can be formatted any more. */
_Noreturn void sentinel_out_of_memory(void) {
  sentinel_log_text(SENTINEL_ERROR, SENTINEL_TEXT("out of memory"));
  sentinel_trap();
}
