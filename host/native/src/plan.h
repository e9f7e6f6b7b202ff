/* What instances of one guest with one configuration have in common: the linked module, limits,
 * names, and counts.
 *
 * Rule 1: the names and shapes of hooks have been checked for their exact core type before they
 *         come here.
 * Rule 2: a plan lives until its last owner is gone, whether that is Python or an instance: Python
 *         may free both at once, in any order.
 */
#ifndef SNT_PLAN_H
#define SNT_PLAN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../kv/src/kv.h"
#include "engine.h"
#include "log.h"
#include "metrics.h"
#include "ticker.h"
#include "trail.h"

#define SNT_HOOKS 9
/* Descriptions of metrics whose refusal is logged. */
#define SNT_PLAN_REFUSALS 16
/* The slots that starting an instance calls; the others belong to Python. */
enum { SNT_SLOT_CONFIGURE = 0, SNT_SLOT_NEEDED_HOOKS = 6, SNT_SLOT_INITIALIZE = 7, SNT_SLOT_ARGUMENT_AREA = 8 };

/* What a hook returns. */
enum {
  SNT_RETURNS_NOTHING = 0,
  SNT_RETURNS_LIST = 1,
  SNT_RETURNS_OUTCOME = 2,
  SNT_RETURNS_NUMBER = 3,
  SNT_RETURNS_AREA = 4
};

/* Bounds of one instance and its calls. Sizes are bytes, times nanoseconds of the guest's own
 * running time. */
typedef struct {
  int64_t memory, table_elements, tables;
  uint32_t result;         /* the longest result */
  uint32_t lines;          /* log lines that one call may write */
  uint32_t level;          /* the least level of those that are kept */
  uint64_t deadline;       /* of a call */
  uint64_t start_deadline; /* of start function, _initialize and configure together */
  uint64_t retire_calls;   /* after which an instance asks to be retired */
  uint64_t high_water;     /* memory above which it asks for that */
  uint64_t high_calls;     /* after so many calls above it */
} snt_limits;

/* Counts of one guest over all its instances, written by the thread that calls them. */
typedef struct {
  uint64_t calls, suspensions, cpu_ns, lines_cut;
  uint64_t started;      /* instances, ever */
  uint64_t instances;    /* alive now */
  uint64_t memory_bytes; /* theirs, as of their last calls */
  uint64_t kv_calls, kv_full, kv_unavailable;
} snt_counters;

typedef struct {
  bool bound, takes_flag;
  uint8_t lists, returns;
  char *name, *post;
} snt_shape;

/* A guest's own part of the store that all workers share: at most `quota` bytes. `store` is NULL
 * without that grant. */
typedef struct {
  snt_kv *store;
  uint32_t space;
  uint64_t quota;
  const uint64_t *now; /* milliseconds by which keys run out; NULL for CLOCK_MONOTONIC */
} snt_kv_grant;

/* `linker` has the asynchronous function `wait`, and is NULL without that grant; `calls` may be
 * made in one hook, with requests of at most `request` bytes. */
typedef struct {
  const wasmtime_linker_t *linker;
  uint32_t calls, request;
} snt_http_grant;

typedef struct {
  atomic_uint references;
  const snt_engine *engine;
  snt_ticker *ticker;
  wasm_engine_t *wasm_engine;
  const wasmtime_instance_pre_t *pre;
  const wasmtime_instance_pre_t *loop; /* in which calls are made; see guest.h */
  snt_counters *counters;
  snt_metrics *metrics;     /* what the guest itself counts, when it is granted that */
  uint32_t metrics_version; /* by which the plans that describe these metrics have an order */
  uint32_t refused;
  /* Hashes of the names of metrics whose description was refused. */
  uint64_t refusals[SNT_PLAN_REFUSALS];
  snt_kv_grant kv;
  snt_http_grant http;
  snt_trail *trail; /* of its calls, which it marks so; or NULL */
  uint16_t mark;
  snt_log *log; /* for their lines, in place of the one that `log.write` was defined with; or NULL */
  snt_limits limits;
  char *name;     /* the guest's, for log lines */
  uint64_t calls; /* of hooks */
  snt_shape hooks[SNT_HOOKS];
} snt_plan;

/* Counts at zero, which live as long as the process; NULL when there is no memory. */
snt_counters *snt_counters_new(void);

/* A plan for the linked module at `pre`, whose instances are called in the linked module at `loop`.
 * The engine objects are borrowed: the caller keeps them as long as it makes instances. Starts the
 * ticker. NULL when there is no memory, or no thread. */
snt_plan *snt_plan_new(const snt_engine *engine, snt_ticker *ticker, uintptr_t wasm_engine, uintptr_t pre,
                       uintptr_t loop, snt_counters *counters, const snt_limits *limits, const char *name);
void snt_plan_keep(snt_plan *plan);
void snt_plan_free(snt_plan *plan);

/* Say that the guest exports the hook `index` under `name`: `lists` of its parameters are lists
 * (with `takes_flag` a bool stands behind the first); `post` is its post-return's name, NULL when
 * there is none. Returns whether `index` and the shape are possible and there is memory. */
bool snt_plan_hook(snt_plan *plan, uint32_t index, uint32_t lists, bool takes_flag, uint32_t returns, const char *name,
                   const char *post);

/* Let instances count there, which must live as long, and describe what they count: the newest
 * plan's descriptions win. */
void snt_plan_metrics(snt_plan *plan, snt_metrics *metrics);

/* Let instances use that space of the store at the address `store`, which must live as long. */
void snt_plan_kv(snt_plan *plan, uintptr_t store, uint32_t space, uint64_t quota);

/* Have keys run out by a clock of the caller's, in milliseconds, which must live as long. */
void snt_plan_kv_clock(snt_plan *plan, const uint64_t *now);

/* Have instances log there, which must live as long. */
void snt_plan_log(snt_plan *plan, snt_log *log);

/* Have calls of hooks noted there, which must live as long, with that mark. */
void snt_plan_trail(snt_plan *plan, snt_trail *trail, uint16_t mark);

/* Let instances make outbound requests. */
void snt_plan_http(snt_plan *plan, uintptr_t linker, uint32_t calls, uint32_t request);

/* How many calls of hooks its instances have begun. */
uint64_t snt_plan_calls(const snt_plan *plan);

#endif
