#include "trace_parent.h"

#include <string.h>

enum { VERSION = 3, SPAN_ID = SNT_TRACE_ID / 2 };

void snt_put_unsampled_parent(uint8_t out[SNT_TRACE_PARENT], const uint8_t id[SNT_TRACE_ID]) {
  memcpy(out, "00-", VERSION);
  memcpy(out + VERSION, id, SNT_TRACE_ID);
  out[VERSION + SNT_TRACE_ID] = '-';
  memcpy(out + VERSION + SNT_TRACE_ID + 1, id + SNT_TRACE_ID - SPAN_ID, SPAN_ID);
  memcpy(out + VERSION + SNT_TRACE_ID + 1 + SPAN_ID, "-00", 3);
}
