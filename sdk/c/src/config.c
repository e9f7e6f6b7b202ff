#include "internal.h"

/* As deep as the contract lets values nest here (wit/ABI.md, section 4). */
#define DEEPEST 16

/* What has gone wrong so far; one for a configuration and everything in it. */
typedef struct problems {
  const char *first;
  /* The first that lies in the bytes themselves: what the guest says of its configuration then
   * means nothing. */
  const char *malformed;
} problems;

struct sentinel_config {
  const char *path;
  sentinel_value map;
  /* Which keys were asked for. */
  bool *read;
  problems *problems;
  sentinel_config *first_nested, *next;
};

static const char *const KINDS[] = {
    "nothing", "a boolean", "an integer", "a number", "a string", "bytes", "a list", "a map", "no value",
};
static const char NOT_UTF8[] = "the string is not UTF-8";

static void report(problems *all, const char *path, const char *problem) {
  if (all->first == NULL) all->first = *path != 0 ? sentinel_format("%s: %s", path, problem) : problem;
}

static void report_malformed(problems *all, const char *path, const char *problem) {
  report(all, path, problem);
  if (all->malformed == NULL) all->malformed = all->first;
}

static const char *inside(const char *path, const char *key) {
  return *path != 0 ? sentinel_format("%s.%s", path, key) : key;
}

static void report_kind(problems *all, const char *path, sentinel_kind expected, sentinel_kind found) {
  report(all, path, sentinel_format("expected %s, found %s", KINDS[expected], KINDS[found]));
}

static sentinel_value read_value(sentinel_reader *reader, const char *path, problems *all, int depth) {
  if (depth > DEEPEST) sentinel_fail("the configuration is nested too deeply at %s", path);
  sentinel_value value = {.kind = sentinel_peek(reader)};
  switch (value.kind) {
    case SENTINEL_BOOL: value.boolean = sentinel_read_bool(reader); break;
    case SENTINEL_INTEGER: value.integer = sentinel_read_integer(reader); break;
    case SENTINEL_FLOAT: value.number = sentinel_read_float(reader); break;
    case SENTINEL_STRING:
      value.text = sentinel_read_string(reader);
      if (!sentinel_is_utf8(value.text)) report_malformed(all, path, NOT_UTF8);
      break;
    case SENTINEL_LIST: {
      value.count = sentinel_read_list(reader);
      sentinel_value *items = sentinel_allocate(value.count * sizeof *items);
      for (size_t i = 0; i < value.count; i++) {
        items[i] = read_value(reader, sentinel_format("%s[%zu]", path, i), all, depth + 1);
      }
      value.items = items;
      break;
    }
    case SENTINEL_MAP: {
      value.count = sentinel_read_map(reader);
      sentinel_value *items = sentinel_allocate(value.count * sizeof *items);
      sentinel_bytes *keys = sentinel_allocate(value.count * sizeof *keys);
      for (size_t i = 0; i < value.count && !reader->failed; i++) {
        keys[i] = sentinel_read_string(reader);
        if (!sentinel_is_utf8(keys[i])) {
          report_malformed(all, path, sentinel_format("a key: %s", NOT_UTF8));
          keys[i] = SENTINEL_TEXT("?");
        }
        items[i] = read_value(reader, inside(path, sentinel_string(keys[i])), all, depth + 1);
      }
      value.items = items;
      value.keys = keys;
      break;
    }
    default: sentinel_skip(reader);
  }
  if (reader->failed) sentinel_fail("the configuration is no MessagePack");
  return value;
}

static sentinel_config *new_config(const char *path, sentinel_value map, problems *all) {
  sentinel_config *config = sentinel_allocate(sizeof *config);
  *config = (sentinel_config){.path = path, .map = map, .read = sentinel_allocate(map.count), .problems = all};
  memset(config->read, 0, map.count);
  return config;
}

sentinel_config *sentinel_open_config(const void *data, size_t size) {
  sentinel_reader reader = sentinel_reader_over(data, size);
  problems *all = sentinel_allocate(sizeof *all);
  *all = (problems){NULL, NULL};
  sentinel_value value = read_value(&reader, "", all, 1);
  if (reader.at != reader.end) sentinel_fail("the configuration has bytes after its end");
  if (value.kind != SENTINEL_MAP) {
    report_malformed(all, "", sentinel_format("expected %s, found %s", KINDS[SENTINEL_MAP], KINDS[value.kind]));
    value = (sentinel_value){.kind = SENTINEL_MAP};
  }
  return new_config("", value, all);
}

const char *sentinel_malformed(const sentinel_config *config) {
  return config->problems->malformed;
}

const sentinel_value *sentinel_config_get(sentinel_config *config, const char *key) {
  for (size_t i = 0; i < config->map.count; i++) {
    if (!sentinel_is(config->map.keys[i], key)) continue;
    config->read[i] = true;
    return &config->map.items[i];
  }
  return NULL;
}

const sentinel_value *sentinel_config_all(sentinel_config *config) {
  memset(config->read, 1, config->map.count);
  return &config->map;
}

/* The value if it has that type; one of another type is a problem. */
static const sentinel_value *get_typed(sentinel_config *config, const char *key, sentinel_kind kind) {
  const sentinel_value *value = sentinel_config_get(config, key);
  if (value == NULL || value->kind == kind) return value;
  report_kind(config->problems, inside(config->path, key), kind, value->kind);
  return NULL;
}

sentinel_bytes sentinel_config_text(sentinel_config *config, const char *key, const char *fallback) {
  const sentinel_value *value = get_typed(config, key, SENTINEL_STRING);
  return value != NULL ? value->text : sentinel_text(fallback);
}

int64_t sentinel_config_integer(sentinel_config *config, const char *key, int64_t fallback) {
  const sentinel_value *value = get_typed(config, key, SENTINEL_INTEGER);
  return value != NULL ? value->integer : fallback;
}

double sentinel_config_float(sentinel_config *config, const char *key, double fallback) {
  const sentinel_value *value = sentinel_config_get(config, key);
  if (value != NULL && value->kind == SENTINEL_INTEGER) return (double)value->integer;
  value = get_typed(config, key, SENTINEL_FLOAT);
  return value != NULL ? value->number : fallback;
}

bool sentinel_config_bool(sentinel_config *config, const char *key, bool fallback) {
  const sentinel_value *value = get_typed(config, key, SENTINEL_BOOL);
  return value != NULL ? value->boolean : fallback;
}

size_t sentinel_config_list(sentinel_config *config, const char *key, const sentinel_value **items) {
  const sentinel_value *value = get_typed(config, key, SENTINEL_LIST);
  *items = value != NULL ? value->items : NULL;
  return value != NULL ? value->count : 0;
}

size_t sentinel_config_texts(sentinel_config *config, const char *key, const sentinel_value **items) {
  size_t count = sentinel_config_list(config, key, items);
  for (size_t i = 0; i < count; i++) {
    if ((*items)[i].kind == SENTINEL_STRING) continue;
    report_kind(config->problems, sentinel_format("%s[%zu]", inside(config->path, key), i), SENTINEL_STRING,
                (*items)[i].kind);
    return 0;
  }
  return count;
}

sentinel_config *sentinel_config_map(sentinel_config *config, const char *key) {
  const sentinel_value *value = get_typed(config, key, SENTINEL_MAP);
  sentinel_value map = value != NULL ? *value : (sentinel_value){.kind = SENTINEL_MAP};
  sentinel_config *nested = new_config(inside(config->path, key), map, config->problems);
  nested->next = config->first_nested;
  config->first_nested = nested;
  return nested;
}

/* The name in lower case, of a field that a guest may edit. */
static const char *checked_name(sentinel_config *config, const char *path, sentinel_bytes name) {
  const char *problem = sentinel_header_name_problem(name);
  if (problem != NULL) report(config->problems, path, problem);
  return sentinel_string(sentinel_lower(name));
}

const char *sentinel_config_header_name(sentinel_config *config, const char *key, const char *fallback) {
  sentinel_bytes name = sentinel_config_text(config, key, fallback);
  return name.data == NULL ? NULL : checked_name(config, inside(config->path, key), name);
}

static void read_fields(sentinel_config *config, const char *key, sentinel_header_edits *edits,
                        void (*edit)(sentinel_header_edits *, const char *, sentinel_bytes)) {
  sentinel_config *fields = sentinel_config_map(config, key);
  const sentinel_value *map = sentinel_config_all(fields);
  for (size_t i = 0; i < map->count; i++) {
    const char *name = checked_name(config, fields->path, map->keys[i]);
    const char *path = inside(fields->path, sentinel_string(map->keys[i]));
    const sentinel_value *value = &map->items[i];
    const char *problem = value->kind == SENTINEL_STRING ? sentinel_header_value_problem(value->text) : NULL;
    if (value->kind != SENTINEL_STRING) report_kind(config->problems, path, SENTINEL_STRING, value->kind);
    if (problem != NULL) report(config->problems, path, problem);
    edit(edits, name, value->text);
  }
}

void sentinel_config_header_edits(sentinel_config *config, sentinel_header_edits *edits) {
  const sentinel_value *removed;
  size_t count = sentinel_config_texts(config, "remove", &removed);
  for (size_t i = 0; i < count; i++) {
    const char *path = sentinel_format("%s[%zu]", inside(config->path, "remove"), i);
    sentinel_remove(edits, checked_name(config, path, removed[i].text));
  }
  read_fields(config, "set", edits, sentinel_set);
  read_fields(config, "append", edits, sentinel_append);
}

void sentinel_refuse(sentinel_config *config, const char *format, ...) {
  va_list list;
  va_start(list, format);
  report(config->problems, config->path, sentinel_format_list(format, list));
  va_end(list);
}

const char *sentinel_finish(sentinel_config *config) {
  for (size_t i = 0; i < config->map.count; i++) {
    if (!config->read[i]) sentinel_refuse(config, "unknown key `%s`", sentinel_string(config->map.keys[i]));
  }
  for (sentinel_config *nested = config->first_nested; nested != NULL; nested = nested->next) sentinel_finish(nested);
  return config->problems->first;
}
