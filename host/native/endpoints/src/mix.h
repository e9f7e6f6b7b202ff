/* A 64-bit mix in which every bit of the input moves every bit of the output (the finalizer of
 * SplitMix64). */
#ifndef SNT_MIX_H
#define SNT_MIX_H

#include <stddef.h>
#include <stdint.h>

static inline uint64_t snt_mix(uint64_t value) {
  value += UINT64_C(0x9e3779b97f4a7c15);
  value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
  return value ^ value >> 31;
}

#endif
