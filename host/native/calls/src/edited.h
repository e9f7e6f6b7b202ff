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

/* Write the record to `out`, which has `room` bytes; its header fields stand behind `before` other
 * values. Returns its size, or 0 when there is not enough room, or it is not what it should be. */
size_t snt_edit_record(snt_text record, size_t before, const snt_plain *plain, uint8_t *out, size_t room);

#endif
