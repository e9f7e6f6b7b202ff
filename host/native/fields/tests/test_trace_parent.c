/* That the value fills its room and not a byte beyond it, which the address sanitizer watches. */
#include "../src/trace_parent.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void a_value_has_the_id_and_its_second_half(void) {
  uint8_t *id = malloc(SNT_TRACE_ID), *out = malloc(SNT_TRACE_PARENT);
  memcpy(id, "0123456789abcdeffedcba9876543210", SNT_TRACE_ID);
  snt_put_unsampled_parent(out, id);
  assert(memcmp(out, "00-0123456789abcdeffedcba9876543210-fedcba9876543210-00", SNT_TRACE_PARENT) == 0);
  free(id);
  free(out);
}

int main(void) {
  a_value_has_the_id_and_its_second_half();
  return 0;
}
