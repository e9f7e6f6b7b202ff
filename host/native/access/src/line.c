#include "line.h"

#include <string.h>

#define MILLION 1000000u
#define DAY 86400u

/* What follows the backslash of a control character in JSON, or 0 for those that have only
 * numbers. */
static const uint8_t SHORT[32] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
static const char HEX[] = "0123456789abcdef";
static const char MONTHS[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

bool snt_is_printable(snt_text text) {
  /* Beyond both bounds at once: what is below the space wraps around. */
  for (size_t index = 0; index < text.length; index++) {
    if ((uint8_t)(text.bytes[index] - 0x20) > 0x7e - 0x20) return false;
  }
  return true;
}

uint8_t *snt_put_bytes(uint8_t *out, snt_text text) {
  if (text.length > 0) memcpy(out, text.bytes, text.length);
  return out + text.length;
}

uint8_t *snt_put_quoted(uint8_t *out, snt_text text) {
  for (size_t index = 0; index < text.length; index++) {
    uint8_t byte = text.bytes[index];
    if (byte == '"' || byte == '\\') *out++ = '\\';
    *out++ = byte;
  }
  return out;
}

#define EACH(byte) (UINT64_MAX / 255 * (byte))

/* Of eight bytes, the highest bit of one is set if one is below n, which is 128 at most. By Sean
 * Anderson's "Bit Twiddling Hacks". */
static inline uint64_t less(uint64_t word, uint64_t n) { return (word - EACH(n)) & ~word; }

static bool must_escape(uint8_t byte) { return byte < 0x20 || byte == '"' || byte == '\\'; }

static inline bool must_escape_any(const uint8_t *bytes) {
  uint64_t word;
  memcpy(&word, bytes, sizeof word);
  uint64_t found = less(word, 0x20) | less(word ^ EACH('"'), 1) | less(word ^ EACH('\\'), 1);
  return (found & EACH(0x80)) != 0;
}

/* Whether a text is JSON as it is: nearly all are. */
static bool is_plain_json(snt_text text) {
  size_t index = 0;
  for (; index + 8 <= text.length; index += 8) {
    if (must_escape_any(text.bytes + index)) return false;
  }
  /* The last word overlaps the one before. */
  if (text.length >= 8) return index == text.length || !must_escape_any(text.bytes + text.length - 8);
  for (; index < text.length; index++) {
    if (must_escape(text.bytes[index])) return false;
  }
  return true;
}

uint8_t *snt_put_json(uint8_t *out, snt_text text) {
  if (is_plain_json(text)) return snt_put_bytes(out, text);
  for (size_t index = 0; index < text.length; index++) {
    uint8_t byte = text.bytes[index];
    if (must_escape(byte)) *out++ = '\\';
    if (byte >= 0x20) {
      *out++ = byte;
    } else if (SHORT[byte] != 0) {
      *out++ = SHORT[byte];
    } else {
      out = snt_put_bytes(out, (snt_text){(const uint8_t *)"u00", 3});
      *out++ = (uint8_t)HEX[byte >> 4];
      *out++ = (uint8_t)HEX[byte & 15];
    }
  }
  return out;
}

/* So many of a number's last digits, with zeros in front. */
static uint8_t *put_digits(uint8_t *out, uint64_t number, size_t digits) {
  for (size_t place = digits; place-- > 0; number /= 10) out[place] = (uint8_t)('0' + number % 10);
  return out + digits;
}

uint8_t *snt_put_count(uint8_t *out, uint64_t number) {
  size_t digits = 1;
  for (uint64_t rest = number; rest >= 10; rest /= 10) digits++;
  return put_digits(out, number, digits);
}

uint8_t *snt_put_millis(uint8_t *out, uint64_t microseconds) {
  out = snt_put_count(out, microseconds / 1000);
  *out++ = '.';
  out = put_digits(out, microseconds % 1000, 3);
  for (int most = 2; most > 0 && out[-1] == '0'; most--) out--;
  return out;
}

typedef struct {
  uint64_t year;
  unsigned month, day; /* from 1 */
} date;

/* The proleptic Gregorian calendar by Howard Hinnant's civil_from_days: years begin in March, so
 * that the leap day is their last, and 400 of them have 146097 days. */
static date date_of(uint64_t days) {
  days += 719468; /* from 1 March of the year 0 to 1970 */
  uint64_t era = days / 146097;
  unsigned of_era = (unsigned)(days % 146097);
  unsigned year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  unsigned of_year = of_era - (365 * year + year / 4 - year / 100);
  unsigned march = (5 * of_year + 2) / 153;
  unsigned month = march < 10 ? march + 3 : march - 9;
  return (date){400 * era + year + (month <= 2), month, of_year - (153 * march + 2) / 5 + 1};
}

static uint8_t *put_year(uint8_t *out, uint64_t year) {
  return year < 10000 ? put_digits(out, year, 4) : snt_put_count(out, year);
}

static uint8_t *put_clock(uint8_t *out, unsigned second) {
  out = put_digits(out, second / 3600, 2);
  *out++ = ':';
  out = put_digits(out, second / 60 % 60, 2);
  *out++ = ':';
  return put_digits(out, second % 60, 2);
}

static uint8_t *write_rfc3339(uint8_t *out, uint64_t second) {
  date day = date_of(second / DAY);
  out = put_year(out, day.year);
  *out++ = '-';
  out = put_digits(out, day.month, 2);
  *out++ = '-';
  out = put_digits(out, day.day, 2);
  *out++ = 'T';
  out = put_clock(out, (unsigned)(second % DAY));
  *out++ = '.';
  return out;
}

static uint8_t *write_clf(uint8_t *out, uint64_t second) {
  date day = date_of(second / DAY);
  out = put_digits(out, day.day, 2);
  *out++ = '/';
  out = snt_put_bytes(out, (snt_text){(const uint8_t *)MONTHS + 3 * (day.month - 1), 3});
  *out++ = '/';
  out = put_year(out, day.year);
  *out++ = ':';
  out = put_clock(out, (unsigned)(second % DAY));
  return snt_put_bytes(out, (snt_text){(const uint8_t *)" +0000", 6});
}

/* All of its room is copied, which is quicker than its length. */
static uint8_t *put_second(uint8_t *out, snt_second *last, uint64_t second, uint8_t *(*write)(uint8_t *, uint64_t)) {
  if (last->length == 0 || last->second != second) {
    last->second = second;
    last->length = (size_t)(write(last->text, second) - last->text);
  }
  memcpy(out, last->text, sizeof last->text);
  return out + last->length;
}

uint8_t *snt_put_rfc3339(uint8_t *out, snt_second *last, uint64_t microseconds) {
  out = put_second(out, last, microseconds / MILLION, write_rfc3339);
  out = put_digits(out, microseconds % MILLION / 1000, 3);
  *out++ = 'Z';
  return out;
}

uint8_t *snt_put_clf_time(uint8_t *out, snt_second *last, uint64_t microseconds) {
  return put_second(out, last, microseconds / MILLION, write_clf);
}
