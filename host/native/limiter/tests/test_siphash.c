#include "../../tests/harness.h"
#include "../src/siphash.h"

static const uint64_t SECRET[2] = {0x0706050403020100u, 0x0f0e0d0c0b0a0908u};
static const uint64_t PREFIX = 0x0706050403020100u;

typedef struct {
  size_t length;
  uint64_t low, high;
} vector;

/* Messages 00 01 02 …, prefix included; computed with OpenSSL
 * (`openssl mac -macopt size:16 SIPHASH`). */
static const vector VECTORS[] = {
    {8, 0x61f55862baa9623bu, 0xb49714f364e2830fu},
    {9, 0xabbad90a06994426u, 0xed716dbb028b7fc4u},
    {15, 0x11a8b03399e99354u, 0xd9c3cf970fec087eu},
    {16, 0xbb54b067caa4e26eu, 0x77052385bf1533fdu},
    {23, 0xe0f5a9d5dd84d1c9u, 0x1c69bf9a9ae28ccfu},
    {47, 0xd1190b722b431ce6u, 0x1b1563dc4bd8c88eu},
    {64, 0x3fcdd4c07d07af1eu, 0x4ba75836384dad8cu},
};

static void agrees_with_another_implementation(void) {
  uint8_t message[64];
  for (size_t index = 0; index < sizeof message; index++) message[index] = (uint8_t)index;
  for (size_t index = 0; index < sizeof VECTORS / sizeof *VECTORS; index++) {
    snt_hash hash = snt_siphash(SECRET, PREFIX, message + 8, VECTORS[index].length - 8);
    CHECK(hash.low == VECTORS[index].low && hash.high == VECTORS[index].high);
  }
}

static void depends_on_secret_and_prefix(void) {
  const uint64_t other[2] = {SECRET[0], SECRET[1] ^ 1};
  uint64_t hash = snt_siphash(SECRET, PREFIX, (const uint8_t *)"key", 3).low;
  CHECK(hash != snt_siphash(other, PREFIX, (const uint8_t *)"key", 3).low);
  CHECK(hash != snt_siphash(SECRET, PREFIX ^ 1, (const uint8_t *)"key", 3).low);
  CHECK(snt_siphash(SECRET, PREFIX, NULL, 0).low != snt_siphash(SECRET, PREFIX, (const uint8_t *)"\0", 1).low);
}

int main(void) {
  RUN(agrees_with_another_implementation);
  RUN(depends_on_secret_and_prefix);
  return 0;
}
