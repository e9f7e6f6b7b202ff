/* Drained lines as JSON, for what nearly every line is: printable ASCII. Made in Python, the one
 * line of an access log was 8 % of a request with three guests. */
#include <string.h>

#include "log.h"

/* More than all that stands around the texts of a line. */
#define AROUND 96
#define PUT(to, literal) put(to, literal, sizeof literal - 1)

/* How a byte is written: as it is, behind a backslash, or not here. */
enum { PLAIN, ESCAPED, OTHER };

#define FOUR(kind) kind, kind, kind, kind
#define ROW(kind) FOUR(kind), FOUR(kind), FOUR(kind), FOUR(kind)

/* By byte, in rows of sixteen. Control characters and what is not ASCII may do something to a
 * terminal. */
static const uint8_t KINDS[256] = {
    ROW(OTHER), ROW(OTHER),
    PLAIN, PLAIN, ESCAPED, PLAIN, FOUR(PLAIN), FOUR(PLAIN), FOUR(PLAIN), /* the quote */
    ROW(PLAIN), ROW(PLAIN),
    FOUR(PLAIN), FOUR(PLAIN), FOUR(PLAIN), ESCAPED, PLAIN, PLAIN, PLAIN, /* the backslash */
    ROW(PLAIN),
    FOUR(PLAIN), FOUR(PLAIN), FOUR(PLAIN), PLAIN, PLAIN, PLAIN, OTHER,
    ROW(OTHER), ROW(OTHER), ROW(OTHER), ROW(OTHER), ROW(OTHER), ROW(OTHER), ROW(OTHER), ROW(OTHER),
};

static const char *const LEVELS[SNT_LOG_LEVELS] = {"trace", "debug", "info", "warn", "error"};

static uint8_t *put(uint8_t *to, const char *text, size_t length) {
  memcpy(to, text, length);
  return to + length;
}

/* One bit, the highest of its byte, for the first of eight bytes that is not plain, and for others
 * behind it: a subtraction sets it for the first byte that is below what is subtracted. */
static uint64_t not_plain(uint64_t word) {
  const uint64_t ones = UINT64_C(0x0101010101010101);
  uint64_t control = word - ones * ' ', quote = (word ^ ones * '"') - ones, backslash = (word ^ ones * '\\') - ones,
           delete = (word ^ ones * 0x7f) - ones;
  return (word | control | quote | backslash | delete) & ones << 7;
}

/* A byte that may not be plain. Returns what comes behind it, or NULL when it is neither plain nor
 * escaped. */
static uint8_t *put_byte(uint8_t *to, uint8_t byte) {
  if (KINDS[byte] == OTHER) return NULL;
  if (KINDS[byte] == ESCAPED) *to++ = '\\';
  *to++ = byte;
  return to;
}

/* A string, which takes at most twice its bytes and two quotes. Returns where it ends, or NULL when
 * it is not plain. */
static uint8_t *put_string(uint8_t *to, const uint8_t *from, size_t length) {
  const uint8_t *end = from + length;
  *to++ = '"';
  /* A message is often JSON itself, with a quote every few bytes. */
  while (end - from >= 8) {
    uint64_t word;
    memcpy(&word, from, sizeof word);
    memcpy(to, &word, sizeof word);
    uint64_t found = not_plain(word);
    size_t plain = found == 0 ? 8 : (size_t)__builtin_ctzll(found) / 8;
    to += plain;
    from += plain;
    if (found != 0 && (to = put_byte(to, *from++)) == NULL) return NULL;
  }
  while (from < end)
    if ((to = put_byte(to, *from++)) == NULL) return NULL;
  *to++ = '"';
  return to;
}

/* The same for a line. */
static uint8_t *put_line(uint8_t *to, const snt_log_line *line, const uint8_t *texts, const char *time, size_t time_length) {
  const uint8_t *label = texts + line->guest, *message = label + line->label;
  to = put(PUT(to, "{\"time\":\""), time, time_length);
  to = put(PUT(to, "\",\"level\":\""), LEVELS[line->level], strlen(LEVELS[line->level]));
  to = put_string(PUT(to, "\",\"guest\":"), texts, line->guest);
  if (to == NULL) return NULL;
  to = PUT(to, ",\"request_id\":");
  to = line->label == 0 ? PUT(to, "null") : put_string(to, label, line->label);
  if (to == NULL) return NULL;
  to = put_string(PUT(to, ",\"message\":"), message, line->message);
  return to == NULL ? NULL : PUT(to, "}\n");
}

size_t snt_log_render(const uint8_t *lines, size_t size, size_t *offset, uint32_t least, const char *time, uint8_t *out,
                      size_t room) {
  size_t used = 0, time_length = strlen(time);
  while (*offset < size) {
    snt_log_line line;
    memcpy(&line, lines + *offset, sizeof line);
    const uint8_t *texts = lines + *offset + sizeof line;
    size_t length = (size_t)line.guest + line.label + line.message;
    if (line.level >= least) {
      if (AROUND + time_length + 2 * length > room - used) break;
      const uint8_t *end = put_line(out + used, &line, texts, time, time_length);
      if (end == NULL) break;
      used = (size_t)(end - out);
    }
    *offset += sizeof line + length;
  }
  return used;
}
