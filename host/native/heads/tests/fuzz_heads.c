/* libFuzzer's target for plain heads. */
#include "plainness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  read_both(data, size);
  return 0;
}
