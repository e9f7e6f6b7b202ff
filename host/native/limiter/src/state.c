#include "state.h"

static uint8_t *put_number(uint8_t *out, uint32_t number) {
  uint8_t digits[10];
  int count = 0;
  do digits[count++] = (uint8_t)('0' + number % 10);
  while (number /= 10);
  while (count > 0) *out++ = digits[--count];
  return out;
}

static uint8_t *put_parameter(uint8_t *out, uint8_t name, uint32_t number) {
  *out++ = ';';
  *out++ = name;
  *out++ = '=';
  return put_number(out, number);
}

size_t snt_put_state(uint8_t out[SNT_STATE_MAX], int64_t verdict) {
  uint32_t remaining = (uint32_t)((uint64_t)verdict >> 32) & 0xffffff;
  uint32_t seconds = (uint32_t)(((uint64_t)(uint32_t)verdict + 999) / 1000);
  return (size_t)(put_parameter(put_parameter(out, 'r', remaining), 't', seconds) - out);
}
