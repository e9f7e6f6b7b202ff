/* The host's functions. Each is a function of its own: a guest imports only what it calls. */
#include "internal.h"

uint64_t sentinel_wall_clock(void) {
  return sentinel_import_wall();
}

uint64_t sentinel_monotonic_clock(void) {
  return sentinel_import_monotonic();
}

sentinel_bytes sentinel_random_bytes(uint32_t count) {
  sentinel_list_result result;
  sentinel_import_random(count, &result);
  return (sentinel_bytes){result.data, result.size};
}

uint64_t sentinel_random_number(void) {
  return sentinel_import_number();
}

void sentinel_metrics_add(const char *name, const sentinel_header *labels, size_t count, uint64_t value) {
  sentinel_import_add(name, strlen(name), labels, count, value);
}

void sentinel_metrics_observe(const char *name, const sentinel_header *labels, size_t count, double value) {
  sentinel_import_observe(name, strlen(name), labels, count, value);
}

void sentinel_metrics_describe(const sentinel_metric *metric) {
  sentinel_bytes help = sentinel_text(metric->help), unit = sentinel_text(metric->unit);
  sentinel_import_describe(metric->name, strlen(metric->name), metric->kind, help.data, help.size, unit.data, unit.size,
                           metric->bounds, metric->bound_count);
}

/* The contract counts errors from 0, which is "none" here. */
static sentinel_kv_error kv_error(uint8_t failed, uint8_t error) {
  return failed ? (sentinel_kv_error)(error + 1) : SENTINEL_KV_OK;
}

sentinel_kv_error sentinel_kv_get(sentinel_bytes key, sentinel_bytes *value) {
  sentinel_get_result result;
  sentinel_import_get(key.data, key.size, &result);
  bool is_there = !result.failed && result.as.value.is_there;
  *value = is_there ? (sentinel_bytes){result.as.value.list.data, result.as.value.list.size} : (sentinel_bytes){NULL, 0};
  return kv_error(result.failed, result.as.error);
}

sentinel_kv_error sentinel_kv_set(sentinel_bytes key, sentinel_bytes value, uint64_t ttl) {
  sentinel_set_result result;
  sentinel_import_set(key.data, key.size, value.data, value.size, ttl, &result);
  return kv_error(result.failed, result.error);
}

sentinel_kv_error sentinel_kv_delete(sentinel_bytes key, bool *found) {
  sentinel_delete_result result;
  sentinel_import_delete(key.data, key.size, &result);
  *found = !result.failed && result.as.found;
  return kv_error(result.failed, result.as.error);
}

sentinel_kv_error sentinel_kv_add(sentinel_bytes key, int64_t delta, uint64_t ttl, int64_t *sum) {
  sentinel_add_result result;
  sentinel_import_count(key.data, key.size, delta, ttl, &result);
  *sum = result.failed ? 0 : result.as.sum;
  return kv_error(result.failed, result.as.error);
}

/* `outbound-request`, without the fields at the end that have their default. */
static void write_outbound(sentinel_writer *writer, const sentinel_http_request *request) {
  size_t fields = request->timeout != 0 ? 5 : request->body.size != 0 ? 4 : request->headers.count != 0 ? 3 : 2;
  sentinel_write_list(writer, fields);
  sentinel_write_string(writer, sentinel_text(request->method));
  sentinel_write_string(writer, sentinel_text(request->url));
  if (fields > 2) {
    sentinel_write_list(writer, request->headers.count);
    for (size_t i = 0; i < request->headers.count; i++) {
      sentinel_write_list(writer, 2);
      sentinel_write_string(writer, sentinel_lower(request->headers.items[i].name));
      sentinel_write_binary(writer, request->headers.items[i].value);
    }
  }
  if (fields > 3) sentinel_write_binary(writer, request->body);
  if (fields > 4) sentinel_write_unsigned(writer, request->timeout);
}

sentinel_http_error sentinel_http_send(const sentinel_http_request *request, sentinel_response *response) {
  sentinel_writer writer = {0};
  sentinel_send_result result;
  *response = (sentinel_response){0};
  write_outbound(&writer, request);
  sentinel_import_send(writer.data, writer.size, &result);
  if (result.failed) return (sentinel_http_error)(result.as.error + 1);
  sentinel_reader reader = sentinel_reader_over(result.as.list.data, result.as.list.size);
  sentinel_read_list(&reader);
  response->status = (uint16_t)sentinel_read_unsigned(&reader);
  response->headers = sentinel_read_headers(&reader);
  response->body = sentinel_read_binary(&reader);
  if (reader.failed) sentinel_fail("the host's response is not what the contract says");
  return SENTINEL_HTTP_OK;
}
