/* Plain heads of HTTP/1.1: those that nearly all messages have, read whole in one pass.
 *
 * Rule 1: a head is plain if it can be read in one way only, by RFC 9112 and by any other parser.
 *         Everything else is not plain, which says nothing about it: it may be incomplete, unusual
 *         or malformed. llhttp and the rules in Python decide then. So errors are theirs alone.
 * Rule 2: every line ends in CR LF, and no other control character but tabs in values is in it. The
 *         version is 1.1.
 * Rule 3: fields that decide the message's length, or the connection's life, have one of the values
 *         named here, once. Upgrade and Expect are never plain.
 * Rule 4: nothing here knows Python, allocates, or reads beyond the length that it is given.
 */
#ifndef SNT_PLAIN_H
#define SNT_PLAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../src/text.h"

/* A plain head has no more fields than that, and only shorter names. */
#define SNT_PLAIN_FIELDS 64
#define SNT_PLAIN_NAME 64

typedef struct {
  snt_text name;  /* as sent */
  snt_text value; /* without the blanks around it */
  int place;      /* of the name among the common ones of its length; -1 if it is none */
  bool is_hop_by_hop;
} snt_plain_field;

typedef struct {
  size_t length; /* with the empty line */
  size_t count;  /* of `fields` */
  int64_t body;  /* its length if a field says it, or else -1 */
  bool is_chunked, closes;
  bool has_request_id; /* a field called x-request-id */
  unsigned hosts;
  size_t hop_by_hop; /* how many fields are so: `grammar.HOP_BY_HOP` */
  snt_plain_field fields[SNT_PLAIN_FIELDS];
} snt_plain_head;

/* Methods of plain requests, in any order. */
#define SNT_PLAIN_METHODS 7
extern const char *const SNT_METHODS[SNT_PLAIN_METHODS];

typedef struct {
  unsigned method; /* index into SNT_METHODS */
  snt_text target; /* in origin-form */
  snt_plain_head head;
} snt_plain_request;

typedef struct {
  unsigned status; /* from 200 to 599 */
  snt_plain_head head;
} snt_plain_response;

/* Whether the text begins with a whole plain head. If not, what the structure holds means
 * nothing. A request has one Host. */
bool snt_read_plain_request(snt_text text, snt_plain_request *request);
bool snt_read_plain_response(snt_text text, snt_plain_response *response);

#endif
