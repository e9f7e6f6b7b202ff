/* The values in a line of the access log, as bytes.
 *
 * Rule 1: nothing here knows Python, allocates, or reads beyond the lengths that it is given.
 * Rule 2: a `put` function writes no more than its bound says, and returns where it ends.
 */
#ifndef SNT_LINE_H
#define SNT_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../src/text.h"

/* Bounds in bytes. A character of JSON takes six at most: \u001f. */
#define SNT_JSON_MAX(length) (6 * (length))
#define SNT_QUOTED_MAX(length) (2 * (length))
#define SNT_NUMBER_MAX 20
#define SNT_MILLIS_MAX 24
#define SNT_TIME_MAX 40

/* Whether all of a text is printable ASCII, so that it is safe for a line as it is. */
bool snt_is_printable(snt_text text);

/* A JSON string's content: quotes, backslashes and control characters are escaped (RFC 8259 section
 * 7). The text is UTF-8. */
uint8_t *snt_put_json(uint8_t *out, snt_text text);

/* A text with a backslash before each quote and backslash. */
uint8_t *snt_put_quoted(uint8_t *out, snt_text text);

uint8_t *snt_put_bytes(uint8_t *out, snt_text text);
uint8_t *snt_put_count(uint8_t *out, uint64_t number);

/* Microseconds as milliseconds: as few digits behind the point as tell them all, but one. */
uint8_t *snt_put_millis(uint8_t *out, uint64_t microseconds);

/* What was written last of a format's times, but for fractions: thousands of lines have the same
 * second. All zero at first. */
typedef struct {
  uint64_t second;
  size_t length;
  uint8_t text[SNT_TIME_MAX];
} snt_second;

/* Microseconds since 1970 in UTC: 2023-11-14T22:13:20.123Z, and 14/Nov/2023:22:13:20 +0000. */
uint8_t *snt_put_rfc3339(uint8_t *out, snt_second *last, uint64_t microseconds);
uint8_t *snt_put_clf_time(uint8_t *out, snt_second *last, uint64_t microseconds);

#endif
