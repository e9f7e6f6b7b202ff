/* Lets a request pass if it has one of the configured API keys, and tells the upstream whose key it
 * was. */
#include <sentinel.h>

static const sentinel_value *keys;
static const char *header, *principal_header;
static sentinel_header challenge[2] = {{SENTINEL_TEXT("content-type"), SENTINEL_TEXT("application/json")}};

/* The messages leave the keys out: they are secrets. */
static void check_keys(sentinel_config *config) {
  if (keys->count == 0) sentinel_refuse(config, "at least one key is needed");
  for (size_t i = 0; i < keys->count; i++) {
    const sentinel_value *principal = &keys->items[i];
    if (keys->keys[i].size == 0) sentinel_refuse(config, "a key is empty");
    if (principal->kind != SENTINEL_STRING || principal->text.size == 0 ||
        sentinel_header_value_problem(principal->text) != NULL) {
      sentinel_refuse(config, "the principal of each key has to be text that a header can carry");
    }
  }
}

static const char *configure(sentinel_config *config) {
  header = sentinel_config_header_name(config, "header", "x-api-key");
  principal_header = sentinel_config_header_name(config, "principal_header", "x-principal");
  sentinel_bytes realm = sentinel_config_text(config, "realm", "sentinel");
  bool is_quotable = sentinel_header_value_problem(realm) == NULL;
  /* RFC 9110, section 5.6.4: within a quoted-string these two would need escapes. */
  for (size_t i = 0; i < realm.size; i++) is_quotable &= realm.data[i] != '"' && realm.data[i] != '\\';
  if (!is_quotable) sentinel_refuse(config, "realm: no control characters, quotation marks or backslashes");
  const char *value = sentinel_format("ApiKey realm=\"%s\"", sentinel_string(realm));
  challenge[1] = (sentinel_header){SENTINEL_TEXT("www-authenticate"), sentinel_text(value)};
  sentinel_config *map = sentinel_config_map(config, "keys");
  keys = sentinel_config_all(map);
  check_keys(map);
  return sentinel_finish(config);
}
SENTINEL_CONFIGURE(configure)

static const sentinel_response *on_request(sentinel_request *request) {
  static const sentinel_response missing = {
      401, {challenge, 2}, SENTINEL_TEXT("{\"error\":\"an API key is required\"}")};
  static const sentinel_response wrong = {
      403, {challenge, 1}, SENTINEL_TEXT("{\"error\":\"this API key is not accepted\"}")};
  static const sentinel_response several = {
      403, {challenge, 1}, SENTINEL_TEXT("{\"error\":\"more than one API key was sent\"}")};
  sentinel_bytes sent = sentinel_get(request->headers, header);
  if (sent.data == NULL) return &missing;
  /* Which of two would count is a question that gateway and upstream could answer differently. */
  if (sentinel_count(request->headers, header) > 1) return &several;
  /* Every key is compared, whether an earlier one agreed or not: the time must not tell which one
   * it was. */
  size_t match = 0;
  for (size_t i = 0; i < keys->count; i++) match |= (i + 1) * sentinel_equal_secret(sent, keys->keys[i]);
  if (match == 0) return &wrong;
  sentinel_remove(&request->edits.headers, header);
  sentinel_set(&request->edits.headers, principal_header, keys->items[match - 1].text);
  return NULL;
}
SENTINEL_ON_REQUEST(on_request)
