/* A guest that has every hook and does what its configuration says: `{"hook": "on-request", "ops":
 * [[...], ...]}`. The hook before a chunk hook asks for the body as `"body": ["stream"]` or
 * `["buffer", 1024]` says. The vectors drive it, and the guests in other languages beside it, and
 * expect the same bytes of all. */
#include <sentinel.h>

static sentinel_bytes hook_name;
static const sentinel_value *ops, *body_mode;
static size_t op_count, body_fields;

static const char *configure(sentinel_config *config) {
  hook_name = sentinel_config_text(config, "hook", "");
  op_count = sentinel_config_list(config, "ops", &ops);
  body_fields = sentinel_config_list(config, "body", &body_mode);
  return sentinel_finish(config);
}

static size_t ops_of(const char *hook) {
  return sentinel_is(hook_name, hook) ? op_count : 0;
}

static sentinel_body mode_of(const sentinel_value *mode) {
  if (sentinel_is(mode[0].text, "stream")) return (sentinel_body){.kind = SENTINEL_STREAM};
  if (sentinel_is(mode[0].text, "skip")) return (sentinel_body){.kind = SENTINEL_SKIP};
  return (sentinel_body){SENTINEL_BUFFER, (uint32_t)mode[1].integer};
}

static const sentinel_response *response_of(const sentinel_value *op) {
  size_t count = op[2].count;
  sentinel_header *headers = sentinel_allocate(count * sizeof *headers);
  for (size_t i = 0; i < count; i++) {
    headers[i] = (sentinel_header){op[2].items[i].items[0].text, op[2].items[i].items[1].text};
  }
  sentinel_response *response = sentinel_allocate(sizeof *response);
  *response = (sentinel_response){(uint16_t)op[1].integer, {headers, count}, op[3].text};
  return response;
}

static bool edit_headers(sentinel_header_edits *edits, const sentinel_value *op) {
  const char *name = sentinel_string(op[1].text);
  if (sentinel_is(op[0].text, "set")) sentinel_set(edits, name, op[2].text);
  else if (sentinel_is(op[0].text, "append")) sentinel_append(edits, name, op[2].text);
  else if (sentinel_is(op[0].text, "remove")) sentinel_remove(edits, name);
  else return false;
  return true;
}

static void edit_request(sentinel_request_edits *edits, const sentinel_value *op) {
  if (edit_headers(&edits->headers, op)) return;
  if (sentinel_is(op[0].text, "path")) edits->path = op[1].text;
  else if (sentinel_is(op[0].text, "query")) edits->query = op[1].text;
  else if (sentinel_is(op[0].text, "method")) edits->method = op[1].text;
  else if (sentinel_is(op[0].text, "upstream")) edits->upstream = op[1].text;
  else sentinel_fail("unknown operation %s", sentinel_string(op[0].text));
}

static void edit_response(sentinel_response_edits *edits, const sentinel_value *op) {
  if (edit_headers(&edits->headers, op)) return;
  SENTINEL_ASSERT(sentinel_is(op[0].text, "status"));
  edits->status = (uint16_t)op[1].integer;
}

/* Lines of text that show a record ------------------------------------------------------------- */

static sentinel_writer dump;

/* Printable ASCII as it is, everything else and the backslash as `\xNN`. */
static void escape(sentinel_bytes bytes) {
  for (size_t i = 0; i < bytes.size; i++) {
    unsigned char at = (unsigned char)bytes.data[i];
    if (at >= 0x20 && at <= 0x7e && at != '\\') sentinel_write_raw(&dump, &at, 1);
    else sentinel_write_raw(&dump, sentinel_format("\\x%02x", at), 4);
  }
}

static void show(const char *name, sentinel_bytes value) {
  if (dump.size > 0) sentinel_write_raw(&dump, "\n", 1);
  sentinel_write_raw(&dump, name, strlen(name));
  sentinel_write_raw(&dump, "=", 1);
  escape(value);
}

static void show_field(sentinel_bytes name, sentinel_bytes value) {
  show("header", name);
  sentinel_write_raw(&dump, ": ", 2);
  escape(value);
}

static void show_option(const char *name, sentinel_bytes value) {
  if (value.data != NULL) show(name, value);
}

static void show_number(const char *name, uint64_t value) {
  show(name, sentinel_text(sentinel_format("%llu", (unsigned long long)value)));
}

static void show_headers(sentinel_headers headers) {
  for (size_t i = 0; i < headers.count; i++) {
    sentinel_bytes name = headers.items[i].name;
    show_field(name, headers.items[i].value);
  }
}

static sentinel_bytes dumped(void) {
  return (sentinel_bytes){(const char *)dump.data, dump.size};
}

static const sentinel_response *dump_response(void) {
  sentinel_response *response = sentinel_allocate(sizeof *response);
  *response = (sentinel_response){.status = 200, .body = dumped()};
  return response;
}

static void show_certificate(const sentinel_client_certificate *shown) {
  if (shown == NULL) return;
  show("client-certificate", shown->subject);
  sentinel_write_raw(&dump, " ", 1);
  for (size_t i = 0; i < shown->name_count; i++) {
    if (i > 0) sentinel_write_raw(&dump, ",", 1);
    escape(shown->names[i]);
  }
  sentinel_write_raw(&dump, " ", 1);
  escape(shown->sha256);
  escape(sentinel_text(shown->verified ? " true" : " false"));
}

static const char *const ORIGINS[] = {"upstream", "guest", "gateway"};
static const char *const OUTCOMES[] = {"completed", "client-aborted", "upstream-aborted", "gateway-aborted"};

/* Hooks ---------------------------------------------------------------------------------------- */

static const sentinel_response *on_request(sentinel_request *request) {
  const sentinel_response *response = NULL;
  if (sentinel_is(hook_name, "on-request-chunk") && body_fields > 0) request->edits.body = mode_of(body_mode);
  for (size_t i = 0, count = ops_of("on-request"); i < count; i++) {
    const sentinel_value *op = ops[i].items;
    if (sentinel_is(op[0].text, "context")) {
      request->edits.context = op[1].text;
    } else if (sentinel_is(op[0].text, "body")) {
      request->edits.body = mode_of(op + 1);
    } else if (sentinel_is(op[0].text, "respond")) {
      response = response_of(op);
    } else if (sentinel_is(op[0].text, "dump")) {
      dump = (sentinel_writer){0};
      show("method", request->method);
      show("path", request->path);
      show_option("query", request->query);
      show_headers(request->headers);
      show("scheme", request->scheme);
      show("authority", request->authority);
      show("client", request->client);
      show("request-id", request->request_id);
      show("route", request->route);
      show("http-version", request->http_version);
      show_certificate(request->client_certificate);
      response = dump_response();
    } else {
      edit_request(&request->edits, op);
    }
  }
  return response;
}

static const sentinel_response *on_response(sentinel_incoming_response *incoming) {
  const sentinel_response *response = NULL;
  if (sentinel_is(hook_name, "on-response-chunk") && body_fields > 0) incoming->edits.body = mode_of(body_mode);
  for (size_t i = 0, count = ops_of("on-response"); i < count; i++) {
    const sentinel_value *op = ops[i].items;
    if (sentinel_is(op[0].text, "body")) {
      incoming->edits.body = mode_of(op + 1);
    } else if (sentinel_is(op[0].text, "respond")) {
      response = response_of(op);
    } else if (sentinel_is(op[0].text, "dump")) {
      dump = (sentinel_writer){0};
      show_number("status", incoming->status);
      show_headers(incoming->headers);
      show("origin", sentinel_text(ORIGINS[incoming->origin]));
      show("context", incoming->context);
      response = dump_response();
    } else {
      edit_response(&incoming->edits, op);
    }
  }
  return response;
}

static void on_complete(const sentinel_summary *summary) {
  if (ops_of("on-complete") == 0) return;
  dump = (sentinel_writer){0};
  show("request-id", summary->request_id);
  show("method", summary->method);
  show("path", summary->path);
  show_option("query", summary->query);
  show("route", summary->route);
  show("authority", summary->authority);
  show("client", summary->client);
  show("http-version", summary->http_version);
  show_number("started-at", summary->started_at);
  show_number("duration", summary->duration);
  show_number("status", summary->status);
  show_number("request-bytes", summary->request_bytes);
  show_number("response-bytes", summary->response_bytes);
  show("outcome", sentinel_text(OUTCOMES[summary->outcome]));
  show("origin", sentinel_text(ORIGINS[summary->origin]));
  show_option("upstream", summary->upstream);
  if (summary->has_upstream_duration) show_number("upstream-duration", summary->upstream_duration);
  show_option("endpoint", summary->endpoint);
  show_number("tries", summary->tries);
  show("context", summary->context);
  sentinel_log_text(SENTINEL_INFO, dumped());
}

static const sentinel_response *on_request_chunk(sentinel_request_chunk *chunk) {
  const sentinel_response *response = NULL;
  for (size_t i = 0, count = ops_of("on-request-chunk"); i < count; i++) {
    const sentinel_value *op = ops[i].items;
    if (sentinel_is(op[0].text, "replace")) {
      chunk->replacement = op[1].text;
    } else if (sentinel_is(op[0].text, "respond")) {
      response = response_of(op);
    } else {
      for (size_t j = 0; j < op[1].count; j++) edit_request(&chunk->head, op[1].items[j].items);
      chunk->replacement = op[2].text;
    }
  }
  return response;
}

static const sentinel_response *on_response_chunk(sentinel_response_chunk *chunk) {
  const sentinel_response *response = NULL;
  for (size_t i = 0, count = ops_of("on-response-chunk"); i < count; i++) {
    const sentinel_value *op = ops[i].items;
    if (sentinel_is(op[0].text, "replace")) {
      chunk->replacement = op[1].text;
    } else if (sentinel_is(op[0].text, "respond")) {
      response = response_of(op);
    } else {
      for (size_t j = 0; j < op[1].count; j++) edit_response(&chunk->head, op[1].items[j].items);
      chunk->replacement = op[2].text;
    }
  }
  return response;
}

SENTINEL_CONFIGURE(configure)
SENTINEL_ON_REQUEST(on_request)
SENTINEL_ON_RESPONSE(on_response)
SENTINEL_ON_COMPLETE(on_complete)
SENTINEL_ON_REQUEST_CHUNK(on_request_chunk)
SENTINEL_ON_RESPONSE_CHUNK(on_response_chunk)
