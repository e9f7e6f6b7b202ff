/* Header blocks as bytes (RFC 7541 sections 5 and 6). Tables of fields are the caller's.
 *
 * Rule 1: nothing here knows Python, allocates, or reads beyond the lengths that it is given.
 * Rule 2: a `put` function writes no more than its bound says, and returns where it ends.
 */
#ifndef SNT_BLOCK_H
#define SNT_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../src/text.h"

/* Entries of the static table, and bytes that an entry costs beside its field (section 4.1). */
#define SNT_STATIC_COUNT 61
#define SNT_ENTRY_COST 32

typedef enum {
  SNT_INDEXED,
  SNT_LITERAL,
  SNT_LITERAL_ADDED, /* to the dynamic table */
  SNT_TABLE_SIZE,
} snt_kind;

typedef struct {
  snt_text text;
  bool is_coded; /* by Huffman */
} snt_string;

typedef struct {
  snt_kind kind;
  uint32_t index; /* of the field, or of a literal's name; 0 if the name is here. Or a table's size */
  snt_string name, value;
} snt_representation;

typedef enum { SNT_READ, SNT_TOO_SHORT, SNT_TOO_LARGE } snt_found;

/* Read the next representation of a block that is not at its end, and cut it off from `block`. An
 * integer is too large when it takes more than four bytes after its prefix: far beyond any length
 * that fits a block. */
snt_found snt_next_representation(snt_text *block, snt_representation *read);

/* A literal without indexing, its name from the static table if it is there. */
#define SNT_LITERAL_MAX(name, value) ((name) + (value) + 13)
uint8_t *snt_put_literal(uint8_t *out, snt_text name, snt_text value);

/* The field ":status", from 100 to 999. */
#define SNT_STATUS_MAX 5
uint8_t *snt_put_status(uint8_t *out, unsigned status);

/* A frame's head (RFC 9113 section 4.1). */
#define SNT_FRAME_HEAD 9
uint8_t *snt_put_frame_head(uint8_t *out, size_t length, uint8_t kind, uint8_t flags, uint32_t stream);

#endif
