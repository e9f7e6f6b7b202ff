#include "huffman.h"

/* The codes of one length. All of `first` and `last` stand at the top of 32 bits, and what follows
 * them is zero or one. The code is canonical: within a length, codes count up with the symbols, and
 * a longer code is larger than all shorter ones. */
typedef struct {
  uint8_t length;
  uint16_t offset; /* of the first one's symbol */
  uint32_t first, last;
} snt_codes;

static const snt_codes CODES[] = {
    {5, 0, 0x00000000, 0x4fffffff},
    {6, 10, 0x50000000, 0xb7ffffff},
    {7, 36, 0xb8000000, 0xf7ffffff},
    {8, 68, 0xf8000000, 0xfdffffff},
    {10, 74, 0xfe000000, 0xff3fffff},
    {11, 79, 0xff400000, 0xff9fffff},
    {12, 82, 0xffa00000, 0xffbfffff},
    {13, 84, 0xffc00000, 0xffefffff},
    {14, 90, 0xfff00000, 0xfff7ffff},
    {15, 92, 0xfff80000, 0xfffdffff},
    {19, 95, 0xfffe0000, 0xfffe5fff},
    {20, 98, 0xfffe6000, 0xfffedfff},
    {21, 106, 0xfffee000, 0xffff47ff},
    {22, 119, 0xffff4800, 0xffffafff},
    {23, 145, 0xffffb000, 0xffffe9ff},
    {24, 174, 0xffffea00, 0xfffff5ff},
    {25, 186, 0xfffff600, 0xfffff7ff},
    {26, 190, 0xfffff800, 0xfffffbbf},
    {27, 205, 0xfffffbc0, 0xfffffe1f},
    {28, 224, 0xfffffe20, 0xffffffef},
    {30, 253, 0xfffffff0, 0xffffffff},
};

/* In the order of their codes. */
static const uint16_t SYMBOLS[] = {
    48, 49, 50, 97, 99, 101, 105, 111, 115, 116, 32, 37, 45, 46, 47, 51, 52, 53, 54, 55, 56, 57,
    61, 65, 95, 98, 100, 102, 103, 104, 108, 109, 110, 112, 114, 117, 58, 66, 67, 68, 69, 70,
    71, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 89, 106, 107, 113, 118,
    119, 120, 121, 122, 38, 42, 44, 59, 88, 90, 33, 34, 40, 41, 63, 39, 43, 124, 35, 62, 0, 36,
    64, 91, 93, 126, 94, 125, 60, 96, 123, 92, 195, 208, 128, 130, 131, 162, 184, 194, 224, 226,
    153, 161, 167, 172, 176, 177, 179, 209, 216, 217, 227, 229, 230, 129, 132, 133, 134, 136,
    146, 154, 156, 160, 163, 164, 169, 170, 173, 178, 181, 185, 186, 187, 189, 190, 196, 198,
    228, 232, 233, 1, 135, 137, 138, 139, 140, 141, 143, 147, 149, 150, 151, 152, 155, 157, 158,
    165, 166, 168, 174, 175, 180, 182, 183, 188, 191, 197, 231, 239, 9, 142, 144, 145, 148, 159,
    171, 206, 215, 225, 236, 237, 199, 207, 234, 235, 192, 193, 200, 201, 202, 205, 210, 213,
    218, 219, 238, 240, 242, 243, 255, 203, 204, 211, 212, 214, 221, 222, 223, 241, 244, 245,
    246, 247, 248, 250, 251, 252, 253, 254, 2, 3, 4, 5, 6, 7, 8, 11, 12, 14, 15, 16, 17, 18, 19,
    20, 21, 23, 24, 25, 26, 27, 28, 29, 30, 31, 127, 220, 249, 10, 13, 22, 256,
};

#define END_OF_STRING 256

bool snt_huffman_decode(snt_text coded, uint8_t *out, size_t *length) {
  const uint8_t *at = coded.bytes, *end = coded.bytes + coded.length;
  uint8_t *put = out;
  uint64_t bits = 0; /* those that are held, at the top */
  unsigned held = 0;
  for (;;) {
    if (held < 32)
      for (; held <= 56 && at < end; held += 8) bits |= (uint64_t)*at++ << (56 - held);
    /* Ones behind the end make padding of it. */
    uint32_t window = (uint32_t)(bits >> 32) | (held < 32 ? UINT32_MAX >> held : 0);
    const snt_codes *codes = CODES;
    while (window > codes->last) codes++;
    if (codes->length > held) {
      *length = (size_t)(put - out);
      return held < 8 && window == UINT32_MAX;
    }
    uint16_t symbol = SYMBOLS[codes->offset + ((window - codes->first) >> (32 - codes->length))];
    if (symbol == END_OF_STRING) return false;
    *put++ = (uint8_t)symbol;
    bits <<= codes->length;
    held -= codes->length;
  }
}
