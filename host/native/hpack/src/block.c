#include "block.h"

#include <string.h>

/* An integer whose prefix is all of `mask` (section 5.1). `block` is not empty. */
static snt_found read_integer(snt_text *block, uint8_t mask, uint32_t *number) {
  *number = *block->bytes & mask;
  block->bytes++, block->length--;
  if (*number < mask) return SNT_READ;
  for (unsigned shift = 0; shift < 28; shift += 7) {
    if (block->length == 0) return SNT_TOO_SHORT;
    uint8_t byte = *block->bytes;
    block->bytes++, block->length--;
    *number += (uint32_t)(byte & 0x7f) << shift;
    if (!(byte & 0x80)) return SNT_READ;
  }
  return SNT_TOO_LARGE;
}

static snt_found read_string(snt_text *block, snt_string *string) {
  if (block->length == 0) return SNT_TOO_SHORT;
  string->is_coded = *block->bytes & 0x80;
  uint32_t length;
  snt_found found = read_integer(block, 0x7f, &length);
  if (found != SNT_READ) return found;
  if (length > block->length) return SNT_TOO_SHORT;
  string->text = (snt_text){block->bytes, length};
  block->bytes += length, block->length -= length;
  return SNT_READ;
}

snt_found snt_next_representation(snt_text *block, snt_representation *read) {
  uint8_t byte = *block->bytes;
  if (byte & 0x80) {
    read->kind = SNT_INDEXED;
    return read_integer(block, 0x7f, &read->index);
  }
  if ((byte & 0xe0) == 0x20) {
    read->kind = SNT_TABLE_SIZE;
    return read_integer(block, 0x1f, &read->index);
  }
  read->kind = byte & 0x40 ? SNT_LITERAL_ADDED : SNT_LITERAL;
  snt_found found = read_integer(block, byte & 0x40 ? 0x3f : 0x0f, &read->index);
  if (found == SNT_READ && read->index == 0) found = read_string(block, &read->name);
  return found == SNT_READ ? read_string(block, &read->value) : found;
}

/* The names of the static table (appendix A), by length; each with its first index. */
typedef struct {
  const char *name;
  uint8_t index;
} static_name;

static const static_name NAMES[] = {
    {"age", 21},
    {"via", 60},
    {"date", 33},
    {"etag", 34},
    {"from", 37},
    {"host", 38},
    {"link", 45},
    {"vary", 59},
    {":path", 4},
    {"allow", 22},
    {"range", 50},
    {"accept", 19},
    {"cookie", 32},
    {"expect", 35},
    {"server", 54},
    {":method", 2},
    {":scheme", 6},
    {":status", 8},
    {"expires", 36},
    {"referer", 51},
    {"refresh", 52},
    {"if-match", 39},
    {"if-range", 42},
    {"location", 46},
    {":authority", 1},
    {"set-cookie", 55},
    {"user-agent", 58},
    {"retry-after", 53},
    {"content-type", 31},
    {"max-forwards", 47},
    {"accept-ranges", 18},
    {"authorization", 23},
    {"cache-control", 24},
    {"content-range", 30},
    {"if-none-match", 41},
    {"last-modified", 44},
    {"accept-charset", 15},
    {"content-length", 28},
    {"accept-encoding", 16},
    {"accept-language", 17},
    {"content-encoding", 26},
    {"content-language", 27},
    {"content-location", 29},
    {"www-authenticate", 61},
    {"if-modified-since", 40},
    {"transfer-encoding", 57},
    {"proxy-authenticate", 48},
    {"content-disposition", 25},
    {"if-unmodified-since", 43},
    {"proxy-authorization", 49},
    {"strict-transport-security", 56},
    {"access-control-allow-origin", 20},
};

/* Where the names of each length begin, and those of all lengths end. */
static const uint8_t FIRST[] = {0,  0,  0,  0,  2,  8,  11, 15, 21, 24, 24, 27, 28, 30, 36,
                                38, 40, 44, 46, 47, 50, 50, 50, 50, 50, 50, 51, 51, 52};

/* 0 if the name is not in the static table. */
static uint8_t static_index(snt_text name) {
  size_t length = name.length;
  if (length + 1 >= sizeof FIRST || length == 0) return 0;
  uint8_t last = name.bytes[length - 1];
  for (size_t i = FIRST[length]; i < FIRST[length + 1]; i++)
    if ((uint8_t)NAMES[i].name[length - 1] == last && memcmp(NAMES[i].name, name.bytes, length) == 0)
      return NAMES[i].index;
  return 0;
}

static uint8_t *put_integer(uint8_t *out, uint8_t mask, uint64_t number) {
  if (number < mask) {
    *out++ = (uint8_t)number;
    return out;
  }
  *out++ = mask;
  for (number -= mask; number >= 0x80; number >>= 7) *out++ = (uint8_t)(number | 0x80);
  *out++ = (uint8_t)number;
  return out;
}

static uint8_t *put_string(uint8_t *out, snt_text text) {
  out = put_integer(out, 0x7f, text.length);
  if (text.length > 0) memcpy(out, text.bytes, text.length);
  return out + text.length;
}

uint8_t *snt_put_literal(uint8_t *out, snt_text name, snt_text value) {
  uint8_t index = static_index(name);
  out = put_integer(out, 0x0f, index);
  if (index == 0) out = put_string(out, name);
  return put_string(out, value);
}

uint8_t *snt_put_status(uint8_t *out, unsigned status) {
  static const uint16_t KNOWN[] = {200, 204, 206, 304, 400, 404, 500};
  for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN; i++)
    if (KNOWN[i] == status) {
      *out++ = (uint8_t)(0x80 | (8 + i));
      return out;
    }
  *out++ = 8;
  *out++ = 3;
  *out++ = (uint8_t)('0' + status / 100);
  *out++ = (uint8_t)('0' + status / 10 % 10);
  *out++ = (uint8_t)('0' + status % 10);
  return out;
}

uint8_t *snt_put_frame_head(uint8_t *out, size_t length, uint8_t kind, uint8_t flags, uint32_t stream) {
  *out++ = (uint8_t)(length >> 16);
  *out++ = (uint8_t)(length >> 8);
  *out++ = (uint8_t)length;
  *out++ = kind;
  *out++ = flags;
  for (int shift = 24; shift >= 0; shift -= 8) *out++ = (uint8_t)(stream >> shift);
  return out;
}
