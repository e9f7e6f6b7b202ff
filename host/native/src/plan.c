#include "plan.h"

#include <stdlib.h>
#include <string.h>

snt_counters *snt_counters_new(void) { return calloc(1, sizeof(snt_counters)); }

static bool copy(char **to, const char *from) {
  size_t size = strlen(from) + 1;
  *to = malloc(size);
  if (*to != NULL) memcpy(*to, from, size);
  return *to != NULL;
}

snt_plan *snt_plan_new(const snt_engine *engine, snt_ticker *ticker, uintptr_t wasm_engine, uintptr_t pre,
                       uintptr_t loop, snt_counters *counters, const snt_limits *limits, const char *name) {
  if (!snt_ticker_start(ticker)) return NULL;
  snt_plan *plan = calloc(1, sizeof *plan);
  if (plan == NULL) return NULL;
  if (!copy(&plan->name, name)) {
    free(plan);
    return NULL;
  }
  atomic_init(&plan->references, 1);
  plan->engine = engine;
  plan->ticker = ticker;
  plan->wasm_engine = (wasm_engine_t *)wasm_engine;
  plan->pre = (const wasmtime_instance_pre_t *)pre;
  plan->loop = (const wasmtime_instance_pre_t *)loop;
  plan->counters = counters;
  plan->limits = *limits;
  snt_ticker_keep(ticker);
  return plan;
}

void snt_plan_keep(snt_plan *plan) { atomic_fetch_add(&plan->references, 1); }

void snt_plan_free(snt_plan *plan) {
  if (plan == NULL || atomic_fetch_sub(&plan->references, 1) > 1) return;
  for (size_t i = 0; i < SNT_HOOKS; i++) {
    free(plan->hooks[i].name);
    free(plan->hooks[i].post);
  }
  snt_ticker_free(plan->ticker);
  free(plan->name);
  free(plan);
}

bool snt_plan_hook(snt_plan *plan, uint32_t index, uint32_t lists, bool takes_flag, uint32_t returns, const char *name,
                   const char *post) {
  if (index >= SNT_HOOKS || lists > 2 || returns > SNT_RETURNS_AREA) return false;
  snt_shape *hook = &plan->hooks[index];
  if (hook->bound || !copy(&hook->name, name) || (post != NULL && !copy(&hook->post, post))) return false;
  hook->lists = (uint8_t)lists;
  hook->takes_flag = takes_flag;
  hook->returns = (uint8_t)returns;
  hook->bound = true;
  return true;
}

void snt_plan_metrics(snt_plan *plan, snt_metrics *metrics) {
  plan->metrics = metrics;
  plan->metrics_version = ++metrics->versions;
}

void snt_plan_log(snt_plan *plan, snt_log *log) { plan->log = log; }

void snt_plan_kv_clock(snt_plan *plan, const uint64_t *now) { plan->kv.now = now; }

void snt_plan_kv(snt_plan *plan, uintptr_t store, uint32_t space, uint64_t quota) {
  plan->kv = (snt_kv_grant){(snt_kv *)store, space, quota, NULL};
}

void snt_plan_trail(snt_plan *plan, snt_trail *trail, uint16_t mark) {
  plan->trail = trail;
  plan->mark = mark;
}

void snt_plan_http(snt_plan *plan, uintptr_t linker, uint32_t calls, uint32_t request) {
  plan->http = (snt_http_grant){(const wasmtime_linker_t *)linker, calls, request};
}

uint64_t snt_plan_calls(const snt_plan *plan) { return plan->calls; }
