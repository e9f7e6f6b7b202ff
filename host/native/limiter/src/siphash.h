/* SipHash-2-4 with 128 bits of output (Aumasson and Bernstein, 2012; the output as in the authors'
 * reference code).
 *
 * A client who does not know the secret cannot aim keys at one place of a table, nor at one tag.
 */
#ifndef SNT_SIPHASH_H
#define SNT_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
  uint64_t low, high;
} snt_hash;

/* The hash of `prefix`, as eight bytes in little-endian order, followed by `length` bytes of
 * `text`. */
snt_hash snt_siphash(const uint64_t secret[2], uint64_t prefix, const uint8_t *text, size_t length);

#endif
