/* From the host's bytes to a hook, and from what the hook changed to the answer's bytes. */
#include "internal.h"

static sentinel_area area;
static sentinel_outcome_area outcome;

static sentinel_area *answer(const sentinel_writer *writer) {
  area = (sentinel_area){writer->data, writer->size};
  sentinel_end_call();
  return &area;
}

/* "Go on, no change": an answer of one byte, in no memory that a call has. */
static sentinel_area *nothing(void) {
  static const uint8_t nil = 0xc0;
  area = (sentinel_area){&nil, 1};
  sentinel_end_call();
  return &area;
}

/* Begins a record: fields beyond those that this SDK knows are passed over, fields that are missing
 * are not read. */
static inline size_t open_record(sentinel_reader *reader, const void *data, size_t size) {
  sentinel_begin_call();
  *reader = sentinel_reader_over(data, size);
  return sentinel_next_list(reader);
}

static inline void check(bool failed, const char *what) {
  if (failed) sentinel_fail("the host's %s is not what the contract says", what);
}

static void skip_fields(sentinel_reader *reader, size_t count) {
  sentinel_reader other = *reader;
  for (; count > 0; count--) sentinel_skip(&other);
  *reader = other;
}

static inline sentinel_headers next_headers(sentinel_reader *reader) {
  size_t count = sentinel_next_list(reader);
  sentinel_header *items = sentinel_allocate(count * sizeof *items);
  for (size_t i = 0; i < count; i++) {
    size_t fields = sentinel_next_list(reader);
    items[i].name = sentinel_next_string(reader);
    items[i].value = sentinel_next_binary(reader);
    if (fields > 2) skip_fields(reader, fields - 2);
  }
  return (sentinel_headers){items, count};
}

sentinel_headers sentinel_read_headers(sentinel_reader *reader) {
  return next_headers(reader);
}

/* The last field that this SDK knows: nothing is read behind it. */
static const sentinel_client_certificate *read_client_certificate(sentinel_reader *reader) {
  if (sentinel_read_nil(reader)) return NULL;
  sentinel_client_certificate *shown = sentinel_allocate(sizeof *shown);
  size_t fields = sentinel_next_list(reader);
  shown->subject = sentinel_next_string(reader);
  shown->name_count = sentinel_next_list(reader);
  sentinel_bytes *names = sentinel_allocate(shown->name_count * sizeof *names);
  for (size_t i = 0; i < shown->name_count; i++) names[i] = sentinel_next_string(reader);
  shown->names = names;
  shown->sha256 = sentinel_next_string(reader);
  shown->verified = sentinel_read_bool(reader);
  for (; fields > 4; fields--) sentinel_skip(reader);
  return shown;
}

/* Edits and answers ---------------------------------------------------------------------------- */

static void write_edits(sentinel_writer *writer, const sentinel_header_edits *edits) {
  sentinel_write_list(writer, edits->count);
  sentinel_write_raw(writer, edits->encoded.data, edits->encoded.size);
}

static void write_body(sentinel_writer *writer, sentinel_body body) {
  sentinel_write_list(writer, body.kind == SENTINEL_BUFFER ? 2 : 1);
  sentinel_write_unsigned(writer, body.kind);
  if (body.kind == SENTINEL_BUFFER) sentinel_write_unsigned(writer, body.limit);
}

static void write_optional(sentinel_writer *writer, sentinel_bytes text) {
  if (text.data == NULL) sentinel_write_nil(writer);
  else sentinel_write_string(writer, text);
}

/* How many fields of `request-edits` there are to be written: the rest have their default. */
static size_t request_fields(const sentinel_request_edits *edits) {
  if (edits->body.kind != SENTINEL_SKIP) return 7;
  if (edits->upstream.data != NULL) return 6;
  if (edits->method.data != NULL) return 5;
  if (edits->query.data != NULL) return 4;
  if (edits->path.data != NULL) return 3;
  if (edits->context.size > 0) return 2;
  return edits->headers.count > 0;
}

static void write_request_edits(sentinel_writer *writer, const sentinel_request_edits *edits, size_t fields) {
  sentinel_write_list(writer, fields);
  if (fields > 0) write_edits(writer, &edits->headers);
  if (fields > 1) sentinel_write_binary(writer, edits->context);
  if (fields > 2) write_optional(writer, edits->path);
  if (fields > 3) write_optional(writer, edits->query);
  if (fields > 4) write_optional(writer, edits->method);
  if (fields > 5) write_optional(writer, edits->upstream);
  if (fields > 6) write_body(writer, edits->body);
}

static size_t response_fields(const sentinel_response_edits *edits) {
  if (edits->body.kind != SENTINEL_SKIP) return 3;
  if (edits->status != 0) return 2;
  return edits->headers.count > 0;
}

static void write_response_edits(sentinel_writer *writer, const sentinel_response_edits *edits, size_t fields) {
  sentinel_write_list(writer, fields);
  if (fields > 0) write_edits(writer, &edits->headers);
  if (fields > 1 && edits->status == 0) sentinel_write_nil(writer);
  if (fields > 1 && edits->status != 0) sentinel_write_unsigned(writer, edits->status);
  if (fields > 2) write_body(writer, edits->body);
}

void sentinel_write_response(sentinel_writer *writer, const sentinel_response *response) {
  sentinel_write_list(writer, 3);
  sentinel_write_unsigned(writer, response->status);
  sentinel_write_list(writer, response->headers.count);
  for (size_t i = 0; i < response->headers.count; i++) {
    sentinel_write_list(writer, 2);
    sentinel_write_string(writer, response->headers.items[i].name);
    sentinel_write_binary(writer, response->headers.items[i].value);
  }
  sentinel_write_binary(writer, response->body);
}

enum { CONTINUE, RESPOND };
enum { REPLACE, RESPOND_TO_CHUNK, EDIT_HEAD };

static void write_case(sentinel_writer *writer, uint64_t number) {
  sentinel_write_list(writer, 2);
  sentinel_write_unsigned(writer, number);
}

/* Hooks ---------------------------------------------------------------------------------------- */

sentinel_outcome_area *sentinel_run_configure(sentinel_configure_hook *hook, const void *config, size_t size) {
  sentinel_begin_call();
  sentinel_config *opened = sentinel_open_config(config, size);
  const char *message = hook(opened);
  const char *malformed = sentinel_malformed(opened);
  if (malformed != NULL) message = malformed;
  outcome = (sentinel_outcome_area){message != NULL, {message, message != NULL ? strlen(message) : 0}};
  sentinel_keep_all();
  return &outcome;
}

sentinel_area *sentinel_run_request(sentinel_request_hook *hook, const void *head, size_t size) {
  sentinel_reader reader;
  size_t present = open_record(&reader, head, size);
  sentinel_request request;
  request.edits = (sentinel_request_edits){0};
  request.method = sentinel_next_string(&reader);
  request.path = sentinel_next_string(&reader);
  request.query = sentinel_next_optional_string(&reader);
  request.headers = next_headers(&reader);
  request.scheme = sentinel_next_string(&reader);
  request.authority = sentinel_next_string(&reader);
  request.client = sentinel_next_string(&reader);
  request.request_id = sentinel_next_string(&reader);
  request.route = sentinel_next_string(&reader);
  request.http_version = sentinel_next_string(&reader);
  request.client_certificate = NULL;
  if (present > 10) {
    sentinel_reader rest = reader;
    request.client_certificate = read_client_certificate(&rest);
    reader.failed = rest.failed;
  }
  check(reader.failed, "request-head");
  const sentinel_response *response = hook(&request);
  size_t fields = request_fields(&request.edits);
  if (response == NULL && fields == 0) return nothing();
  sentinel_writer writer = {0};
  if (response == NULL) {
    write_case(&writer, CONTINUE);
    write_request_edits(&writer, &request.edits, fields);
  } else {
    bool has_context = request.edits.context.size > 0;
    write_case(&writer, RESPOND);
    sentinel_write_list(&writer, has_context ? 2 : 1);
    sentinel_write_response(&writer, response);
    if (has_context) sentinel_write_binary(&writer, request.edits.context);
  }
  return answer(&writer);
}

sentinel_area *sentinel_run_response(sentinel_response_hook *hook, const void *head, size_t size, const void *context,
                                     size_t context_size) {
  sentinel_reader reader;
  open_record(&reader, head, size);
  sentinel_incoming_response incoming = {.context = {context, context_size}};
  incoming.status = (uint16_t)sentinel_read_unsigned(&reader);
  incoming.headers = sentinel_read_headers(&reader);
  incoming.origin = (sentinel_origin)sentinel_read_unsigned(&reader);
  check(reader.failed, "response-head");
  const sentinel_response *response = hook(&incoming);
  size_t fields = response_fields(&incoming.edits);
  if (response == NULL && fields == 0) return nothing();
  sentinel_writer writer = {0};
  write_case(&writer, response == NULL ? CONTINUE : RESPOND);
  if (response == NULL) write_response_edits(&writer, &incoming.edits, fields);
  else sentinel_write_response(&writer, response);
  return answer(&writer);
}

void sentinel_run_complete(sentinel_complete_hook *hook, const void *data, size_t size, const void *context,
                           size_t context_size) {
  sentinel_reader reader;
  size_t fields = open_record(&reader, data, size);
  sentinel_summary summary = {.context = {context, context_size}};
  summary.request_id = sentinel_next_string(&reader);
  summary.method = sentinel_next_string(&reader);
  summary.path = sentinel_next_string(&reader);
  summary.query = sentinel_next_optional_string(&reader);
  summary.route = sentinel_next_string(&reader);
  summary.authority = sentinel_next_string(&reader);
  summary.client = sentinel_next_string(&reader);
  summary.http_version = sentinel_next_string(&reader);
  summary.started_at = sentinel_read_unsigned(&reader);
  summary.duration = sentinel_read_unsigned(&reader);
  summary.status = (uint16_t)sentinel_read_unsigned(&reader);
  summary.request_bytes = sentinel_read_unsigned(&reader);
  summary.response_bytes = sentinel_read_unsigned(&reader);
  summary.outcome = (sentinel_outcome)sentinel_read_unsigned(&reader);
  summary.origin = (sentinel_origin)sentinel_read_unsigned(&reader);
  if (fields > 15) summary.upstream = sentinel_next_optional_string(&reader);
  if (fields > 16 && !sentinel_read_nil(&reader)) {
    summary.has_upstream_duration = true;
    summary.upstream_duration = sentinel_read_unsigned(&reader);
  }
  if (fields > 17) summary.endpoint = sentinel_next_optional_string(&reader);
  if (fields > 18) summary.tries = (uint32_t)sentinel_read_unsigned(&reader);
  check(reader.failed, "summary");
  hook(&summary);
  sentinel_end_call();
}

/* The answer to a chunk but for `edit-head`, or NULL. */
static sentinel_area *plain_chunk_answer(const sentinel_response *response, sentinel_bytes replacement,
                                         bool edits_head) {
  sentinel_writer writer = {0};
  if (response != NULL) {
    write_case(&writer, RESPOND_TO_CHUNK);
    sentinel_write_response(&writer, response);
  } else if (edits_head) {
    return NULL;
  } else if (replacement.data != NULL) {
    write_case(&writer, REPLACE);
    sentinel_write_binary(&writer, replacement);
  } else {
    return nothing();
  }
  return answer(&writer);
}

static void begin_edit_head(sentinel_writer *writer, sentinel_bytes replacement) {
  write_case(writer, EDIT_HEAD);
  sentinel_write_list(writer, replacement.data != NULL ? 2 : 1);
}

sentinel_area *sentinel_run_request_chunk(sentinel_request_chunk_hook *hook, const void *data, size_t size, int last,
                                          const void *context, size_t context_size) {
  sentinel_begin_call();
  sentinel_request_chunk chunk = {.bytes = {data, size}, .is_last = last != 0, .context = {context, context_size}};
  const sentinel_response *response = hook(&chunk);
  size_t fields = request_fields(&chunk.head);
  sentinel_area *plain = plain_chunk_answer(response, chunk.replacement, fields > 0);
  if (plain != NULL) return plain;
  sentinel_writer writer = {0};
  begin_edit_head(&writer, chunk.replacement);
  write_request_edits(&writer, &chunk.head, fields);
  if (chunk.replacement.data != NULL) sentinel_write_binary(&writer, chunk.replacement);
  return answer(&writer);
}

sentinel_area *sentinel_run_response_chunk(sentinel_response_chunk_hook *hook, const void *data, size_t size, int last,
                                           const void *context, size_t context_size) {
  sentinel_begin_call();
  sentinel_response_chunk chunk = {.bytes = {data, size}, .is_last = last != 0, .context = {context, context_size}};
  const sentinel_response *response = hook(&chunk);
  size_t fields = response_fields(&chunk.head);
  sentinel_area *plain = plain_chunk_answer(response, chunk.replacement, fields > 0);
  if (plain != NULL) return plain;
  sentinel_writer writer = {0};
  begin_edit_head(&writer, chunk.replacement);
  write_response_edits(&writer, &chunk.head, fields);
  if (chunk.replacement.data != NULL) sentinel_write_binary(&writer, chunk.replacement);
  return answer(&writer);
}
