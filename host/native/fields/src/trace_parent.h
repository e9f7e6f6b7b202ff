/* The field that tells an upstream which trace a request belongs to:
 * https://www.w3.org/TR/trace-context/, section 3.2. */
#ifndef SNT_TRACE_PARENT_H
#define SNT_TRACE_PARENT_H

#include <stdint.h>

#define SNT_TRACE_ID 32
#define SNT_TRACE_PARENT 55

/* The value for a trace of this id, as digits, that is not sampled, and whose first span has the
 * second half of the id. */
void snt_put_unsampled_parent(uint8_t out[SNT_TRACE_PARENT], const uint8_t id[SNT_TRACE_ID]);

#endif
