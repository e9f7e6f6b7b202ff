/* Bytes that somebody else owns. */
#ifndef SNT_TEXT_H
#define SNT_TEXT_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
  const uint8_t *bytes;
  size_t length;
} snt_text;

#endif
