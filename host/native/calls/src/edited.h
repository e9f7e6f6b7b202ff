/* A record once edits of header fields are applied to it, made of the record's own bytes: encoding
 * it anew reads some forty Python objects.
 *
 * Rule 1: the result is byte for byte what encoding the edited head would give.
 * Rule 2: nothing is read beyond the record, nothing is allocated. A record that is not laid out as
 *         snt_pack_record does it is left to that.
 */
#ifndef SNT_EDITED_H
#define SNT_EDITED_H

#include "answer.h"

/* Where a record's header fields are: `before` bytes stand before their array, `behind` bytes behind
 * it. Edits do not change that. */
typedef struct {
  bool is_known;
  size_t before, behind;
} snt_layout;

/* Write the record to `out`, which has `room` bytes; its header fields stand behind `before` other
 * values. They are not looked at where the layout is known and `all_stay`: no edit takes one away.
 * Returns the size, or 0 when there is not enough room, or it is not what it should be. */
size_t snt_edit_record(snt_text record, size_t before, snt_layout *layout, const snt_plain *plain, bool all_stay,
                       uint8_t *out, size_t room);

#endif
