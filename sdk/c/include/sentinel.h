/* Guests of the Sentinel gateway in C.
 *
 * A guest writes the hooks that it needs and names each with a macro:
 *
 *     #include <sentinel.h>
 *
 *     static const sentinel_response *on_request(sentinel_request *request) {
 *       if (!sentinel_has(request->headers, "user-agent")) {
 *         static const sentinel_response refusal = {.status = 400, .body = SENTINEL_TEXT("who are you?\n")};
 *         return &refusal;
 *       }
 *       sentinel_set(&request->edits.headers, "x-guest", SENTINEL_TEXT("hello"));
 *       return NULL;
 *     }
 *     SENTINEL_ON_REQUEST(on_request)
 *
 * Memory: what a hook is given, and what `sentinel_allocate` and the functions that return text
 * allocate, is the guest's until the hook ends. What `configure` reads and allocates stays for
 * good. What has to outlive a hook otherwise comes from `sentinel_keep`. An instance makes one call
 * at a time, and several instances serve: what later hooks of one request need goes into `context`.
 *
 * Errors: running out of memory, and records that break the contract, end the call with a line in
 * the log; the client gets 503 or what `on_failure` says. */
#ifndef SENTINEL_H
#define SENTINEL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sentinel_msgpack.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Text and bytes ------------------------------------------------------------------------------- */

/* A literal as bytes. */
#define SENTINEL_TEXT(literal) ((sentinel_bytes){"" literal, sizeof(literal) - 1})

/* Text that ends in NUL as bytes; absent for NULL. */
sentinel_bytes sentinel_text(const char *text);
/* What printf makes of it, allocated: %s %c %d %i %u %x with h, l, ll and z, %.*s, %%, and widths
 * with 0. */
const char *sentinel_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
const char *sentinel_format_list(const char *format, va_list arguments);
/* A copy that ends in NUL, allocated. */
const char *sentinel_string(sentinel_bytes text);

bool sentinel_equal(sentinel_bytes a, sentinel_bytes b);
bool sentinel_is(sentinel_bytes bytes, const char *text);
/* Whether both are the same but for the case of ASCII letters. */
bool sentinel_is_ignoring_case(sentinel_bytes bytes, const char *text);
bool sentinel_starts_with(sentinel_bytes bytes, const char *text);
bool sentinel_ends_with(sentinel_bytes bytes, const char *text);
/* Whether both are the same; the time does not tell how much of a guess was right. */
bool sentinel_equal_secret(sentinel_bytes guess, sentinel_bytes secret);
/* A copy with ASCII letters in lower case. */
sentinel_bytes sentinel_lower(sentinel_bytes text);
/* Of a `content-type` the media type, in lower case and without parameters. */
sentinel_bytes sentinel_media_type(sentinel_bytes content_type);
/* The text as a string of JSON, with its quotation marks. */
sentinel_bytes sentinel_json_string(sentinel_bytes text);
/* Whether it is UTF-8 (RFC 3629). */
bool sentinel_is_utf8(sentinel_bytes text);

/* Memory --------------------------------------------------------------------------------------- */

/* So many bytes until the hook ends, or for good in `configure`; aligned to 8. It never returns
 * NULL. */
void *sentinel_allocate(size_t size);
/* So many bytes until `sentinel_release`; aligned to 8. It never returns NULL. */
void *sentinel_keep(size_t size);
/* Gives back what `sentinel_keep` returned; NULL is nothing. */
void sentinel_release(void *kept);

/* Log ------------------------------------------------------------------------------------------ */

typedef enum sentinel_level {
  SENTINEL_TRACE,
  SENTINEL_DEBUG,
  SENTINEL_INFO,
  SENTINEL_WARN,
  SENTINEL_ERROR,
} sentinel_level;

/* One line; the format is that of `sentinel_format`. */
void sentinel_log(sentinel_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* One line as it is. */
void sentinel_log_text(sentinel_level level, sentinel_bytes text);
/* Writes an error to the log and ends the call. */
_Noreturn void sentinel_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Ends the call, with source and line in the log, unless the condition holds. */
#define SENTINEL_ASSERT(condition) \
  ((condition) ? (void)0 : sentinel_fail("%s:%d: not so: %s", __FILE__, __LINE__, #condition))

/* Header fields -------------------------------------------------------------------------------- */

typedef struct sentinel_header {
  sentinel_bytes name;
  sentinel_bytes value;
} sentinel_header;

typedef struct sentinel_headers {
  const sentinel_header *items;
  size_t count;
} sentinel_headers;

/* The first value of that name, which is in lower case; absent if there is none. */
sentinel_bytes sentinel_get(sentinel_headers headers, const char *name);
bool sentinel_has(sentinel_headers headers, const char *name);
/* How many fields have that name. */
size_t sentinel_count(sentinel_headers headers, const char *name);

/* Changes to header fields, in order. */
typedef struct sentinel_header_edits {
  sentinel_writer encoded;
  size_t count;
} sentinel_header_edits;

/* Names are copied in lower case, values as they are. */
void sentinel_set(sentinel_header_edits *edits, const char *name, sentinel_bytes value);
void sentinel_append(sentinel_header_edits *edits, const char *name, sentinel_bytes value);
void sentinel_remove(sentinel_header_edits *edits, const char *name);
/* All of the other edits, such as those that `configure` made once. */
void sentinel_add_edits(sentinel_header_edits *edits, const sentinel_header_edits *others);

/* Why a guest may not edit the header field of that name, allocated, or NULL. */
const char *sentinel_header_name_problem(sentinel_bytes name);
/* Why that is not a header's value, or NULL. The message leaves the value out. */
const char *sentinel_header_value_problem(sentinel_bytes value);

/* Messages ------------------------------------------------------------------------------------- */

/* Whether, and how, a guest sees a body. */
typedef enum sentinel_body_kind { SENTINEL_SKIP, SENTINEL_STREAM, SENTINEL_BUFFER } sentinel_body_kind;

typedef struct sentinel_body {
  sentinel_body_kind kind;
  /* Of `SENTINEL_BUFFER`: the largest body that is accepted, in bytes. */
  uint32_t limit;
} sentinel_body;

/* Changes to a request. Zeros change nothing; an absent text leaves things as they are. */
typedef struct sentinel_request_edits {
  sentinel_header_edits headers;
  /* For this guest's later hooks on the same request. */
  sentinel_bytes context;
  sentinel_bytes path;
  /* Empty removes the query. */
  sentinel_bytes query;
  sentinel_bytes method;
  sentinel_bytes upstream;
  sentinel_body body;
} sentinel_request_edits;

/* What is known of a client that showed a certificate in the TLS handshake. */
typedef struct sentinel_client_certificate {
  /* The subject's distinguished name (RFC 4514), for example `CN=alice,O=Example`. */
  sentinel_bytes subject;
  /* The subject's alternative names with their kind, for example `URI:spiffe://example.org/a`. */
  const sentinel_bytes *names;
  size_t name_count;
  /* SHA-256 of the certificate, in lower-case hexadecimal digits. */
  sentinel_bytes sha256;
  /* Whether an authority of the listener has signed it, and it was valid at the handshake. */
  bool verified;
} sentinel_client_certificate;

/* A request's head, and what the guest changes about it. */
typedef struct sentinel_request {
  sentinel_bytes method;
  sentinel_bytes path;
  /* Absent when there was no `?`. */
  sentinel_bytes query;
  sentinel_headers headers;
  sentinel_bytes scheme;
  sentinel_bytes authority;
  sentinel_bytes client;
  sentinel_bytes request_id;
  sentinel_bytes route;
  sentinel_bytes http_version;
  /* NULL when the listener asks for none, or the client showed none. */
  const sentinel_client_certificate *client_certificate;
  sentinel_request_edits edits;
} sentinel_request;

/* A response that a guest makes, or that an HTTP service gave. */
typedef struct sentinel_response {
  uint16_t status;
  sentinel_headers headers;
  sentinel_bytes body;
} sentinel_response;

/* Who made a response. */
typedef enum sentinel_origin { SENTINEL_FROM_UPSTREAM, SENTINEL_FROM_GUEST, SENTINEL_FROM_GATEWAY } sentinel_origin;

/* Changes to a response; zeros change nothing. */
typedef struct sentinel_response_edits {
  sentinel_header_edits headers;
  uint16_t status;
  sentinel_body body;
} sentinel_response_edits;

/* A response's head, and what the guest changes about it. */
typedef struct sentinel_incoming_response {
  uint16_t status;
  sentinel_headers headers;
  sentinel_origin origin;
  /* What this guest's `on-request` left. */
  sentinel_bytes context;
  sentinel_response_edits edits;
} sentinel_incoming_response;

/* A piece of a request's body. */
typedef struct sentinel_request_chunk {
  sentinel_bytes bytes;
  /* True exactly once, at the end. */
  bool is_last;
  sentinel_bytes context;
  /* What is sent in its place; absent sends it as it is, empty sends nothing. */
  sentinel_bytes replacement;
  /* Changes to the head, while it is held: with `SENTINEL_BUFFER`. */
  sentinel_request_edits head;
} sentinel_request_chunk;

/* A piece of a response's body. */
typedef struct sentinel_response_chunk {
  sentinel_bytes bytes;
  bool is_last;
  sentinel_bytes context;
  sentinel_bytes replacement;
  sentinel_response_edits head;
} sentinel_response_chunk;

typedef enum sentinel_outcome {
  SENTINEL_COMPLETED,
  SENTINEL_CLIENT_ABORTED,
  SENTINEL_UPSTREAM_ABORTED,
  SENTINEL_GATEWAY_ABORTED,
} sentinel_outcome;

/* How a request ended. Times are in microseconds, `started_at` of the Unix epoch. */
typedef struct sentinel_summary {
  sentinel_bytes request_id;
  sentinel_bytes method;
  sentinel_bytes path;
  sentinel_bytes query;
  sentinel_bytes route;
  sentinel_bytes authority;
  sentinel_bytes client;
  sentinel_bytes http_version;
  uint64_t started_at;
  uint64_t duration;
  /* 0 when the client got none. */
  uint16_t status;
  uint64_t request_bytes;
  uint64_t response_bytes;
  sentinel_outcome outcome;
  sentinel_origin origin;
  /* Absent when none was asked. */
  sentinel_bytes upstream;
  bool has_upstream_duration;
  uint64_t upstream_duration;
  sentinel_bytes endpoint;
  uint32_t tries;
  /* What this guest's `on-request` left. */
  sentinel_bytes context;
} sentinel_summary;

/* Configuration -------------------------------------------------------------------------------- */

/* A value of the configuration. `text` is that of a string; a map has a key for each item. */
typedef struct sentinel_value {
  sentinel_kind kind;
  bool boolean;
  int64_t integer;
  double number;
  sentinel_bytes text;
  const struct sentinel_value *items;
  const sentinel_bytes *keys;
  size_t count;
} sentinel_value;

/* The configuration, or a map in it. A key of the wrong type gives the fallback, and
 * `sentinel_finish` then returns a message that names it; the first problem counts. */
typedef struct sentinel_config sentinel_config;

/* The value of any type; NULL if there is no such key. */
const sentinel_value *sentinel_config_get(sentinel_config *config, const char *key);
/* The fallback may be NULL: the text is absent then. */
sentinel_bytes sentinel_config_text(sentinel_config *config, const char *key, const char *fallback);
int64_t sentinel_config_integer(sentinel_config *config, const char *key, int64_t fallback);
double sentinel_config_float(sentinel_config *config, const char *key, double fallback);
bool sentinel_config_bool(sentinel_config *config, const char *key, bool fallback);
/* The items of a list; none if there is no such key. */
size_t sentinel_config_list(sentinel_config *config, const char *key, const sentinel_value **items);
/* The same for a list that may have nothing but text in it. */
size_t sentinel_config_texts(sentinel_config *config, const char *key, const sentinel_value **items);
/* A map in it; an empty one if there is no such key. */
sentinel_config *sentinel_config_map(sentinel_config *config, const char *key);
/* The name of a header field that a guest may edit, in lower case. */
const char *sentinel_config_header_name(sentinel_config *config, const char *key, const char *fallback);
/* Adds `remove` of each name in the list `remove`, then what the maps `set` and `append` say. */
void sentinel_config_header_edits(sentinel_config *config, sentinel_header_edits *edits);
/* The map itself: all keys of it count as read. */
const sentinel_value *sentinel_config_all(sentinel_config *config);
/* Refuses the configuration, for what is wrong in this map. */
void sentinel_refuse(sentinel_config *config, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What is wrong, keys included that nobody asked for, or NULL: the result of `configure`. */
const char *sentinel_finish(sentinel_config *config);

/* The host's functions, each granted by the configuration -------------------------------------- */

/* Nanoseconds since 1970 in UTC. Grant `clock`. */
uint64_t sentinel_wall_clock(void);
/* Nanoseconds since some moment; never backwards. Grant `clock`. */
uint64_t sentinel_monotonic_clock(void);
/* At most 65,536 random bytes, fit for keys. Grant `random`. */
sentinel_bytes sentinel_random_bytes(uint32_t count);
uint64_t sentinel_random_number(void);

/* Counts for the metric `guest_NAME_total`; labels are names and values. Grant `metrics`. */
void sentinel_metrics_add(const char *name, const sentinel_header *labels, size_t count, uint64_t value);
/* Observes a value in the histogram `guest_NAME`. */
void sentinel_metrics_observe(const char *name, const sentinel_header *labels, size_t count, double value);

/* What a metric is: what `sentinel_metrics_add` counts, or `sentinel_metrics_observe` observes. */
typedef enum sentinel_metric_kind { SENTINEL_COUNTER, SENTINEL_HISTOGRAM } sentinel_metric_kind;

/* What the gateway tells of a metric beside its numbers. */
typedef struct sentinel_metric {
  const char *name;
  sentinel_metric_kind kind;
  /* At most 256 bytes; NULL leaves the gateway's. */
  const char *help;
  /* Such as `seconds`; the name ends in it. NULL for none. */
  const char *unit;
  /* The upper ends of a histogram's buckets: at most 16, ascending. None leaves the gateway's. */
  const double *bounds;
  size_t bound_count;
} sentinel_metric;

/* Says what a metric is. It is there for `configure`; saying the same again changes nothing. What
 * breaks the rules is refused with a warning in the log. */
void sentinel_metrics_describe(const sentinel_metric *metric);

typedef enum sentinel_kv_error {
  SENTINEL_KV_OK,
  SENTINEL_KV_FULL,
  SENTINEL_KV_TOO_LARGE,
  SENTINEL_KV_NOT_A_NUMBER,
  SENTINEL_KV_UNAVAILABLE,
} sentinel_kv_error;

/* The value at a key, absent if there is none. Grant `kv`, as for the three below; times are
 * milliseconds, 0 for ever. */
sentinel_kv_error sentinel_kv_get(sentinel_bytes key, sentinel_bytes *value);
sentinel_kv_error sentinel_kv_set(sentinel_bytes key, sentinel_bytes value, uint64_t ttl);
sentinel_kv_error sentinel_kv_delete(sentinel_bytes key, bool *found);
sentinel_kv_error sentinel_kv_add(sentinel_bytes key, int64_t delta, uint64_t ttl, int64_t *sum);

typedef enum sentinel_http_error {
  SENTINEL_HTTP_OK,
  SENTINEL_HTTP_DENIED,
  SENTINEL_HTTP_INVALID,
  SENTINEL_HTTP_TOO_MANY,
  SENTINEL_HTTP_TIMEOUT,
  SENTINEL_HTTP_UNREACHABLE,
  SENTINEL_HTTP_TOO_LARGE,
} sentinel_http_error;

typedef struct sentinel_http_request {
  const char *method;
  const char *url;
  sentinel_headers headers;
  sentinel_bytes body;
  /* Milliseconds for all of it; 0 for what the configuration says. */
  uint32_t timeout;
} sentinel_http_request;

/* Asks an HTTP service and waits for the whole answer; the guest is suspended meanwhile. Grant
 * `http-client`. */
sentinel_http_error sentinel_http_send(const sentinel_http_request *request, sentinel_response *response);

/* Hooks ---------------------------------------------------------------------------------------- */

/* What the host reads of an answer. */
typedef struct sentinel_area {
  const void *data;
  size_t size;
} sentinel_area;

typedef struct sentinel_outcome_area {
  uint8_t refused;
  sentinel_area message;
} sentinel_outcome_area;

typedef const char *sentinel_configure_hook(sentinel_config *config);
typedef const sentinel_response *sentinel_request_hook(sentinel_request *request);
typedef const sentinel_response *sentinel_response_hook(sentinel_incoming_response *response);
typedef void sentinel_complete_hook(const sentinel_summary *summary);
typedef const sentinel_response *sentinel_request_chunk_hook(sentinel_request_chunk *chunk);
typedef const sentinel_response *sentinel_response_chunk_hook(sentinel_response_chunk *chunk);

/* What the macros below call: from the host's bytes to a hook, and back. */
sentinel_outcome_area *sentinel_run_configure(sentinel_configure_hook *hook, const void *config, size_t size);
sentinel_area *sentinel_run_request(sentinel_request_hook *hook, const void *head, size_t size);
sentinel_area *sentinel_run_response(sentinel_response_hook *hook, const void *head, size_t size, const void *context,
                                     size_t context_size);
void sentinel_run_complete(sentinel_complete_hook *hook, const void *summary, size_t size, const void *context,
                           size_t context_size);
sentinel_area *sentinel_run_request_chunk(sentinel_request_chunk_hook *hook, const void *chunk, size_t size, int last,
                                          const void *context, size_t context_size);
sentinel_area *sentinel_run_response_chunk(sentinel_response_chunk_hook *hook, const void *chunk, size_t size, int last,
                                           const void *context, size_t context_size);

#ifdef __wasm__
#define SENTINEL_EXPORT(interface, name) __attribute__((export_name("sentinel:gateway/" interface "@0.1.0#" name)))
#else
#define SENTINEL_EXPORT(interface, name)
#endif

#define SENTINEL_CONFIGURE(hook) \
  SENTINEL_EXPORT("lifecycle", "configure") \
  sentinel_outcome_area *sentinel_exported_configure(const void *config, size_t size) { \
    return sentinel_run_configure(hook, config, size); \
  }
#define SENTINEL_ON_REQUEST(hook) \
  SENTINEL_EXPORT("request-handler", "on-request") \
  sentinel_area *sentinel_exported_on_request(const void *head, size_t size) { \
    return sentinel_run_request(hook, head, size); \
  }
#define SENTINEL_ON_RESPONSE(hook) \
  SENTINEL_EXPORT("response-handler", "on-response") \
  sentinel_area *sentinel_exported_on_response(const void *head, size_t size, const void *context, \
                                               size_t context_size) { \
    return sentinel_run_response(hook, head, size, context, context_size); \
  }
#define SENTINEL_ON_COMPLETE(hook) \
  SENTINEL_EXPORT("completion-handler", "on-complete") \
  void sentinel_exported_on_complete(const void *summary, size_t size, const void *context, size_t context_size) { \
    sentinel_run_complete(hook, summary, size, context, context_size); \
  }
#define SENTINEL_ON_REQUEST_CHUNK(hook) \
  SENTINEL_EXPORT("request-body-handler", "on-request-chunk") \
  sentinel_area *sentinel_exported_on_request_chunk(const void *chunk, size_t size, int last, const void *context, \
                                                    size_t context_size) { \
    return sentinel_run_request_chunk(hook, chunk, size, last, context, context_size); \
  }
#define SENTINEL_ON_RESPONSE_CHUNK(hook) \
  SENTINEL_EXPORT("response-body-handler", "on-response-chunk") \
  sentinel_area *sentinel_exported_on_response_chunk(const void *chunk, size_t size, int last, const void *context, \
                                                     size_t context_size) { \
    return sentinel_run_response_chunk(hook, chunk, size, last, context, context_size); \
  }

/* The C library's functions that compilers call by themselves; in a guest the SDK has them. */
void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);
size_t strlen(const char *text);

#ifdef __cplusplus
}
#endif

#endif
