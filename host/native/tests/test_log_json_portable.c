/* The same tests with the C for processors that do not have SSE2. */
#undef __SSE2__
#include "../src/log_json.c"

#include "test_log_json.c"
