/* A record that is cut or changed anywhere is edited within its bytes and the room, or left alone.
 * That what is edited is what encoding gives is the affair of tests/sandbox/test_chains.py. */
#include "../../fields/src/pack.h"
#include "../../tests/harness.h"
#include "../src/edited.h"

#include <stdlib.h>

#define TEXT(text) ((snt_text){(const uint8_t *)(text), sizeof(text) - 1})

enum { ROOM = 2048, FIELDS = 40 };

static const char *const NAMES[] = {"host", "accept", "x-key", "x-a"};

/* A method, a path, no query, header fields, and a value behind them. */
static size_t make(uint8_t *out, size_t fields) {
  uint8_t *at = snt_put_array(out, 5);
  at = snt_put_nil(snt_put_str(snt_put_str(at, TEXT("GET")), TEXT("/a/path/of/more/than/thirty-one/bytes")));
  at = snt_put_array(at, fields);
  for (size_t i = 0; i < fields; i++) {
    const char *name = NAMES[i % 4];
    at = snt_put_packed(at, &(snt_field){{(const uint8_t *)name, strlen(name)}, TEXT("value")});
  }
  return (size_t)(snt_put_str(at, TEXT("1.1")) - out);
}

static const snt_plain EDITS = {.count = 4, .edits = {
  {SNT_REMOVE, {(const uint8_t *)"x-key", 5}, {NULL, 0}},
  {SNT_SET, {(const uint8_t *)"x-a", 3}, {(const uint8_t *)"1", 1}},
  {SNT_APPEND, {(const uint8_t *)"x-b", 3}, {(const uint8_t *)"2", 1}},
  {SNT_SET, {(const uint8_t *)"x-b", 3}, {(const uint8_t *)"3", 1}},
}};

static void fields_go_and_come(void) {
  for (size_t fields = 0; fields <= FIELDS; fields++) {
    uint8_t record[ROOM], edited[ROOM], expected[ROOM];
    size_t length = make(record, fields), size;
    snt_layout layout = {.is_known = false};
    size = snt_edit_record((snt_text){record, length}, 3, &layout, &EDITS, false, edited, ROOM);
    size_t kept = 0;
    for (size_t i = 0; i < fields; i++) kept += i % 4 < 2;
    uint8_t *at = snt_put_array(expected, 5);
    at = snt_put_nil(snt_put_str(snt_put_str(at, TEXT("GET")), TEXT("/a/path/of/more/than/thirty-one/bytes")));
    at = snt_put_array(at, kept + 2);
    for (size_t i = 0; i < fields; i++)
      if (i % 4 < 2) at = snt_put_packed(at, &(snt_field){{(const uint8_t *)NAMES[i % 4], strlen(NAMES[i % 4])}, TEXT("value")});
    at = snt_put_packed(at, &(snt_field){TEXT("x-a"), TEXT("1")});
    at = snt_put_packed(at, &(snt_field){TEXT("x-b"), TEXT("3")});
    at = snt_put_str(at, TEXT("1.1"));
    CHECK(size == (size_t)(at - expected) && memcmp(edited, expected, size) == 0);
  }
}

static const snt_plain MORE = {.count = 2, .edits = {
  {SNT_REMOVE, {(const uint8_t *)"x-none", 6}, {NULL, 0}},
  {SNT_APPEND, {(const uint8_t *)"x-c", 3}, {(const uint8_t *)"4", 1}},
}};

static void a_known_layout_changes_nothing(void) {
  for (size_t fields = 0; fields <= FIELDS; fields++) {
    uint8_t record[ROOM], edited[ROOM], quick[ROOM], slow[ROOM];
    size_t length = make(record, fields);
    snt_layout layout = {.is_known = false}, none = {.is_known = false};
    size_t size = snt_edit_record((snt_text){record, length}, 3, &layout, &EDITS, false, edited, ROOM);
    CHECK(layout.is_known && layout.behind == 4);
    size_t quickly = snt_edit_record((snt_text){edited, size}, 3, &layout, &MORE, true, quick, ROOM);
    size_t slowly = snt_edit_record((snt_text){edited, size}, 3, &none, &MORE, false, slow, ROOM);
    CHECK(quickly > size && quickly == slowly && memcmp(quick, slow, quickly) == 0);
    CHECK(layout.before == none.before && layout.behind == none.behind);
    /* And where a field goes. */
    none.is_known = false;
    quickly = snt_edit_record((snt_text){quick, quickly}, 3, &layout, &EDITS, false, edited, ROOM);
    slowly = snt_edit_record((snt_text){slow, slowly}, 3, &none, &EDITS, false, record, ROOM);
    CHECK(quickly > 0 && quickly == slowly && memcmp(edited, record, quickly) == 0);
  }
}

/* In memory of exactly its size, so that the address sanitizer sees a byte beyond it; `layout` is
 * that of the record before it was changed. */
static void edit_copy(const uint8_t *bytes, size_t length, size_t room, snt_layout layout) {
  uint8_t *record = malloc(length + 1), *out = malloc(room + 1);
  memcpy(record + 1, bytes, length);
  for (int all_stay = 0; all_stay < 2; all_stay++) {
    snt_layout unknown = {.is_known = false}, known = layout;
    CHECK(snt_edit_record((snt_text){record + 1, length}, 3, &unknown, &EDITS, all_stay, out + 1, room) <= room);
    CHECK(snt_edit_record((snt_text){record + 1, length}, 3, &known, &EDITS, all_stay, out + 1, room) <= room);
  }
  free(record);
  free(out);
}

static void whatever_it_is_nothing_beyond_it_is_touched(void) {
  uint8_t record[ROOM];
  size_t length = make(record, 18);
  uint8_t edited[ROOM];
  snt_layout layout = {.is_known = false};
  CHECK(snt_edit_record((snt_text){record, length}, 3, &layout, &EDITS, false, edited, ROOM) > 0);
  for (size_t cut = 0; cut <= length; cut++) edit_copy(record, cut, ROOM, layout);
  for (size_t room = 0; room < 400; room++) edit_copy(record, length, room, layout);
  for (size_t at = 0; at < length; at++) {
    uint8_t kept = record[at];
    for (unsigned byte = 0; byte < 256; byte++) {
      record[at] = (uint8_t)byte;
      edit_copy(record, length, ROOM, layout);
    }
    record[at] = kept;
  }
}

int main(void) {
  RUN(fields_go_and_come);
  RUN(a_known_layout_changes_nothing);
  RUN(whatever_it_is_nothing_beyond_it_is_touched);
  return 0;
}
