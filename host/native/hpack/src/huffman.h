/* Huffman's code of HPACK (RFC 7541 section 5.2 and appendix B), receiving side.
 *
 * Nothing here knows Python, allocates, or reads beyond the lengths that it is given.
 */
#ifndef SNT_HUFFMAN_H
#define SNT_HUFFMAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../src/text.h"

/* The most bytes that a coded string stands for: the shortest code has five bits. */
#define SNT_HUFFMAN_MAX(length) ((length) / 5 * 8 + 8)

/* Decode a string into `out`; false when it is malformed: a code that is cut off, the end-of-string
 * symbol, or padding that is longer than seven bits or not of ones. */
bool snt_huffman_decode(snt_text coded, uint8_t *out, size_t *length);

#endif
