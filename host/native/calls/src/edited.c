#include "edited.h"

#include <string.h>

#include "../../fields/src/pack.h"

typedef struct {
  const uint8_t *at, *end;
} reader;

static bool take(reader *in, size_t length, snt_text *text) {
  if ((size_t)(in->end - in->at) < length) return false;
  *text = (snt_text){in->at, length};
  in->at += length;
  return true;
}

/* A number of `size` bytes, the highest first. */
static bool read_number(reader *in, size_t size, size_t *number) {
  snt_text bytes;
  if (!take(in, size, &bytes)) return false;
  *number = 0;
  for (size_t i = 0; i < size; i++) *number = *number << 8 | bytes.bytes[i];
  return true;
}

/* A str, a bin, a number that is not negative, or nil. */
static bool read_value(reader *in, snt_text *text) {
  *text = (snt_text){in->at, 0};
  if (in->at == in->end) return false;
  uint8_t type = *in->at++;
  size_t length;
  if ((type & 0xe0) == 0xa0) return take(in, type & 0x1f, text);
  if (type >= 0xd9 && type <= 0xdb) return read_number(in, (size_t)1 << (type - 0xd9), &length) && take(in, length, text);
  if (type >= 0xc4 && type <= 0xc6) return read_number(in, (size_t)1 << (type - 0xc4), &length) && take(in, length, text);
  if (type >= 0xcc && type <= 0xcf) return take(in, (size_t)1 << (type - 0xcc), text);
  return type == 0xc0 || type < 0x80;
}

static bool read_count(reader *in, size_t *count) {
  if (in->at == in->end) return false;
  uint8_t type = *in->at++;
  if ((type & 0xf0) == 0x90) {
    *count = type & 0x0f;
    return true;
  }
  return type == 0xdc && read_number(in, 2, count);
}

static bool is_same(snt_text left, snt_text right) {
  return left.length == right.length && memcmp(left.bytes, right.bytes, left.length) == 0;
}

/* Whether one of the edits from `first` on takes away what has that name. */
static bool is_removed(const snt_plain *plain, size_t first, snt_text name) {
  for (size_t i = first; i < plain->count; i++)
    if (plain->edits[i].kind != SNT_APPEND && is_same(plain->edits[i].name, name)) return true;
  return false;
}

/* What the fields and what the edits add take at most. */
static size_t bound(snt_text record, const snt_plain *plain) {
  size_t size = record.length + SNT_PACK_HEAD;
  for (size_t i = 0; i < plain->count; i++)
    size += plain->edits[i].name.length + plain->edits[i].value.length + 2 * SNT_PACK_HEAD;
  return size;
}

/* Nearly every field: a name of up to 31 bytes and a value of up to 255. */
static bool read_short_field(reader *in, snt_text *name) {
  const uint8_t *at = in->at;
  size_t left = (size_t)(in->end - at);
  if (left < 2 || at[0] != 0x92 || (at[1] & 0xe0) != 0xa0) return false;
  size_t length = at[1] & 0x1f, value = 2 + length;
  if (left < value + 2 || at[value] != 0xc4 || left - value - 2 < at[value + 1]) return false;
  *name = (snt_text){at + 2, length};
  in->at = at + value + 2 + at[value + 1];
  return true;
}

static bool read_field(reader *in, snt_text *name) {
  size_t values;
  snt_text value;
  if (read_short_field(in, name)) return true;
  return read_count(in, &values) && values == 2 && read_value(in, name) && read_value(in, &value);
}

/* The fields that stay, to `out`; `count` becomes their number. Returns where they end, or NULL. */
static uint8_t *keep_fields(reader *in, const snt_plain *plain, uint8_t *out, size_t *count) {
  const uint8_t *kept = in->at;
  size_t left = 0;
  for (size_t i = 0; i < *count; i++) {
    const uint8_t *start = in->at;
    snt_text name;
    if (!read_field(in, &name)) return NULL;
    if (!is_removed(plain, 0, name)) {
      left++;
      continue;
    }
    out = snt_put_text(out, (snt_text){kept, (size_t)(start - kept)});
    kept = in->at;
  }
  *count = left;
  return snt_put_text(out, (snt_text){kept, (size_t)(in->at - kept)});
}

static uint8_t *add_fields(const snt_plain *plain, uint8_t *out, size_t *count) {
  for (size_t i = 0; i < plain->count; i++) {
    const snt_edit *edit = &plain->edits[i];
    if (edit->kind == SNT_REMOVE || is_removed(plain, i + 1, edit->name)) continue;
    out = snt_put_packed(out, &(snt_field){edit->name, edit->value});
    ++*count;
  }
  return out;
}

/* Go to the array of header fields. */
static bool find_fields(reader *in, size_t before, const snt_layout *layout) {
  size_t count;
  snt_text skipped;
  if (layout->is_known) return take(in, layout->before, &skipped);
  if (!read_count(in, &count) || count <= before) return false;
  for (size_t i = 0; i < before; i++)
    if (!read_value(in, &skipped)) return false;
  return true;
}

/* All fields, to `out`. Returns where they end, or NULL. */
static uint8_t *keep_all(reader *in, const snt_layout *layout, uint8_t *out) {
  size_t left = (size_t)(in->end - in->at);
  snt_text fields;
  return left >= layout->behind && take(in, left - layout->behind, &fields) ? snt_put_text(out, fields) : NULL;
}

size_t snt_edit_record(snt_text record, size_t before, snt_layout *layout, const snt_plain *plain, bool all_stay,
                       uint8_t *out, size_t room) {
  reader in = {record.bytes, record.bytes + record.length};
  size_t count;
  if (bound(record, plain) > room || !find_fields(&in, before, layout)) return 0;
  const uint8_t *array = in.at;
  if (!read_count(&in, &count) || count > UINT16_MAX - SNT_PLAIN_EDITS) return 0;
  uint8_t *head = snt_put_text(out, (snt_text){record.bytes, (size_t)(array - record.bytes)});
  /* How many there will be, and with it the size of the array's head, is known at the end. */
  uint8_t *fields = head + snt_array_size(count + plain->count);
  uint8_t *at = layout->is_known && all_stay ? keep_all(&in, layout, fields) : keep_fields(&in, plain, fields, &count);
  if (at == NULL) return 0;
  *layout = (snt_layout){true, (size_t)(array - record.bytes), (size_t)(in.end - in.at)};
  at = add_fields(plain, at, &count);
  uint8_t *first = snt_put_array(head, count);
  if (first != fields) memmove(first, fields, (size_t)(at - fields));
  at -= fields - first;
  at = snt_put_text(at, (snt_text){in.at, (size_t)(in.end - in.at)});
  return (size_t)(at - out);
}
