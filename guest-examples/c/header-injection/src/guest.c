/* Sets, appends and removes header fields of requests and responses, as configured. */
#include <sentinel.h>

static sentinel_header_edits request_edits, response_edits;

static const char *configure(sentinel_config *config) {
  sentinel_config_header_edits(sentinel_config_map(config, "request"), &request_edits);
  sentinel_config_header_edits(sentinel_config_map(config, "response"), &response_edits);
  return sentinel_finish(config);
}
SENTINEL_CONFIGURE(configure)

static const sentinel_response *on_request(sentinel_request *request) {
  sentinel_add_edits(&request->edits.headers, &request_edits);
  return NULL;
}
SENTINEL_ON_REQUEST(on_request)

static const sentinel_response *on_response(sentinel_incoming_response *response) {
  sentinel_add_edits(&response->edits.headers, &response_edits);
  return NULL;
}
SENTINEL_ON_RESPONSE(on_response)
