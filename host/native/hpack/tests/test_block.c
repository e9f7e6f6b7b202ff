/* What Python's tests cannot see: that not a byte is read or written beyond what was said. */
#include "reading.h"

/* Of RFC 7541: C.2.1 to C.2.4, C.4.1, C.6.1; and integers and strings of several bytes. */
static const char *const BLOCKS[] = {
    "\x40\x0a" "custom-key\x0d" "custom-header",
    "\x04\x0c/sample/path",
    "\x10\x08password\x06secret",
    "\x82",
    "\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff",
    "\x48\x82\x64\x02\x58\x85\xae\xc3\x77\x1a\x4b\x61\x96\xd0\x7a\xbe\x94\x10\x54\xd4\x44\xa8\x20\x05\x95\x04\x0b\x81"
    "\x66\xe0\x82\xa6\x2d\x1b\xff\x6e\x91\x9d\x29\xad\x17\x18\x63\xc7\x8f\x0b\x97\xc8\xe9\xae\x82\xae\x43\xd3",
    "\x3f\xe1\x1f\x88\xff\x80\x01\x7f\x81\x01\x01x",
};

static void every_prefix_of_a_block_is_read_within_it(void) {
  for (size_t i = 0; i < sizeof BLOCKS / sizeof *BLOCKS; i++)
    for (size_t length = 0; length <= strlen(BLOCKS[i]); length++)
      CHECK(read_block((const uint8_t *)BLOCKS[i], length) <= (int)length);
  CHECK(read_block((const uint8_t *)BLOCKS[0], strlen(BLOCKS[0])) == 1);
  CHECK(read_block((const uint8_t *)BLOCKS[4], strlen(BLOCKS[4])) == 4);
  CHECK(read_block((const uint8_t *)BLOCKS[5], strlen(BLOCKS[5])) == 4);
}

static void any_bytes_are_read_within_them(void) {
  uint64_t state = 1;
  for (int round = 0; round < 20000; round++) {
    uint8_t bytes[80];
    for (size_t i = 0; i < sizeof bytes; i++) {
      state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
      bytes[i] = (uint8_t)(state >> 56);
      /* Small numbers make short strings, with something behind them. */
      if (round & 1 && i % 3 == 0) bytes[i] &= 0x8f;
    }
    read_block(bytes, (size_t)round % sizeof bytes);
  }
}

static void every_coded_string_is_decoded_within_its_bound(void) {
  for (size_t length = 0; length < 40; length++)
    for (int byte = 0; byte < 256; byte++) {
      uint8_t bytes[40];
      memset(bytes, byte, sizeof bytes);
      forget(decoded((snt_string){{bytes, length}, true}));
    }
}

static void names_of_every_length_are_looked_up_within_them(void) {
  for (size_t length = 0; length < 300; length++) {
    uint8_t *name = malloc(length);
    for (int byte = 0; byte < 256; byte++) {
      if (length > 0) memset(name, byte, length);
      check_written((snt_text){name, length}, (snt_text){name, length});
    }
    free(name);
  }
}

static void what_is_written_beside_fields(void) {
  for (unsigned status = 100; status < 1000; status++) {
    uint8_t bytes[SNT_STATUS_MAX];
    size_t length = (size_t)(snt_put_status(bytes, status) - bytes);
    CHECK(length == (bytes[0] & 0x80 ? 1 : 5));
  }
  uint8_t head[SNT_FRAME_HEAD];
  CHECK(snt_put_frame_head(head, 0x123456, 1, 5, 0x7fffffff) == head + sizeof head);
  CHECK(memcmp(head, "\x12\x34\x56\x01\x05\x7f\xff\xff\xff", sizeof head) == 0);
}

int main(void) {
  RUN(every_prefix_of_a_block_is_read_within_it);
  RUN(any_bytes_are_read_within_them);
  RUN(every_coded_string_is_decoded_within_its_bound);
  RUN(names_of_every_length_are_looked_up_within_them);
  RUN(what_is_written_beside_fields);
  return 0;
}
