/* An ordinary response with its whole body, as frames of HTTP/2. */
#ifndef SNT_FRAMES_H
#define SNT_FRAMES_H

#include "names.h"
#include "record.h"

/* `most` is the peer's frame size. */
typedef struct {
  uint32_t stream;
  unsigned status;
  snt_text date, data;
  size_t most;
} snt_whole_response;

/* HEADERS with the fields that `snt_list_response` lists, and Date behind them if there is none;
 * then DATA, which ends the stream.
 *
 * None for every other response: with a status that has no body, without a Content-Length that is
 * the body's, with a name that is not in lower case, with what may not be written, or with a head
 * of more than 4 KiB. NULL with an error for what takes too much memory. */
PyObject *snt_frame_response(const snt_names *names, const snt_fields *opened, const snt_whole_response *response);

#endif
