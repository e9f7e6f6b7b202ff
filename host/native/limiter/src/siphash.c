#include "siphash.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "words are read as they lie in memory");

typedef struct {
  uint64_t a, b, c, d;
} sip_state;

static inline uint64_t rotate(uint64_t word, unsigned bits) { return (word << bits) | (word >> (64 - bits)); }

static inline void mix(sip_state *state) {
  state->a += state->b;
  state->c += state->d;
  state->b = rotate(state->b, 13) ^ state->a;
  state->d = rotate(state->d, 16) ^ state->c;
  state->a = rotate(state->a, 32);
  state->c += state->b;
  state->a += state->d;
  state->b = rotate(state->b, 17) ^ state->c;
  state->d = rotate(state->d, 21) ^ state->a;
  state->c = rotate(state->c, 32);
}

static inline void absorb(sip_state *state, uint64_t word) {
  state->d ^= word;
  mix(state);
  mix(state);
  state->a ^= word;
}

static inline uint64_t squeeze(sip_state *state) {
  mix(state);
  mix(state);
  mix(state);
  mix(state);
  return state->a ^ state->b ^ state->c ^ state->d;
}

snt_hash snt_siphash(const uint64_t secret[2], uint64_t prefix, const uint8_t *text, size_t length) {
  sip_state state = {
      .a = secret[0] ^ 0x736f6d6570736575u,
      .b = secret[1] ^ 0x646f72616e646f6du ^ 0xee,
      .c = secret[0] ^ 0x6c7967656e657261u,
      .d = secret[1] ^ 0x7465646279746573u,
  };
  absorb(&state, prefix);
  size_t rest = length;
  for (; rest >= 8; rest -= 8, text += 8) {
    uint64_t word;
    memcpy(&word, text, sizeof word);
    absorb(&state, word);
  }
  uint64_t last = 0;
  if (rest > 0) memcpy(&last, text, rest);
  absorb(&state, last | (uint64_t)(length + 8) << 56);
  snt_hash hash;
  state.c ^= 0xee;
  hash.low = squeeze(&state);
  state.b ^= 0xdd;
  hash.high = squeeze(&state);
  return hash;
}
