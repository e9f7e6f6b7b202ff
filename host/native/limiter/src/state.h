/* What a verdict tells a client of its limit: parameters of a structured field (RFC 9651).
 *
 * Rule 1: nothing here allocates, and nothing is written beyond SNT_STATE_MAX.
 */
#ifndef SNT_STATE_H
#define SNT_STATE_H

#include <stddef.h>
#include <stdint.h>

/* ";r=16777215;t=4294968": 24 bits of requests, and 32 of milliseconds as seconds. */
#define SNT_STATE_MAX 21

/* How many seconds it takes until a verdict's reset, rounded up, so that a client that comes back
 * then is served. */
uint32_t snt_seconds_of(int64_t verdict);

/* Write what follows a limit's name in a member of `RateLimit`
 * (draft-ietf-httpapi-ratelimit-headers-11 section 4.1): how many requests remain, and the seconds
 * until the reset. Returns how many bytes. */
size_t snt_put_state(uint8_t out[SNT_STATE_MAX], int64_t verdict);

#endif
