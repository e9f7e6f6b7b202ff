/* A guest that fails as the header field `x-fault` says. */
#include <sentinel.h>

static size_t depth(volatile size_t left) {
  volatile char frame[1000];
  frame[left % sizeof frame] = 1;
  return left == 0 ? 0 : depth(left - 1) + (size_t)frame[left % sizeof frame];
}

static const sentinel_response *on_request(sentinel_request *request) {
  sentinel_bytes fault = sentinel_get(request->headers, "x-fault");
  if (sentinel_is(fault, "crash")) sentinel_fail("the author says %s", "why");
  if (sentinel_is(fault, "loop")) {
    for (volatile int i = 0; i >= 0; i = (i + 1) % 1000) continue;
  }
  if (sentinel_is(fault, "memory")) {
    for (;;) memset(sentinel_allocate(100000), 1, 100000);
  }
  if (sentinel_is(fault, "stack")) sentinel_log(SENTINEL_INFO, "%zu", depth(1000000));
  if (sentinel_is(fault, "clock")) sentinel_log(SENTINEL_INFO, "%llu", (unsigned long long)sentinel_wall_clock());
  sentinel_set(&request->edits.headers, "x-seen", request->path);
  return NULL;
}
SENTINEL_ON_REQUEST(on_request)
