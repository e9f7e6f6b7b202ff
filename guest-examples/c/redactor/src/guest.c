/* Masks long runs of digits, and configured words, in responses that are text; also those that lie
 * across chunks. */
#include <sentinel.h>

#include "words.h"

static char mask;
/* A run of at least so many digits is masked; 0 masks none. */
static size_t digits;
static words all_words;
/* The bytes in which neither a word nor a run of digits goes on. */
static bool plain[256];

/* An instance serves one body at a time, from its first chunk to its last: where the automaton
 * stands, how many digits the bytes so far end with, and their end, which is held back because it
 * may begin something to mask. */
static size_t state, run, held_size;
static char *held;

static bool is_digit(uint8_t byte) {
  return byte >= '0' && byte <= '9';
}

static const char *configure(sentinel_config *config) {
  sentinel_bytes text = sentinel_config_text(config, "mask", "*");
  if (text.size != 1 || text.data[0] < ' ' || text.data[0] > '~') {
    sentinel_refuse(config, "mask: one printable character of ASCII is needed");
  }
  /* The shortest card numbers have 13 digits (ISO/IEC 7812). */
  int64_t wanted = sentinel_config_integer(config, "digits", 13);
  if (wanted < 0 || wanted > 64) sentinel_refuse(config, "digits: 0 to 64");
  const sentinel_value *texts;
  size_t count = sentinel_config_texts(config, "words", &texts);
  const char *problem = words_problem(texts, count);
  if (problem != NULL) sentinel_refuse(config, "%s", problem);
  const char *refusal = sentinel_finish(config);
  if (refusal != NULL) return refusal;
  mask = text.data[0];
  digits = (size_t)wanted;
  words_build(&all_words, texts, count);
  for (size_t i = 0; i < 256; i++) plain[i] = all_words.columns[i] == 0 && !(digits > 0 && is_digit((uint8_t)i));
  return NULL;
}
SENTINEL_CONFIGURE(configure)

/* What the upstream compresses, or cuts into ranges, could not be read. */
static const sentinel_response *on_request(sentinel_request *request) {
  sentinel_set(&request->edits.headers, "accept-encoding", SENTINEL_TEXT("identity"));
  sentinel_remove(&request->edits.headers, "range");
  return NULL;
}
SENTINEL_ON_REQUEST(on_request)

static bool is_text(sentinel_bytes content_type) {
  sentinel_bytes type = sentinel_media_type(content_type);
  return sentinel_starts_with(type, "text/") || sentinel_ends_with(type, "/json") || sentinel_ends_with(type, "+json") ||
         sentinel_ends_with(type, "/xml") || sentinel_ends_with(type, "+xml");
}

static const sentinel_response *on_response(sentinel_incoming_response *response) {
  bool is_any_text = false, is_plain = true;
  for (size_t i = 0; i < response->headers.count; i++) {
    sentinel_header field = response->headers.items[i];
    if (sentinel_is(field.name, "content-type")) is_any_text |= is_text(field.value);
    if (sentinel_is(field.name, "content-encoding")) is_plain &= sentinel_is_ignoring_case(field.value, "identity");
  }
  if (!is_any_text) return NULL;
  if (is_plain) response->edits.body.kind = SENTINEL_STREAM;
  else sentinel_log(SENTINEL_WARN, "an encoded response passes unmasked");
  return NULL;
}
SENTINEL_ON_RESPONSE(on_response)

/* How many bytes at the end of the run are to be masked now: all once it is long enough, then each
 * that follows. */
static size_t digits_found(void) {
  return digits == 0 || run < digits ? 0 : run == digits ? digits : 1;
}

static char *joined(sentinel_bytes chunk) {
  char *out = sentinel_allocate(held_size + chunk.size);
  memcpy(out, held, held_size);
  memcpy(out + held_size, chunk.data, chunk.size);
  return out;
}

static const sentinel_response *on_response_chunk(sentinel_response_chunk *piece) {
  sentinel_bytes chunk = piece->bytes;
  char *out = held_size > 0 ? joined(chunk) : NULL;
  for (size_t i = 0; i < chunk.size; i++) {
    uint8_t byte = (uint8_t)chunk.data[i];
    if (plain[byte]) {
      state = run = 0;
      continue;
    }
    state = words_next(&all_words, state, byte);
    run = is_digit(byte) ? run + 1 : 0;
    size_t length = all_words.found[state], by_digits = digits_found(), end = held_size + i + 1;
    if (by_digits > length) length = by_digits;
    if (length == 0) continue;
    if (out == NULL) out = joined(chunk);
    /* What went out before was masked then. */
    size_t start = end > length ? end - length : 0;
    memset(out + start, mask, end - start);
  }
  size_t size = held_size + chunk.size, open = all_words.open[state];
  if (run < digits && run > open) open = run;
  if (piece->is_last) open = state = run = 0;
  if (open > size) open = size;
  if (open > 0 && out == NULL) out = joined(chunk);
  sentinel_release(held);
  held = NULL;
  held_size = open;
  if (open > 0) held = memcpy(sentinel_keep(open), out + size - open, open);
  if (out != NULL) piece->replacement = (sentinel_bytes){out, size - open};
  return NULL;
}
SENTINEL_ON_RESPONSE_CHUNK(on_response_chunk)
