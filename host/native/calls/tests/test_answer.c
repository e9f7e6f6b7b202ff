/* What an SDK writes is plain, nothing else of these is, and not a byte is read beyond any answer.
 * That what is plain means the same as in Python is the affair of tests/sandbox/test_chains.py. */
#include "../../tests/harness.h"
#include "plainness.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))
#define BYTES(text) {(const uint8_t *)(text), sizeof(text) - 1}

static const snt_answer_limits LIMITS = {128, 65536, 65536};

static const snt_text PLAIN_REQUESTS[] = {
    BYTES("\x92\x00\x90"),
    BYTES("\x91\x00"),
    BYTES("\x92\x00\x91\x91\x92\x00\x92\xa3x-a\xc4\x01" "1"),
    BYTES("\x92\x00\x91\x91\x92\x01\x92\xd9\x03x-a\xc5\x00\x01" "1"),
    BYTES("\x92\x00\xdc\x00\x01\xdc\x00\x01\x92\x02\xda\x00\x03x-a"),
    BYTES("\x92\x00\x97\x90\xc4\x04kept\xa4/a.b\xa3" "b=1\xa3PUT\xc0\x91\x00"),
    BYTES("\x92\x00\x97\x90\xc4\x00\xc0\xa0\xc0\xc0\x92\x00\xc0"),
};

static const snt_text PLAIN_RESPONSES[] = {
    BYTES("\x92\x00\x90"),
    BYTES("\x92\x00\x92\x91\x92\x00\x92\xa3x-a\xc4\x01" "1\xcd\x01\x94"),
    BYTES("\x92\x00\x93\x90\xcc\xc8\x91\x00"),
    BYTES("\x92\x00\x93\x90\xc0\x92\x00\x90"),
};

/* Some are wrong, and some are for Python to apply. */
static const snt_text OTHERS[] = {
    BYTES(""),
    BYTES("\xc0"),
    BYTES("\x90"),
    BYTES("\x92\x01\x91\x93\xcc\xc8\x90\xc4\x00"),
    BYTES("\x92\x00\x91\x91\x92\x00\x92\xa3X-a\xc4\x01" "1"),
    BYTES("\x92\x00\x91\x91\x92\x00\x92\xa0\xc4\x01" "1"),
    BYTES("\x92\x00\x91\x91\x92\x00\x92\xa4host\xc4\x01" "1"),
    BYTES("\x92\x00\x91\x91\x92\x02\xa2te"),
    BYTES("\x92\x00\x91\x91\x92\x02\xb1transfer-encoding"),
    BYTES("\x92\x00\x91\x91\x92\x00\x92\xa3x-a\xc4\x02\r\n"),
    BYTES("\x92\x00\x91\x91\x92\x03\x92\xa3x-a\xc4\x01" "1"),
    BYTES("\x92\x00\x90\x00"),
    BYTES("\x92\x00\x93\x90\xc4\x00\xa4/a//"),
    BYTES("\x92\x00\x93\x90\xc4\x00\xa3/.a"),
    BYTES("\x92\x00\x93\x90\xc4\x00\xa4/%41"),
    BYTES("\x92\x00\x94\x90\xc4\x00\xc0\xa1#"),
    BYTES("\x92\x00\x95\x90\xc4\x00\xc0\xc0\xa7" "CONNECT"),
    BYTES("\x92\x00\x96\x90\xc4\x00\xc0\xc0\xc0\xa4" "blue"),
    BYTES("\x92\x00\x97\x90\xc4\x00\xc0\xc0\xc0\xc0\x91\x01"),
    BYTES("\x92\x00\x92\x90\xcd\x00\xc7"),
    BYTES("\x92\x00\x92\x90\xcd\x02\x58"),
    BYTES("\x92\x00\x93\x90\xc0\x92\x02\x64"),
};

static void what_sdks_write_is_plain(void) {
  snt_plain plain;
  for (size_t i = 0; i < LENGTH(PLAIN_REQUESTS); i++) CHECK(snt_read_request_answer(PLAIN_REQUESTS[i], &LIMITS, &plain));
  for (size_t i = 0; i < LENGTH(PLAIN_RESPONSES); i++)
    CHECK(snt_read_response_answer(PLAIN_RESPONSES[i], &LIMITS, &plain));
}

static void what_they_say_is_found(void) {
  snt_plain plain;
  CHECK(snt_read_request_answer(PLAIN_REQUESTS[5], &LIMITS, &plain));
  CHECK(plain.count == 0 && plain.context.length == 4 && plain.path.length == 4 && plain.query.length == 3);
  CHECK(plain.method.length == 3 && memcmp(plain.method.bytes, "PUT", 3) == 0);
  CHECK(snt_read_request_answer(PLAIN_REQUESTS[6], &LIMITS, &plain));
  CHECK(plain.path.bytes == NULL && plain.query.bytes != NULL && plain.query.length == 0);
  CHECK(snt_read_response_answer(PLAIN_RESPONSES[1], &LIMITS, &plain));
  CHECK(plain.count == 1 && plain.edits[0].kind == SNT_SET && plain.status == 404);
}

static void other_answers_are_not(void) {
  snt_plain plain;
  for (size_t i = 0; i < LENGTH(OTHERS); i++) {
    CHECK(!snt_read_request_answer(OTHERS[i], &LIMITS, &plain));
    CHECK(!snt_read_response_answer(OTHERS[i], &LIMITS, &plain));
  }
}

static void more_than_the_limits_is_not(void) {
  snt_plain plain;
  snt_text one = PLAIN_REQUESTS[2], context = PLAIN_REQUESTS[5];
  CHECK(!snt_read_request_answer(one, &(snt_answer_limits){0, 100, 100}, &plain));
  CHECK(!snt_read_request_answer(one, &(snt_answer_limits){1, 3, 100}, &plain));
  CHECK(snt_read_request_answer(one, &(snt_answer_limits){1, 4, 100}, &plain));
  CHECK(!snt_read_request_answer(context, &(snt_answer_limits){1, 4, 3}, &plain));
  CHECK(snt_read_request_answer(context, &(snt_answer_limits){1, 4, 4}, &plain));
}

/* Every answer, cut anywhere and with any byte in any place. */
static void nothing_is_read_beyond(void) {
  const struct {
    const snt_text *answers;
    size_t count;
  } tables[] = {{PLAIN_REQUESTS, LENGTH(PLAIN_REQUESTS)}, {PLAIN_RESPONSES, LENGTH(PLAIN_RESPONSES)}, {OTHERS, LENGTH(OTHERS)}};
  uint8_t changed[64];
  for (size_t table = 0; table < LENGTH(tables); table++)
    for (size_t i = 0; i < tables[table].count; i++) {
      snt_text answer = tables[table].answers[i];
      memcpy(changed, answer.bytes, answer.length);
      for (size_t place = 0; place < answer.length; place++) {
        read_each(answer.bytes, place, &LIMITS);
        for (unsigned byte = 0; byte < 256; byte++) {
          changed[place] = (uint8_t)byte;
          read_each(changed, answer.length, &LIMITS);
        }
        changed[place] = answer.bytes[place];
      }
    }
}

static void names_are_tokens_without_capitals(void) {
  for (int byte = 0; byte < 256; byte++) {
    uint8_t answer[] = {0x92, 0, 0x91, 0x91, 0x92, 2, 0xa3, 'x', (uint8_t)byte, 'y'};
    bool is_capital = byte >= 'A' && byte <= 'Z';
    snt_plain plain;
    CHECK(snt_read_request_answer((snt_text){answer, sizeof answer}, &LIMITS, &plain) ==
          (!is_capital && snt_is_token((snt_text){answer + 7, 3})));
  }
}

/* The rule by its definition: an array of two, the case 0, and a bin to the end. */
static void bytes_in_a_chunks_place_are_found(void) {
  static const snt_text found[] = {
      BYTES("\x92\x00\xc4\x00"),
      BYTES("\x92\x00\xc4\x02" "ab"),
      BYTES("\x92\x00\xc5\x00\x02" "ab"),
      BYTES("\xdc\x00\x02\x00\xc6\x00\x00\x00\x02" "ab"),
  };
  static const snt_text others[] = {
      BYTES(""),
      BYTES("\xc0"),
      BYTES("\x91\x00"),
      BYTES("\x93\x00\xc4\x00\xc0"),
      BYTES("\x92\x01\xc4\x00"),
      BYTES("\x92\x00\xa2" "ab"),
      BYTES("\x92\x00\xc4\x03" "ab"),
      BYTES("\x92\x00\xc4\x01" "ab"),
      BYTES("\x92\x00\xc6\xff\xff\xff\xff" "ab"),
      BYTES("\x92\x02\x92\x90\xc4\x02" "ab"),
  };
  snt_text chunk;
  for (size_t i = 0; i < LENGTH(found); i++) {
    CHECK(snt_read_chunk_answer(found[i], &chunk));
    CHECK(chunk.length == (i == 0 ? 0 : 2) && chunk.bytes + chunk.length == found[i].bytes + found[i].length);
    for (size_t length = 0; length < found[i].length; length++) read_each(found[i].bytes, length, &LIMITS);
  }
  for (size_t i = 0; i < LENGTH(others); i++) CHECK(!snt_read_chunk_answer(others[i], &chunk));
}

int main(void) {
  RUN(what_sdks_write_is_plain);
  RUN(what_they_say_is_found);
  RUN(other_answers_are_not);
  RUN(more_than_the_limits_is_not);
  RUN(nothing_is_read_beyond);
  RUN(names_are_tokens_without_capitals);
  RUN(bytes_in_a_chunks_place_are_found);
  return 0;
}
