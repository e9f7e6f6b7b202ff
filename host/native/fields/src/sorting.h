/* What becomes of each field of a list, by its name: passed on, written, or looked at in Python.
 *
 * Each function makes one pass and takes what `snt_open_fields` has opened. NULL is returned with
 * an error. Tables of names are Python's to fill; the numbers in them are here.
 */
#ifndef SNT_SORTING_H
#define SNT_SORTING_H

#include "names.h"
#include "record.h"

/* Of a request's fields, as in `Field` of sentinel_host/http/rules/fields.py. */
enum { SNT_KEEP, SNT_DROP, SNT_ALIAS = 4, SNT_HOST = 5, SNT_CONNECTION = 8, SNT_VOUCHED = 13 };

/* A tuple: the list of a request's fields that are kept, a list of (number, name, value) of those
 * that need more or None, and the first Host or None. ValueError for a name that is no token in
 * lower case, or a value with a control character. */
PyObject *snt_sort_request(const snt_names *names, const snt_fields *opened);

/* Of fields that are passed on: what is taken out, and Connection, which goes too. */
enum { SNT_TAKEN_OUT = 1, SNT_NAMES_OTHERS = 2 };

/* The list of the fields that no number is known for. None if a Connection field names others. */
PyObject *snt_pass_on(const snt_names *names, const snt_fields *opened);

/* Of a response's fields, as an application wrote them, in any case. */
enum { SNT_LENGTH = 1, SNT_DATE = 2, SNT_CLOSES = 3, SNT_LEFT_OUT = 4 };

/* A tuple: `line` and a line for each field, as bytes; the Content-Length or -1; whether there is
 * a Date; whether Connection says close. */
PyObject *snt_write_response(const snt_names *names, snt_text line, const snt_fields *opened, bool has_length);

/* A tuple: the list of fields with names in lower case, the Content-Length or -1, and whether there
 * is a Date. */
PyObject *snt_list_response(const snt_names *names, const snt_fields *opened, bool has_length);

#endif
