/* Drained lines as JSON, for what nearly every line is: printable ASCII. */
#define _POSIX_C_SOURCE 200809L

#include <string.h>
#include <time.h>

#include "log.h"

/* More than all that stands around the texts of a line. */
#define AROUND 128
#define PUT(to, literal) put(to, literal, sizeof literal - 1)

/* Bytes that are looked at together. A message is often JSON itself, with a quote every few bytes:
 * looked at one after the other, or a word at a time, they took twice as long. */
typedef uint8_t piece __attribute__((vector_size(16)));
/* So many bytes more than a string takes are read, if they are there, and written. */
#define BEYOND 16

typedef struct {
  char text[40];
  size_t length;
} start;

static const char *const LEVELS[SNT_LOG_LEVELS] = {"trace", "debug", "info", "warn", "error"};

static uint8_t *put(uint8_t *to, const void *bytes, size_t length) {
  memcpy(to, bytes, length);
  return to + length;
}

/* A bit for each byte of a comparison's outcome, which is all ones or zero. */
static inline unsigned bits_of(piece outcome) {
#ifdef __SSE2__
  return (unsigned)__builtin_ia32_pmovmskb128((__attribute__((vector_size(16))) char)outcome);
#else
  uint64_t halves[2];
  memcpy(halves, &outcome, sizeof halves);
  /* The product's highest byte gathers the lowest bit of each byte. */
  const uint64_t lowest = UINT64_C(0x0101010101010101), gather = UINT64_C(0x0102040810204080);
  return (unsigned)((halves[0] & lowest) * gather >> 56 | (halves[1] & lowest) * gather >> 56 << 8);
#endif
}

/* The first `length` bytes of sixteen, behind which there are as many more to be read. Returns NULL
 * when one is not printable ASCII. */
static inline uint8_t *put_piece(uint8_t *to, const uint8_t *from, size_t length) {
  piece bytes;
  memcpy(&bytes, from, sizeof bytes);
  unsigned asked = (1U << length) - 1;
  unsigned escaped = bits_of((piece)(bytes == '"') | (piece)(bytes == '\\')) & asked;
  if ((bits_of((piece)(bytes - ' ' <= '~' - ' ')) & asked) != asked) return NULL;
  memcpy(to, &bytes, sizeof bytes);
  for (; escaped != 0; escaped &= escaped - 1) {
    unsigned place = (unsigned)__builtin_ctz(escaped);
    memcpy(&bytes, from + place, sizeof bytes);
    to[place] = '\\';
    memcpy(++to + place, &bytes, sizeof bytes);
  }
  return to + length;
}

/* A string, which takes at most twice its bytes and two quotes. What is read ends before `limit`.
 * Returns where it ends, or NULL when it is not plain. */
static uint8_t *put_string(uint8_t *to, const uint8_t *from, size_t length, const uint8_t *limit) {
  const size_t whole = sizeof(piece);
  *to++ = '"';
  size_t pieces = length / whole, readable = (size_t)(limit - from) / whole;
  if (pieces >= readable) pieces = readable == 0 ? 0 : readable - 1;
  length -= pieces * whole;
  for (const uint8_t *end = from + pieces * whole; from != end; from += whole)
    if ((to = put_piece(to, from, whole)) == NULL) return NULL;
  while (length > 0) {
    uint8_t copied[sizeof(piece) + BEYOND] = {0};
    size_t taken = length < whole ? length : whole;
    const uint8_t *bytes = (size_t)(limit - from) >= sizeof copied ? from : memcpy(copied, from, taken);
    if ((to = put_piece(to, bytes, taken)) == NULL) return NULL;
    from += taken;
    length -= taken;
  }
  *to++ = '"';
  return to;
}

/* The same for a line. */
static uint8_t *put_line(uint8_t *to, const snt_log_line *line, const uint8_t *texts, const uint8_t *limit,
                         const start *time) {
  const uint8_t *label = texts + line->guest, *message = label + line->label;
  to = put(to, time->text, time->length);
  to = put(PUT(to, "\",\"level\":\""), LEVELS[line->level], strlen(LEVELS[line->level]));
  to = put_string(PUT(to, "\",\"guest\":"), texts, line->guest, limit);
  if (to == NULL) return NULL;
  to = PUT(to, ",\"request_id\":");
  to = line->label == 0 ? PUT(to, "null") : put_string(to, label, line->label, limit);
  if (to == NULL) return NULL;
  to = put_string(PUT(to, ",\"message\":"), message, line->message, limit);
  return to == NULL ? NULL : PUT(to, "}\n");
}

/* What each line begins with: RFC 3339 in UTC, as Python writes it. */
static start start_at(uint64_t milliseconds) {
  time_t seconds = (time_t)(milliseconds / 1000);
  struct tm utc;
  gmtime_r(&seconds, &utc);
  start made;
  made.length = strftime(made.text, sizeof made.text, "{\"time\":\"%Y-%m-%dT%H:%M:%S", &utc);
  char *behind = made.text + made.length;
  unsigned part = (unsigned)(milliseconds % 1000);
  behind[0] = '.';
  behind[1] = (char)('0' + part / 100);
  behind[2] = (char)('0' + part / 10 % 10);
  behind[3] = (char)('0' + part % 10);
  memcpy(behind + 4, "+00:00", 6);
  made.length += 10;
  return made;
}

size_t snt_log_render(const uint8_t *lines, size_t size, size_t *offset, uint32_t least, uint64_t milliseconds,
                      uint8_t *out, size_t room) {
  size_t used = 0;
  const start time = start_at(milliseconds);
  while (*offset < size) {
    snt_log_line line;
    memcpy(&line, lines + *offset, sizeof line);
    const uint8_t *texts = lines + *offset + sizeof line;
    size_t length = (size_t)line.guest + line.label + line.message;
    if (line.level >= least) {
      if (AROUND + BEYOND + 2 * length > room - used) break;
      const uint8_t *end = put_line(out + used, &line, texts, lines + size, &time);
      if (end == NULL) break;
      used = (size_t)(end - out);
    }
    *offset += sizeof line + length;
  }
  return used;
}
