/* Put before the C that cffi generates: the project's headers, and what only Python asks for. */

#include "engine.h"
#include "guest.h"
#include "host.h"
#include "log.h"
#include "plan.h"
#include "stand_ins.h"
#include "ticker.h"
#include "trail.h"

static const size_t SNT_SIZEOF_FUNC = sizeof(wasmtime_func_t);
static const size_t SNT_SIZEOF_MEMORY = sizeof(wasmtime_memory_t);
static const size_t SNT_SIZEOF_INSTANCE = sizeof(wasmtime_instance_t);
static const size_t SNT_SIZEOF_VAL_RAW = sizeof(wasmtime_val_raw_t);
static const size_t SNT_SIZEOF_EXTERN = sizeof(wasmtime_extern_t);
static const size_t SNT_SIZEOF_CONTINUATION = sizeof(wasmtime_async_continuation_t);
static const size_t SNT_OFFSET_EXTERN_OF = offsetof(wasmtime_extern_t, of);
static const size_t SNT_SIZEOF_LOG_LINE = sizeof(snt_log_line);
static const size_t SNT_SIZEOF_RECORDED = sizeof(snt_recorded);

static uintptr_t snt_log_write_address(void) { return (uintptr_t)snt_log_write; }

static uintptr_t snt_http_wait_address(void) { return (uintptr_t)snt_http_wait; }

static uintptr_t snt_run_call_address(void) { return (uintptr_t)snt_run_call; }
