/* What stands in the field section of an ordinary request on HTTP/2 and HTTP/3 (RFC 9113 section 8).
 *
 * Rule 1: nothing here knows Python, allocates, or reads beyond the lengths that it is given.
 * Rule 2: a text that is refused here need not be malformed: the caller asks who knows all rules.
 */
#ifndef SNT_RULES_H
#define SNT_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../src/text.h"

typedef enum {
  SNT_NAME_PLAIN,
  SNT_NAME_COOKIE,
  SNT_NAME_LENGTH, /* content-length */
  SNT_NAME_TE,
  SNT_NAME_OTHER, /* malformed, or with a meaning of its own */
} snt_name_kind;

snt_name_kind snt_kind_of(snt_text name);

/* A value without control characters but the tab, and without white space around it. */
bool snt_is_bare_value(snt_text value);

/* A path of visible ASCII without '#' that begins with a slash. */
bool snt_is_path(snt_text path);

/* A host with an optional port, which is not empty. */
bool snt_is_authority(snt_text authority);

/* A number that fits a signed 64-bit integer whatever its digits are, as 18 do; -1 otherwise. */
int64_t snt_read_length(snt_text digits);

static inline bool snt_equals(snt_text text, const char *other, size_t length) {
  return text.length == length && __builtin_memcmp(text.bytes, other, length) == 0;
}

#define SNT_IS(text, literal) snt_equals(text, literal, sizeof literal - 1)

#endif
