/* One header field as bytes: what may stand in it, and how it looks in an HTTP/1 head.
 *
 * Rule 1: nothing here knows Python, allocates, or reads beyond the lengths that it is given.
 * Rule 2: a `put` function writes exactly as many bytes as its `size` function says.
 */
#ifndef SNT_FIELD_H
#define SNT_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../src/text.h"

typedef struct {
  snt_text name, value;
} snt_field;

/* RFC 9110 section 5.6.2: what a field name or a method is made of. */
bool snt_is_token(snt_text text);

/* The same without capitals: the form that names have inside. */
bool snt_is_lower_token(snt_text text);

/* RFC 9110 section 5.5: no control character but the tab. */
bool snt_is_value(snt_text text);

/* How many bytes stand before the first that no value has; all of them if there is none. */
size_t snt_value_length(snt_text text);

/* What may stand in a request line between its spaces: neither white space nor control
 * characters. */
bool snt_is_target(snt_text text);

/* Whether the path of a target is in canonical form already, by the stricter of the rules in
 * sentinel_host/paths.py: it begins with a slash, has neither escapes nor what needs any, no empty
 * segment, and none that begins with a dot. */
bool snt_is_plain_path(snt_text text);

/* A line of an HTTP/1 head behind another: CR LF, the name, a colon and a space, the value. */
size_t snt_line_size(const snt_field *field);
uint8_t *snt_put_line(uint8_t *out, const snt_field *field);

#endif
