/* What Python's tests cannot see: that not a byte is read or written beyond what was said. The
 * buffers are allocated to the byte, so that the address sanitizer does. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "../src/field.h"
#include "../src/pack.h"

static snt_text copy_of(const char *bytes, size_t length) {
  uint8_t *copy = malloc(length);
  if (length > 0) memcpy(copy, bytes, length);
  return (snt_text){copy, length};
}

static void forget(snt_text text) { free((void *)(uintptr_t)text.bytes); }

static void every_length_is_judged_to_its_end(void) {
  for (size_t length = 0; length < 40; length++) {
    uint8_t *bytes = malloc(length);
    snt_text text = {bytes, length};
    if (length > 0) memset(bytes, 'a', length);
    assert(snt_is_value(text));
    assert(snt_is_token(text) == (length > 0));
    assert(snt_is_target(text) == (length > 0));
    for (size_t place = 0; place < length; place++) {
      bytes[place] = '\n';
      assert(!snt_is_value(text) && !snt_is_token(text) && !snt_is_target(text));
      bytes[place] = 0x7f;
      assert(!snt_is_value(text) && !snt_is_token(text) && !snt_is_target(text));
      bytes[place] = '\t';
      assert(snt_is_value(text) && !snt_is_token(text) && !snt_is_target(text));
      bytes[place] = 0x80;
      assert(snt_is_value(text) && !snt_is_token(text) && snt_is_target(text));
      bytes[place] = 'a';
    }
    free(bytes);
  }
}

static bool is_one_of_a_value(uint8_t byte) { return byte == '\t' || (byte >= ' ' && byte != 0x7f); }

static void a_value_ends_at_its_first_control(void) {
  /* Each byte behind each, at all places of a word and behind it. */
  for (unsigned pair = 0; pair < 1u << 16; pair++)
    for (size_t place = 0; place < 9; place++) {
      uint8_t bytes[12];
      memset(bytes, pair & 1 ? 0x80 : ' ', sizeof bytes);
      bytes[place] = (uint8_t)pair;
      bytes[place + 1] = (uint8_t)(pair >> 8);
      size_t end = 0;
      while (end < sizeof bytes && is_one_of_a_value(bytes[end])) end++;
      assert(snt_value_length((snt_text){bytes, sizeof bytes}) == end);
    }
}

static void what_is_written_is_as_long_as_was_said(void) {
  const size_t lengths[] = {0, 1, 31, 32, 255, 256, 65535, 65536};
  const size_t count = sizeof lengths / sizeof *lengths;
  for (size_t n = 0; n < count; n++)
    for (size_t v = 0; v < count; v++) {
      snt_field field = {{calloc(1, lengths[n]), lengths[n]}, {calloc(1, lengths[v]), lengths[v]}};
      size_t line = snt_line_size(&field), packed = snt_packed_size(&field);
      uint8_t *out = malloc(line);
      assert(snt_put_line(out, &field) == out + line);
      free(out);
      out = malloc(packed);
      assert(snt_put_packed(out, &field) == out + packed);
      free(out);
      forget(field.name);
      forget(field.value);
    }
  for (size_t n = 0; n < count; n++) {
    uint8_t *out = malloc(snt_array_size(lengths[n]));
    assert(snt_put_array(out, lengths[n]) == out + snt_array_size(lengths[n]));
    free(out);
  }
  for (unsigned shift = 0; shift < 64; shift++)
    for (uint64_t less = 0; less < 2; less++) {
      uint64_t number = (UINT64_C(1) << shift) - less;
      uint8_t *out = malloc(snt_number_size(number));
      assert(snt_put_number(out, number) == out + snt_number_size(number));
      free(out);
    }
}

static void a_field_looks_as_the_contract_says(void) {
  snt_field field = {copy_of("x-a", 3), copy_of("\x00\xff", 2)};
  uint8_t out[16];
  assert(snt_put_packed(out, &field) == out + 9);
  assert(memcmp(out, "\x92\xa3x-a\xc4\x02\x00\xff", 9) == 0);
  assert(snt_put_line(out, &field) == out + 9);
  assert(memcmp(out, "\r\nx-a: \x00\xff", 9) == 0);
  forget(field.name);
  forget(field.value);
}

int main(void) {
  every_length_is_judged_to_its_end();
  a_value_ends_at_its_first_control();
  what_is_written_is_as_long_as_was_said();
  a_field_looks_as_the_contract_says();
  return 0;
}
