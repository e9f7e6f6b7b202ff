/* Names of header fields: which bytes they have, and which of them most messages have.
 *
 * Rule 1: nothing here knows Python, allocates, or reads beyond the length that it is given.
 */
#ifndef SNT_COMMON_NAMES_H
#define SNT_COMMON_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "../../src/text.h"

/* Longer names are not common. */
#define SNT_COMMON_LENGTH 27
/* As many common names have the same length, at most. */
#define SNT_COMMON_PLACES 8

/* For each byte of a token (RFC 9110 section 5.6.2) the same in lower case, for all others 0. */
extern const uint8_t SNT_LOWER[256];

/* Where a name in lower case stands among the common ones of its length; -1 if it is none. */
int snt_common_place(const uint8_t *name, size_t length);

/* The common name of that length at that place; without bytes if there is none. */
snt_text snt_common_name(size_t length, size_t place);

#endif
