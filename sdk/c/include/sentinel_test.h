/* Unit tests of guests, natively: `sentinel test` compiles src/ and test/ together with stand-ins
 * for the host, and runs them. A test calls a guest's hooks as functions:
 *
 *     #include <assert.h>
 *     #include <sentinel_test.h>
 *
 *     int main(void) {
 *       sentinel_header headers[] = {{SENTINEL_TEXT("user-agent"), SENTINEL_TEXT("test")}};
 *       sentinel_request request = sentinel_test_request("GET", "/", headers, 1);
 *       assert(on_request(&request) == NULL);
 *       assert(sentinel_is(sentinel_test_edited(&request.edits.headers, "x-guest"), "hello"));
 *     }
 */
#ifndef SENTINEL_TEST_H
#define SENTINEL_TEST_H

#include "sentinel.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A request over HTTP/1.1 from 192.0.2.1; the headers are lent. */
sentinel_request sentinel_test_request(const char *method, const char *path, const sentinel_header *headers,
                                       size_t count);
/* A 200 of the upstream. */
sentinel_incoming_response sentinel_test_response(const sentinel_header *headers, size_t count);
/* What the last edit of that name makes of it; absent if it removes it, and if there is none. */
sentinel_bytes sentinel_test_edited(const sentinel_header_edits *edits, const char *name);
/* Configures a guest with a map that a writer holds; what `configure` says. */
const char *sentinel_test_configure(sentinel_configure_hook *hook, const sentinel_writer *config);
/* Forgets what a hook allocated, as a gateway does between two calls, and never what `configure`
 * did. */
void sentinel_test_end_call(void);

/* How many lines were logged since `sentinel_test_reset`, at most 64 of them kept; and each of
 * these. */
size_t sentinel_test_lines(void);
sentinel_bytes sentinel_test_line(size_t at);
sentinel_level sentinel_test_level(size_t at);

/* What the clocks say, in nanoseconds, until something else is said. */
void sentinel_test_set_clocks(uint64_t wall, uint64_t monotonic);

/* Answers what a guest asks; without one, services are unreachable. */
typedef sentinel_http_error sentinel_test_service(const sentinel_http_request *request, sentinel_response *response);
void sentinel_test_set_service(sentinel_test_service *service);

/* The sum of what was counted for a metric, whatever the labels. */
uint64_t sentinel_test_counted(const char *name);
/* The help text that describes a metric; absent when nothing does. */
sentinel_bytes sentinel_test_described(const char *name);

/* Forgets lines, counts, descriptions, keys, clocks and the service. */
void sentinel_test_reset(void);

#ifdef __cplusplus
}
#endif

#endif
