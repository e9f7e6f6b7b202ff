/* The common names are where they are looked for, and no other text is one. */
#include <assert.h>
#include <string.h>

#include "../../fields/src/field.h"
#include "../src/common_names.h"

static void a_byte_of_a_token_has_a_lower_case(void) {
  for (int byte = 0; byte < 256; byte++) {
    const uint8_t bytes[] = {(uint8_t)byte};
    uint8_t lower = byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + 32) : (uint8_t)byte;
    assert(SNT_LOWER[byte] == (snt_is_token((snt_text){bytes, 1}) ? lower : 0));
  }
}

static void a_common_name_is_found_at_its_place(void) {
  size_t found = 0;
  for (size_t length = 0; length <= SNT_COMMON_LENGTH + 1; length++) {
    assert(snt_common_name(length, SNT_COMMON_PLACES).bytes == NULL);
    for (size_t place = 0; place < SNT_COMMON_PLACES; place++) {
      snt_text name = snt_common_name(length, place);
      if (name.bytes == NULL) break;
      assert(name.length == length && snt_is_token(name));
      uint8_t changed[SNT_COMMON_LENGTH];
      memcpy(changed, name.bytes, length);
      assert(snt_common_place(changed, length) == (int)place);
      for (size_t i = 0; i < length; i++) {
        assert(SNT_LOWER[changed[i]] == changed[i]);
        changed[i] ^= 0x80;
        assert(snt_common_place(changed, length) == -1);
        changed[i] ^= 0x80;
      }
      found++;
    }
  }
  assert(found > 60);
}

static void every_name_of_a_length_has_its_length(void) {
  /* A name that is too long or too short would move those behind it. */
  const char *const last[] = {"dnt", "from", "allow", "expect", "trailer", "if-range", "x-real-ip", "tracestate",
                              "retry-after", "x-powered-by", "content-range", "sec-fetch-user", "referrer-policy",
                              "content-location", "if-modified-since", "proxy-authorization",
                              "upgrade-insecure-requests"};
  for (size_t i = 0; i < sizeof last / sizeof *last; i++)
    assert(snt_common_place((const uint8_t *)last[i], strlen(last[i])) >= 0);
}

int main(void) {
  a_byte_of_a_token_has_a_lower_case();
  a_common_name_is_found_at_its_place();
  every_name_of_a_length_has_its_length();
  return 0;
}
