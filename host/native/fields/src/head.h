/* The bytes of a request head: whether they are ones that Sentinel reads at all.
 *
 * Rule 1: one loop decides, from the first byte on, and stops at the first that does not fit;
 *         nothing is repaired.
 * Rule 2: nothing here knows Python, allocates, or reads beyond the length that it is given.
 */
#ifndef SNT_HEAD_H
#define SNT_HEAD_H

#include <stdbool.h>
#include <stddef.h>

#include "../../src/text.h"

typedef struct {
  size_t length, fields;
  snt_text method;
  bool http11;
} snt_head;

/* Whether the text begins with a whole head (RFC 9112 sections 2 to 5): a request line with one
 * space between its parts, a target of visible ASCII without '#' and HTTP/1.0 or 1.1; fields, each
 * a token, a colon and a value, none folded; an empty line; every line ended by CR LF. If so,
 * `head` tells its length with the empty line, and what is in it. */
bool snt_read_head(snt_text text, snt_head *head);

#endif
