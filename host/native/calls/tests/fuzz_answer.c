/* libFuzzer's target for plain answers. The first byte chooses the limits. */
#include "plainness.h"

static const snt_answer_limits LIMITS[] = {{128, 65536, 65536}, {1, 8, 2}, {0, 0, 0}};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size > 0) read_each(data + 1, size - 1, &LIMITS[data[0] % (sizeof LIMITS / sizeof *LIMITS)]);
  return 0;
}
