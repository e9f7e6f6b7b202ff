/* What Python's tests cannot see: that not a byte is read beyond what was said. The buffers are
 * allocated to the byte, so that the address sanitizer does. */
#include "../src/names.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "../src/field.h"

static snt_text copy_of(const char *bytes, size_t length) {
  uint8_t *copy = malloc(length);
  if (length > 0) memcpy(copy, bytes, length);
  return (snt_text){copy, length};
}

static void forget(snt_text text) { free((void *)(uintptr_t)text.bytes); }

static void each_name_has_its_number(void) {
  enum { COUNT = 200 };
  snt_text texts[COUNT];
  size_t slots = snt_slots_for(COUNT);
  snt_names names = {calloc(slots, sizeof *names.slots), slots - 1};
  /* Names of one letter in different numbers have one place each, and so have many of others. */
  for (size_t i = 0; i < COUNT; i++) {
    char name[COUNT];
    memset(name, (int)('a' + i % 7), i / 2 + 1);
    name[0] = (char)('a' + i % 2);
    texts[i] = copy_of(name, i / 2 + 1);
    snt_add_name(&names, texts[i], (uint32_t)i + 1);
  }
  for (size_t i = 0; i < COUNT; i++) {
    snt_text same = copy_of((const char *)texts[i].bytes, texts[i].length);
    uint32_t number = snt_number_of(&names, same);
    assert(number > 0 && number <= i + 1);
    ((uint8_t *)(uintptr_t)same.bytes)[0] -= 'a' - 'A';
    assert(snt_number_of(&names, same) == 0 && snt_number_of_lowered(&names, same) == number);
    ((uint8_t *)(uintptr_t)same.bytes)[0] = '-';
    assert(snt_number_of_lowered(&names, same) == 0);
    forget(same);
  }
  snt_text empty = copy_of("", 0);
  assert(snt_number_of(&names, empty) == 0 && snt_number_of_lowered(&names, empty) == 0);
  forget(empty);
  for (size_t i = 0; i < COUNT; i++) forget(texts[i]);
  free(names.slots);
}

static void a_table_is_never_full(void) {
  for (size_t count = 0; count < 100; count++) assert(snt_slots_for(count) > 4 * count);
}

/* Names of all lengths, with each byte at each place. */
static void every_byte_of_a_name_is_judged(void) {
  for (size_t length = 1; length < 20; length++)
    for (size_t place = 0; place < length; place++)
      for (int byte = 0; byte < 256; byte++) {
        uint8_t *bytes = malloc(length);
        memset(bytes, 'z', length);
        bytes[place] = (uint8_t)byte;
        bool is_letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
        bool is_token = is_letter || (byte >= '0' && byte <= '9') || (byte != 0 && strchr("!#$%&'*+-.^_`|~", byte));
        assert(snt_is_token((snt_text){bytes, length}) == is_token);
        assert(snt_is_lower_token((snt_text){bytes, length}) == (is_token && !(byte >= 'A' && byte <= 'Z')));
        assert(snt_is_value((snt_text){bytes, length}) == ((byte >= ' ' && byte != 0x7f) || byte == '\t'));
        free(bytes);
      }
}

static void a_plain_path_is_read_to_its_end(void) {
  const char *const plain[] = {"/", "/a", "/a/b.c/d", "/[x]|{y}^~"};
  const char *const others[] = {"", "a", "//", "/a//b", "/.a", "/a/..", "/%61", "/a b", "/a?b", "/\x80"};
  for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
    snt_text path = copy_of(plain[i], strlen(plain[i]));
    assert(snt_is_plain_path(path));
    forget(path);
  }
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    snt_text path = copy_of(others[i], strlen(others[i]));
    assert(!snt_is_plain_path(path));
    forget(path);
  }
}

int main(void) {
  each_name_has_its_number();
  a_table_is_never_full();
  every_byte_of_a_name_is_judged();
  a_plain_path_is_read_to_its_end();
  return 0;
}
