/* A thread that advances the engine's epoch every millisecond while a guest runs at its ticks, every
 * four while none does, and every ten while few are called, too: a tick costs more than a guest's
 * call.
 *
 * Rule 1: an idle worker is not woken. When no guest has been entered for a while the thread waits
 *         until one is; entering costs one atomic addition and one load as long as it is awake.
 * Rule 2: the thread runs no Python and takes no lock that a guest's call waits for, except to be
 *         woken.
 */
#ifndef SNT_TICKER_H
#define SNT_TICKER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine.h"

/* The epoch's step. */
#define SNT_TICK_NS 1000000
/* How many steps a quiet worker's takes, which its first tick is then late by, and up to how many
 * entries in one step of the others it is quiet. */
#define SNT_QUIET_STEPS 10
#define SNT_FEW_ENTRIES 16
/* How many steps a busy worker's takes, after as many at whose ends no guest ran. Its first tick is
 * late by the others. */
#define SNT_BUSY_STEPS 4
/* Steps without a guest after which the thread goes to sleep: falling asleep and waking cost system
 * calls. */
#define SNT_TICKS_BEFORE_SLEEP 50

typedef struct {
  const snt_engine *engine;
  wasm_engine_t *wasm_engine;
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t awakened;
  atomic_uint references;
  atomic_uint_fast64_t entered, left;
  atomic_bool asleep, stopping;
  bool started;
} snt_ticker;

/* A ticker for the engine at `wasm_engine`, which it shares in owning; NULL when there is no
 * memory. */
snt_ticker *snt_ticker_new(const snt_engine *engine, uintptr_t wasm_engine);

/* Start the thread, unless it runs: in the process in which guests will run, as a fork copies no
 * threads. Returns whether it runs. */
bool snt_ticker_start(snt_ticker *ticker);

/* One owner more, and one less: the last one ends the thread and waits for it. */
void snt_ticker_keep(snt_ticker *ticker);
void snt_ticker_free(snt_ticker *ticker);

/* Around everything that may run guest code. */
void snt_ticker_enter(snt_ticker *ticker);
void snt_ticker_leave(snt_ticker *ticker);

/* Whether the thread waits for a guest. */
bool snt_ticker_is_asleep(snt_ticker *ticker);

#endif
