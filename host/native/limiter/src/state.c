#include "state.h"

static uint8_t *put_number(uint8_t *out, uint32_t number) {
  size_t count = 1;
  for (uint64_t more = 10; more <= number; more *= 10) count++;
  /* Two at a time: each division waits for the one before. */
  uint8_t *place = out + count;
  for (; number >= 10; number /= 100) {
    uint32_t pair = number % 100;
    *--place = (uint8_t)('0' + pair % 10);
    *--place = (uint8_t)('0' + pair / 10);
  }
  if (place > out) *out = (uint8_t)('0' + number);
  return out + count;
}

static uint8_t *put_parameter(uint8_t *out, uint8_t name, uint32_t number) {
  *out++ = ';';
  *out++ = name;
  *out++ = '=';
  return put_number(out, number);
}

uint32_t snt_seconds_of(int64_t verdict) { return (uint32_t)(((uint64_t)(uint32_t)verdict + 999) / 1000); }

size_t snt_put_state(uint8_t out[SNT_STATE_MAX], int64_t verdict) {
  uint32_t remaining = (uint32_t)((uint64_t)verdict >> 32) & 0xffffff;
  return (size_t)(put_parameter(put_parameter(out, 'r', remaining), 't', snt_seconds_of(verdict)) - out);
}
